"""The torch twin of `realtime_vibe.body.keypoints49`, and the paper's crop camera.

Legend: `...` any batch axes, V = 6890 vertices, N points.
"""

import torch
from torch import Tensor, nn

from realtime_vibe.body.keypoints49 import POOL_ORDER, VERTEX_IDS, Keypoints49
from realtime_vibe.body.model_file import BodyModel
from realtime_vibe.geometry.camera import CROP_FOCAL_PX, CROP_SIDE_PX


class KeypointLayer(nn.Module):
    """Picks the 49 points from posed bodies of SMPL's topology, with `J_regressor_extra`; nothing is learned.

    Raises:
        BodyModelError: the body does not support the 49 points.
    """

    extra_regressor: Tensor
    vertex_ids: Tensor
    order: Tensor

    def __init__(self, model: BodyModel) -> None:
        super().__init__()
        Keypoints49(model)
        extra = torch.from_numpy(model.J_regressor_extra)
        self.register_buffer("extra_regressor", extra, persistent=False)
        self.register_buffer("vertex_ids", torch.tensor(VERTEX_IDS), persistent=False)
        self.register_buffer("order", torch.tensor(POOL_ORDER), persistent=False)

    def forward(self, vertices: Tensor, joints: Tensor) -> Tensor:
        """(..., 49, 3) points, the paper's `kp_3d`, of `SmplLayer`'s vertices and joints [m]."""
        regressed = torch.matmul(self.extra_regressor, vertices)
        pool = torch.cat([joints, vertices[..., self.vertex_ids, :], regressed], dim=-2)
        return pool[..., self.order, :]


def project_in_crop(points: Tensor, weak_camera: Tensor) -> Tensor:
    """(..., N, 2) `kp_2d`, -1 to 1, of (..., N, 3) points [m] by the paper's `weak_camera` (..., 3)."""
    scale = weak_camera[..., 0, None]
    depth = points[..., 2] + 2.0 * CROP_FOCAL_PX / (CROP_SIDE_PX * scale + 1e-9)
    place = points[..., :2] + weak_camera[..., None, 1:]
    return place * (2.0 * CROP_FOCAL_PX / CROP_SIDE_PX) / depth[..., None]
