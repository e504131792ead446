"""Boxes against boxes: overlap, the greedy pairing of old with new, and the part that holds the body.

Boxes are x1, y1, x2, y2 [px]; N old and M new ones.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.packets import FloatArray

Box = NDArray[np.floating]
"""(4,)."""
Boxes = Sequence[Box] | FloatArray
"""(N, 4)."""

MIN_IOU = 0.3
"""Overlap at which a detection confirms a box."""
_CORE_LENGTH = 0.8
"""Of the box's side."""
_CORE_WIDTH = 0.4
"""Of the longer side: a body is no wider, however wide the box around its arms or circle is."""
_HULL_WIDTH = 0.5
"""Of the longer side."""


def iou_matrix(old: Boxes, new: Boxes) -> FloatArray:
    """(N, M) intersection over union; 0 where a box is empty."""
    first = np.asarray(old, np.float32).reshape(-1, 1, 4)
    second = np.asarray(new, np.float32).reshape(1, -1, 4)
    low = np.maximum(first[..., :2], second[..., :2])
    high = np.minimum(first[..., 2:], second[..., 2:])
    overlap = np.prod(np.maximum(high - low, 0.0), axis=-1)
    union = _areas(first) + _areas(second) - overlap
    iou: FloatArray = (overlap / np.maximum(union, 1e-6)).astype(np.float32)
    return iou


def greedy_pairs(scores: FloatArray, min_score: float) -> list[tuple[int, int]]:
    """Pairs rows with columns of `scores` (N, M), the highest first, each at most once, none below `min_score`.

    Returns:
        (row, column) pairs; with few people it differs from the optimal assignment only where
        people stand on each other.
    """
    pairs: list[tuple[int, int]] = []
    left = np.array(scores, np.float32)
    while left.size and float(left.max()) >= min_score:
        row, column = divmod(int(left.argmax()), left.shape[1])
        pairs.append((row, column))
        left[row], left[:, column] = -np.inf, -np.inf
    return pairs


def pair_boxes(old: Sequence[Box], new: Sequence[Box], reach_px: Sequence[float]) -> dict[int, int]:
    """Pairs N boxes of people with M detections: by overlap, then by nearness.

    `reach_px` (N) is how far a detection that hardly overlaps may lie; 0 for boxes that are certain. Returns row
    of `old` to row of `new`, for those that have a partner.
    """
    pairs = dict(greedy_pairs(iou_matrix(old, new), MIN_IOU))
    nearness = _nearness(old, new, reach_px)
    nearness[list(pairs), :] = -1.0
    nearness[:, list(pairs.values())] = -1.0
    return pairs | dict(greedy_pairs(nearness, 0.0))


def _nearness(old: Sequence[Box], new: Sequence[Box], reach_px: Sequence[float]) -> FloatArray:
    """(N, M) 1 on the same place, 0 at the reach; negative beyond it and for another size."""
    nearness = np.full((len(old), len(new)), -1.0, np.float32)
    for row, (last, reach) in enumerate(zip(old, reach_px, strict=True)):
        for column, box in enumerate(new):
            ratio = longer_side(box) / longer_side(last)
            if reach > 0 and 0.5 <= ratio <= 2.0:
                way_px = float(np.hypot(*(_middle(box) - _middle(last))))
                nearness[row, column] = 1.0 - way_px / reach
    return nearness


def core_of(box: Box) -> NDArray[np.float64]:
    """(4,) the middle of a box, where there is more body than background."""
    return _inner(box, _CORE_LENGTH, _CORE_WIDTH)


def hull_of(box: Box) -> NDArray[np.float64]:
    """(4,) where a body may hide what is behind it; less than the box if that is wide."""
    return _inner(box, 1.0, _HULL_WIDTH)


def _inner(box: Box, length: float, width: float) -> NDArray[np.float64]:
    size = np.asarray(box[2:] - box[:2], np.float64)
    half = 0.5 * np.minimum(length * size, [width * float(size.max()), np.inf])
    middle = _middle(box)
    return np.concatenate([middle - half, middle + half])


def _middle(box: Box) -> NDArray[np.float64]:
    return 0.5 * (np.asarray(box[:2], np.float64) + box[2:])


def longer_side(box: Box) -> float:
    """The larger of width and height, at least a pixel."""
    return max(float(np.max(box[2:] - box[:2])), 1.0)


def _areas(boxes: FloatArray) -> FloatArray:
    areas: FloatArray = np.prod(np.maximum(boxes[..., 2:] - boxes[..., :2], 0.0), axis=-1)
    return areas
