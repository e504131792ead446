"""Boxes around people: `xyxy` corners and squares, in pixels of the full image."""

from typing import NamedTuple

from realtime_vibe.packets import FloatArray

CROP_SCALE = 1.1
"""How much larger than the person the square crop is (Kocabas et al. 2020 use the same)."""


class SquareBox(NamedTuple):
    """An axis-aligned square."""

    center_x: float
    """[px]."""
    center_y: float
    """[px]."""
    side: float
    """[px]."""


def square_of_bbox(bbox_xyxy: FloatArray, scale: float = CROP_SCALE) -> SquareBox:
    """The square of the box's longer side times `scale`, on the same centre; at least 1 px.

    Args:
        bbox_xyxy: (4,) left, top, right, bottom in the whole picture [px].
        scale: margin, 1 for none.
    """
    x0, y0, x1, y1 = (float(value) for value in bbox_xyxy)
    side = max(x1 - x0, y1 - y0, 1.0) * scale
    return SquareBox(0.5 * (x0 + x1), 0.5 * (y0 + y1), side)
