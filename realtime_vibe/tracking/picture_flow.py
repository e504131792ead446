"""Moves boxes along with what is seen in them: median flow (Kalal et al. 2010, "Forward-Backward Error").

A grid of points in the core of each box is tracked to the next picture and back. Points that do not
return to where they started are dropped; the median of the others moves the box, and the median
change of the distances between them scales it.

Legend: B boxes, N points. Boxes are (4,) x1, y1, x2, y2 [px].
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_vibe.packets import FloatArray, ImageArray
from realtime_vibe.tracking.boxes import core_of

LONGEST_SIDE_PX = 320
"""Pictures are scaled down to this: people are large, and the flow's cost is their area."""
_WINDOW = (15, 15)
_LEVELS = 3
_GRID = 9
"""Points along each side of a core."""
_MAX_RETURN_ERROR_PX = 1.0
"""In the small picture."""
_MAX_DIFFERENCE = 30.0
"""Mean difference of the windows around a point before and after [grey levels]."""
_MIN_POINTS = 12
_MAX_SPREAD = 0.1
"""Typical deviation from the median move, in box diagonals: beyond it the points have lost their hold."""
_MAX_SCALING = 1.1
"""Of one frame; larger changes are points that moved against each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxMove:
    """How what is seen in a box moved from the last picture to this one."""

    shift_px: NDArray[np.float64]
    """(2,)."""
    scaling: float
    """Size now against size before."""


class PictureFlow:
    """Remembers the last picture and says how boxes in it moved."""

    def __init__(self) -> None:
        self._pyramid: Sequence[NDArray[np.uint8]] | None = None
        self._size = (0, 0)

    def reset(self) -> None:
        """Forgets the last picture."""
        self._pyramid = None

    def advance(
        self, image_bgr: ImageArray, boxes: Sequence[FloatArray]
    ) -> tuple[BoxMove | None, ...]:
        """Takes the next picture.

        Args:
            image_bgr: (H, W, 3).
            boxes: B boxes in the last picture.

        Returns:
            For each box its move, or None where it cannot be seen: there is no last picture of this
            size, the points do not agree, or all of them lie on other boxes as well.
        """
        last, last_size = self._pyramid, self._size
        height, width = image_bgr.shape[:2]
        scale = min(1.0, LONGEST_SIDE_PX / max(height, width))
        self._pyramid, self._size = _pyramid(image_bgr, scale), (width, height)
        if last is None or last_size != self._size or not boxes:
            return (None,) * len(boxes)
        points = [_points(index, boxes) * scale for index in range(len(boxes))]
        counts = [len(own) for own in points]
        if not sum(counts):
            return (None,) * len(boxes)
        before = np.concatenate(points).astype(np.float32)
        after, is_good, error = _track(last, self._pyramid, before)
        ends = np.cumsum(counts)[:-1]
        parts = zip(
            boxes,
            np.split(before, ends),
            np.split(after, ends),
            np.split(is_good, ends),
            np.split(error, ends),
            strict=True,
        )
        return tuple(
            _move(old, new, good, wander, float(np.hypot(*(box[2:] - box[:2]))) * scale, scale)
            for box, old, new, good, wander in parts
        )


def _pyramid(image_bgr: ImageArray, scale: float) -> Sequence[NDArray[np.uint8]]:
    grey = cv2.cvtColor(image_bgr, cv2.COLOR_BGR2GRAY)
    if scale < 1.0:
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    _, levels = cv2.buildOpticalFlowPyramid(grey, _WINDOW, _LEVELS)
    return levels  # type: ignore[return-value]  # the stubs know no types of elements


def _points(index: int, boxes: Sequence[FloatArray]) -> NDArray[np.float64]:
    """(N, 2) a grid in the core of one box, without what may show somebody else."""
    x1, y1, x2, y2 = core_of(boxes[index])
    x, y = np.meshgrid(np.linspace(x1, x2, _GRID), np.linspace(y1, y2, _GRID))
    grid = np.stack([x.reshape(-1), y.reshape(-1)], axis=1)
    for other, box in enumerate(boxes):
        if other != index:
            core = core_of(box)
            grid = grid[~((grid >= core[:2]) & (grid <= core[2:])).all(axis=1)]
    return grid


def _track(
    last: Sequence[NDArray[np.uint8]], present: Sequence[NDArray[np.uint8]], before: FloatArray
) -> tuple[FloatArray, NDArray[np.bool_], FloatArray]:
    """Where (N, 2) points went, which of them can be trusted, and how far from home they came back."""
    flow: Any = cv2.calcOpticalFlowPyrLK  # its stubs know no pyramids
    after, found, difference = flow(
        last, present, before[:, None], None, winSize=_WINDOW, maxLevel=_LEVELS
    )
    home, found_home, _ = flow(present, last, after, None, winSize=_WINDOW, maxLevel=_LEVELS)
    error = np.linalg.norm(home[:, 0] - before, axis=1)
    is_good = (found[:, 0] > 0) & (found_home[:, 0] > 0) & (difference[:, 0] < _MAX_DIFFERENCE)
    is_good &= error < _MAX_RETURN_ERROR_PX
    return after[:, 0], is_good, error


def _move(
    before: FloatArray,
    after: FloatArray,
    is_good: NDArray[np.bool_],
    error: FloatArray,
    diagonal_px: float,
    scale: float,
) -> BoxMove | None:
    if np.count_nonzero(is_good) < _MIN_POINTS:
        return None
    # The better half, as in the paper: outliers return less exactly.
    is_good = is_good & (error <= np.median(error[is_good]))
    if np.count_nonzero(is_good) < _MIN_POINTS // 2:
        return None
    old, new = before[is_good].astype(np.float64), after[is_good].astype(np.float64)
    shift = np.median(new - old, axis=0)
    spread = float(np.median(np.linalg.norm(new - old - shift, axis=1)))
    if spread > _MAX_SPREAD * diagonal_px:
        return None
    return BoxMove(shift_px=shift / scale, scaling=_scaling(old, new))


def _scaling(old: NDArray[np.float64], new: NDArray[np.float64]) -> float:
    """Median change of the distances between all pairs of points."""
    first, second = np.triu_indices(len(old), 1)
    old_px = np.linalg.norm(old[first] - old[second], axis=1)
    new_px = np.linalg.norm(new[first] - new[second], axis=1)
    ratio = float(np.median(new_px / np.maximum(old_px, 1e-6)))
    return min(max(ratio, 1.0 / _MAX_SCALING), _MAX_SCALING)
