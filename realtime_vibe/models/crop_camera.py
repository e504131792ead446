"""Where a crop's weak-perspective camera sees body points, with the perspective of the whole image.

The torch counterpart of `geometry.camera`: lengths in the image are in focal lengths, so that nothing
depends on the size of the picture.
"""

from torch import Tensor

LEAST_SCALE = 0.05
LEAST_DEPTH_M = 0.2


def crop_points(points: Tensor, weak_camera: Tensor, center: Tensor, half_side: Tensor) -> Tensor:
    """Projects points into the crop, (..., K, 2), -1 to 1 (Kocabas et al. 2020, sec. 3.1; Li et al. 2022, "CLIFF").

    Args:
        points: (..., K, 3) posed about the rest pelvis [m].
        weak_camera: (..., 3) s, tx, ty.
        center: (..., 1, 2) of the crop, relative to the principal point [focal lengths].
        half_side: (..., 1) of the crop [focal lengths].
    """
    # Depth over focal length and metres over half a crop side follow from the weak camera alone.
    depth = 1.0 / (weak_camera[..., :1].clamp_min(LEAST_SCALE) * half_side)
    offset = center * depth[..., None] + weak_camera[..., None, 1:]
    z = (points[..., 2:] + depth[..., None]).clamp_min(LEAST_DEPTH_M)
    return ((points[..., :2] + offset) / z - center) / half_side[..., None]
