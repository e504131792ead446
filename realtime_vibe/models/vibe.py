"""VIBE, the whole of it (Kocabas et al. 2020): crops of one person over time in, SMPL parameters out.

Legend: B people, T time. Loss, discriminator and training are elsewhere; the live path runs the two halves
as exported graphs. The 49 keypoints are the torch twin of `body.keypoints49`, with the paper's crop camera.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from realtime_vibe.body.keypoints49 import POOL_ORDER, VERTEX_IDS, Keypoints49
from realtime_vibe.body.model_file import BodyModel
from realtime_vibe.geometry.camera import CROP_FOCAL_PX, CROP_SIDE_PX
from realtime_vibe.models.motion_network import MotionNetwork
from realtime_vibe.models.resnet import ResNet50
from realtime_vibe.models.rotation import axis_angle_from_rotmat
from realtime_vibe.models.smpl_layer import SmplLayer

_CROPS_AT_ONCE = 64
"""Long sequences go through the backbone in parts: activations of 450 crops are 10 GB."""


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


class VibeOutput(NamedTuple):
    """Parameters of every frame and the state to carry on with."""

    theta: Tensor
    """(B, T, 85): weak camera s, tx, ty; 24 rotation vectors, root first [rad]; 10 betas."""
    rotmat: Tensor
    """(B, T, 24, 3, 3), root first, rest frame to camera."""
    hidden: Tensor
    """(L, B, H) recurrent state after the last frame."""

    @property
    def weak_camera(self) -> Tensor:
        """(B, T, 3) s, tx, ty in the square crop."""
        return self.theta[..., :3]

    @property
    def betas(self) -> Tensor:
        """(B, T, 10)."""
        return self.theta[..., 75:]


class PosedBodies(NamedTuple):
    """What the paper's network also gives: bodies and 49 keypoints. V = 6890 vertices."""

    verts: Tensor
    """(B, T, V, 3) [m], camera axes, about the rest pelvis, not translated."""
    kp_3d: Tensor
    """(B, T, 49, 3) [m], likewise; names in `body.keypoints49`."""
    kp_2d: Tensor
    """(B, T, 49, 2) in the crop, -1 to 1 from the left and the top."""


class VIBE(nn.Module):
    """Backbone (crops to f(I_t)), and temporal encoder and regressor (features to parameters, with a memory)."""

    def __init__(self, backbone: ResNet50, motion: MotionNetwork) -> None:
        super().__init__()
        self.backbone = backbone
        self.motion = motion

    def encode(self, images: Tensor) -> Tensor:
        """Features (B, T, 2048) of crops (B, T, 3, 224, 224), RGB, as `models.resnet.normalised` makes them."""
        crops = images.flatten(0, 1)
        features = torch.cat([self.backbone(part) for part in crops.split(_CROPS_AT_ONCE)])
        sequences: Tensor = features.unflatten(0, images.shape[:2])
        return sequences

    def forward(self, images: Tensor, hidden: Tensor | None = None) -> VibeOutput:
        """Runs whole sequences.

        Args:
            images: (B, T, 3, 224, 224), see `encode`.
            hidden: (L, B, H) state before the first frame; None begins with zeros, as the paper does.
        """
        return self.regress(self.encode(images), hidden)

    def regress(self, features: Tensor, hidden: Tensor | None = None) -> VibeOutput:
        """The part after the backbone: (B, T, 2048) to parameters."""
        if hidden is None:
            hidden = self.motion.initial_hidden(len(features))
        params, hidden = self.motion(features.transpose(0, 1), hidden)
        rotmat = params.rotmat.transpose(0, 1)
        parts = [
            params.weak_camera.transpose(0, 1),
            axis_angle_from_rotmat(rotmat).flatten(-2),
            params.betas.transpose(0, 1),
        ]
        return VibeOutput(torch.cat(parts, dim=-1), rotmat, hidden)


def posed(output: VibeOutput, body: SmplLayer, keypoints: KeypointLayer) -> PosedBodies:
    """Bodies and keypoints of the parameters that `VIBE` gave, of the user's SMPL."""
    verts, joints = body(output.rotmat, output.betas)
    kp_3d = keypoints(verts, joints)
    return PosedBodies(verts, kp_3d, project_in_crop(kp_3d, output.weak_camera))
