"""Pinhole cameras, and the weak-perspective camera of a crop in the full camera frame.

A weak-perspective camera (s, tx, ty) says: a point (x, y) [m] of the body lands in the crop, whose
coordinates run from -1 to 1, at s * (x + tx, y + ty). One crop half-side is therefore 1/s metres at
the body's depth, which fixes the depth once a focal length is assumed (Kocabas et al. 2020,
sec. 3.1; Li et al. 2022, "CLIFF", for the full image). The square must be the one the camera was
predicted in, margin included.

A network that is shown a crop cannot know where in the picture it was cut out: what it says of depth and of turning
is about the line of sight to the middle of the crop, as if the camera looked straight at it. Somebody 20 degrees
beside the centre who faces the camera's plane is seen from 20 degrees to the side.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.packets import FloatArray

CROP_SCALE = 1.1
"""How much larger than the person the square crop is (Kocabas et al. 2020 use the same)."""

CROP_FOCAL_PX = 5000.0
"""Focal length the paper's network was trained with, for crops of `CROP_SIDE_PX`."""
CROP_SIDE_PX = 224.0

MIN_SCALE = 1e-3
"""Smaller scales would put the body beyond a kilometre; clamped to stay finite."""

NEAR_M = 0.05
"""What is nearer than this is behind or inside the lens."""

_USUAL_DIAGONALS = 0.75
"""Focal length over the picture's diagonal where nobody says: 67 degrees across it. Webcams' data sheets say 60
to 78; the six cameras of known focal length in our clips, phones and action cameras, have 0.56 to 0.80."""

Real = TypeVar("Real", bound=np.floating[Any])


class SquareBox(NamedTuple):
    """An axis-aligned square."""

    center_x: float
    """[px]."""
    center_y: float
    """[px]."""
    side: float
    """[px]."""


def square_of_bbox(bbox_xyxy: FloatArray, scale: float = CROP_SCALE) -> SquareBox:
    """The square of the longer side of a box (4,) x1, y1, x2, y2 [px] times `scale`, on the same centre; at least 1 px."""
    x0, y0, x1, y1 = (float(value) for value in bbox_xyxy)
    side = max(x1 - x0, y1 - y0, 1.0) * scale
    return SquareBox(0.5 * (x0 + x1), 0.5 * (y0 + y1), side)


@dataclass(frozen=True, slots=True, kw_only=True)
class PinholeView:
    """A camera without distortion, its principal point in the image's centre."""

    width: int
    """[px]."""
    height: int
    """[px]."""
    focal_px: float
    """Focal length [px], the same in x and y."""

    def project(self, points: FloatArray) -> FloatArray:
        """Pixels (2, N) of points (3, N) [m]; points nearer than `NEAR_M` are projected as at it."""
        zoom = np.float32(self.focal_px) / np.maximum(points[2], np.float32(NEAR_M))
        middle = np.array([[0.5 * self.width], [0.5 * self.height]], np.float32)
        return np.asarray(points[:2] * zoom + middle, np.float32)


def nominal_focal_px(width: int, height: int, fov_deg: float | None = None) -> float:
    """Focal length [px] for an image and a horizontal field of view [deg]; None assumes 67 degrees over the diagonal."""
    if fov_deg is None:
        return _USUAL_DIAGONALS * float(np.hypot(width, height))
    return 0.5 * width / float(np.tan(0.5 * np.deg2rad(fov_deg)))


def transl_from_weak_camera(
    weak_camera: FloatArray, square: SquareBox, image_size: tuple[int, int], focal_px: float
) -> FloatArray:
    """Translation (3,) [m] in the camera frame that puts the body where the crop camera saw it.

    Args:
        weak_camera: (3,) s, tx, ty.
        square: the crop's square in the full image.
        image_size: (width, height) [px]; the principal point is the middle.
        focal_px: focal length of the full image [px].
    """
    scale = max(float(weak_camera[0]), MIN_SCALE)
    px_per_m = 0.5 * scale * square.side
    depth_m = focal_px / px_per_m
    x_m = float(weak_camera[1]) + (square.center_x - 0.5 * image_size[0]) / px_per_m
    y_m = float(weak_camera[2]) + (square.center_y - 0.5 * image_size[1]) / px_per_m
    return np.array([x_m, y_m, depth_m], np.float32)


def project(points: FloatArray, image_size: tuple[int, int], focal_px: float) -> FloatArray:
    """Pixels (..., 2) of points (..., 3) [m], camera frame; NaN behind the camera. The image is (width, height) [px]."""
    depth = np.where(points[..., 2:] > 1e-6, points[..., 2:], np.nan)
    middle = 0.5 * np.array(image_size, np.float32)
    return (points[..., :2] / depth * focal_px + middle).astype(np.float32)


def full_image_weak_camera(
    weak_camera: FloatArray,
    square: SquareBox | FloatArray,
    image_size: tuple[int, int] | NDArray[np.integer],
) -> FloatArray:
    """The crop's camera for the whole image: (..., 4) sx, sy, tx, ty, the paper's `orig_cam`.

    A point (x, y) [m] of the body lands at sx * (x + tx), sy * (y + ty), in coordinates that run from
    -1 to 1 across the image's width and height.

    The square is the one that was cut out, its margin included. The released demo crops with a margin
    of 1.1 but converts the camera with the box before the margin, and so draws every body 9 % too
    small, 1 - 1/1.1 (mkocabas/VIBE issue 182); the same camera with the same square does not.

    Args:
        weak_camera: (..., 3) s, tx, ty.
        square: one square, or (..., 3) of centre x, y and side [px].
        image_size: width and height [px]; one, or (..., 2).
    """
    scale = np.asarray(weak_camera[..., 0], np.float64)
    center_x, center_y, side = np.moveaxis(np.asarray(square, np.float64), -1, 0)
    width, height = np.moveaxis(np.asarray(image_size, np.float64), -1, 0)
    px_per_m = 0.5 * np.maximum(scale, MIN_SCALE) * side
    columns = (
        2.0 * px_per_m / width,
        2.0 * px_per_m / height,
        weak_camera[..., 1] + (center_x - 0.5 * width) / px_per_m,
        weak_camera[..., 2] + (center_y - 0.5 * height) / px_per_m,
    )
    return np.stack(np.broadcast_arrays(*columns), axis=-1).astype(np.float32)


def project_in_crop(points: FloatArray, weak_camera: FloatArray) -> FloatArray:
    """(..., N, 2) where the paper's camera sees body points in the crop, -1 to 1 across it; its `kp_2d`.

    This is perspective with the focal length of training, which makes the body's depth matter a little. Points are
    (..., N, 3) [m] in camera axes before translation, cameras (..., 3) s, tx, ty.
    """
    camera = np.asarray(weak_camera, np.float64)[..., None, :]
    depth = points[..., 2] + 2.0 * CROP_FOCAL_PX / (CROP_SIDE_PX * camera[..., 0] + 1e-9)
    place = points[..., :2] + camera[..., 1:]
    projected = place * (2.0 * CROP_FOCAL_PX / CROP_SIDE_PX) / depth[..., None]
    return np.asarray(projected, np.float32)


def crop_ndc_to_image(points: FloatArray, square: SquareBox | FloatArray) -> FloatArray:
    """Pixels (..., N, 2) of the full image for points of `project_in_crop`, by one square or (..., 3) of them [px]."""
    squares = np.asarray(square, np.float64)[..., None, :]
    return (squares[..., :2] + 0.5 * squares[..., 2:] * points).astype(np.float32)


def camera_from_sight(points: NDArray[Real], center: NDArray[np.floating]) -> NDArray[Real]:
    """Turns points (..., K, 3), z along the line of sight, into the camera's axes, by the shortest way.

    `center` (..., 2) is where the line meets the image plane [focal lengths].
    """
    return _turned(points, np.asarray(center))


def sight_from_camera(points: NDArray[Real], center: NDArray[np.floating]) -> NDArray[Real]:
    """Undoes `camera_from_sight`: the line of sight itself becomes the z axis."""
    return _turned(points, -np.asarray(center))


def _turned(points: NDArray[Real], center: NDArray[np.floating]) -> NDArray[Real]:
    """Turns (0, 0, 1) to (x, y, 1) / |(x, y, 1)| without roll (Rodrigues)."""
    x, y = center[..., 0, None], center[..., 1, None]
    cosine = 1.0 / np.sqrt(1.0 + x * x + y * y)
    across = (x * points[..., 0] + y * points[..., 1]) * cosine
    depth = points[..., 2]
    # The part across the axis grows by what depth adds and shrinks by what the turn takes off.
    step = (depth - across / (1.0 + cosine)) * cosine
    turned = [
        points[..., 0] + x * step,
        points[..., 1] + y * step,
        depth * cosine - across,
    ]
    return np.stack(turned, axis=-1).astype(points.dtype, copy=False)
