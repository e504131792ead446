"""Rotated square regions of an image: cut one out for a network, and map points back.

Crop coordinates run over [0, 1] from the top left corner of the square, in the square's own axes.
Pixel coordinates are continuous: the centre of the first pixel lies at (0.5, 0.5).
"""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_vibe.packets import LARGEST, FloatArray, ImageArray


@dataclass(frozen=True, kw_only=True)  # no slots: `axes` is kept
class RotatedSquare:
    """A square in image pixels; may reach beyond the image."""

    center_x_px: float
    center_y_px: float
    side_px: float
    roll_rad: float
    """Turn of the square's axes against the image's, clockwise on the screen."""

    @property
    def is_usable(self) -> bool:
        """Whether the square is finite, of a sane size and at least a pixel wide."""
        values = (self.center_x_px, self.center_y_px, self.side_px)
        return self.side_px >= 1.0 and all(abs(value) < LARGEST for value in values)

    @cached_property
    def axes(self) -> NDArray[np.float64]:
        """(2, 2) rotation that takes vectors in the square's axes to the image's axes."""
        cos, sin = np.cos(self.roll_rad), np.sin(self.roll_rad)
        return np.array([[cos, -sin], [sin, cos]])


def letterbox_square(width_px: int, height_px: int) -> RotatedSquare:
    """The upright square around a whole image."""
    return RotatedSquare(
        center_x_px=width_px / 2,
        center_y_px=height_px / 2,
        side_px=float(max(width_px, height_px)),
        roll_rad=0.0,
    )


def crop_square(image: ImageArray, square: RotatedSquare, size: int) -> ImageArray:
    """Resamples a region of an image (H, W, 3) to (size, size, 3) uint8, black where the square leaves the image."""
    pixel = square.side_px / size
    linear = square.axes * pixel
    center = np.array([square.center_x_px, square.center_y_px])
    # Both sides of the map count from pixel centres, hence the halves.
    offset = center - 0.5 - linear @ np.full(2, (size - 1) / 2)
    matrix = np.column_stack([linear, offset])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(  # type: ignore[return-value]
        image, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_CONSTANT
    )


def crop_to_image(points: FloatArray, square: RotatedSquare) -> FloatArray:
    """Maps (N, 2) or (N, 3) crop coordinates to the image [px]; a third column is a depth, which only scales."""
    mapped = np.array(points, np.float32) * np.float32(square.side_px)
    center = np.array([square.center_x_px, square.center_y_px])
    plane = (points[:, :2] - 0.5) @ square.axes.T * square.side_px + center
    mapped[:, :2] = plane
    return mapped
