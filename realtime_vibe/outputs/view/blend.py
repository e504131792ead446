"""A drawn mesh laid over a picture: colour, transparency, soft edge and outline."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_vibe.outputs.view.raster import ShadedRegion
from realtime_vibe.outputs.view.shading import Color, color_ramp
from realtime_vibe.packets import ImageArray

_OUTLINE_BGR = (40, 24, 16)
_OUTLINE_STRENGTH = 0.75


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshStyle:
    """How a mesh is laid over a picture."""

    color: Color
    """Base colour (blue, green, red)."""
    opacity: float
    """0 leaves the picture as it is, 1 hides it behind the mesh."""
    outline_px: int
    """Width of the dark rim around the silhouette [px]; 0 draws none."""


def blend_mesh(image: ImageArray, region: ShadedRegion, style: MeshStyle) -> None:
    """Draws `region` into `image` (H, W, 3) in place; an empty region changes nothing."""
    if region.is_empty:
        return
    margin = style.outline_px + 1
    rows, columns, inner = _padded_window(image, region, margin)
    target = image[rows, columns]
    mask = np.zeros(target.shape[:2], np.uint8)
    mask[inner] = region.mask
    shade = np.zeros(target.shape[:2], np.uint8)
    shade[inner] = region.shade

    # Pixels just outside the silhouette take their neighbours' brightness: the soft edge needs it.
    spread = np.asarray(cv2.dilate(shade, np.ones((3, 3), np.uint8)), np.uint8)
    np.copyto(spread, shade, where=mask > 0)
    colored = np.asarray(cv2.applyColorMap(spread, color_ramp(style.color)[:, None]), np.uint8)
    blended = _mix(target, colored, _soft(mask) * np.float32(style.opacity))
    if style.outline_px > 0:
        rim = np.asarray(cv2.dilate(mask, _disc(style.outline_px)), np.uint8) - mask
        colored[:] = _OUTLINE_BGR
        blended = _mix(blended, colored, _soft(rim) * np.float32(_OUTLINE_STRENGTH))
    target[:] = blended


def _padded_window(
    image: ImageArray, region: ShadedRegion, margin: int
) -> tuple[slice, slice, tuple[slice, slice]]:
    """Rows and columns of `image` around the region, and the region's place inside them."""
    height, width = region.mask.shape
    top, left = max(region.y - margin, 0), max(region.x - margin, 0)
    bottom = min(region.y + height + margin, image.shape[0])
    right = min(region.x + width + margin, image.shape[1])
    y, x = region.y - top, region.x - left
    return slice(top, bottom), slice(left, right), (slice(y, y + height), slice(x, x + width))


def _soft(mask: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A 0/1 mask with its staircase smoothed over one pixel."""
    return np.asarray(cv2.GaussianBlur(mask.astype(np.float32), (3, 3), 0.6), np.float32)


def _mix(below: ImageArray, above: ImageArray, opacity: NDArray[np.float32]) -> ImageArray:
    return np.asarray(cv2.blendLinear(above, below, opacity, 1.0 - opacity), np.uint8)


def _disc(radius_px: int) -> NDArray[np.uint8]:
    size = 2 * radius_px + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8)
