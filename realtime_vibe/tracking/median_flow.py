"""Moves boxes along with what is seen in them: median flow (Kalal et al. 2010, "Forward-Backward Error").

A grid of points in the core of each box is tracked to the next picture and back. Points that do not
return to where they started are dropped; the median of the others moves the box, and the median
change of the distances between them scales it.

Legend: B boxes, N points. Boxes are (4,) x1, y1, x2, y2 [px].
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_vibe.packets import FloatArray, ImageArray
from realtime_vibe.tracking.boxes import core_of, hull_of

GreyArray = NDArray[np.uint8]
"""(H, W)."""

LONGEST_SIDE_PX = 320
"""Pictures are scaled down to this: people are large, and the flow's cost is their area."""
_WINDOW = (11, 11)
_LEVELS = 3
_GRID = 8
"""Points along each side of a core."""
_MAX_RETURN_ERROR_PX = 1.0
"""In the small picture."""
_MAX_DIFFERENCE = 30.0
"""Mean difference of the windows around a point before and after [grey levels]."""
_MIN_POINTS = 12
_RING_SIZE = 1.2
"""Of the box's size."""
_RING_POINTS = 8
"""On each of three sides; below stands the ground, or the picture ends."""
_MIN_RING_POINTS = 6
_BACKGROUND_PX = 0.5
"""What moves so much like the surroundings is taken for background; in the small picture."""
_MIN_BODY_SHARE = 0.25
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


class _Trace(NamedTuple):
    """Points that were found again; in the small picture [px]."""

    old: NDArray[np.float64]
    """(N, 2)."""
    new: NDArray[np.float64]
    """(N, 2)."""
    error: NDArray[np.floating]
    """(N,) how far from home they came back."""

    def of(self, chosen: NDArray[np.bool_]) -> "_Trace":
        """Some of the points."""
        return _Trace(self.old[chosen], self.new[chosen], self.error[chosen])


class MedianFlow:
    """Remembers the last picture and says how boxes in it moved."""

    def __init__(self) -> None:
        self._last: GreyArray | None = None

    def reset(self) -> None:
        """Forgets the last picture."""
        self._last = None

    def advance(
        self, image_bgr: ImageArray, boxes: Sequence[FloatArray]
    ) -> tuple[BoxMove | None, ...]:
        """Takes the next picture.

        Returns:
            For each box its move, or None where it cannot be seen: there is no last picture of this
            size, the points do not agree, or all of them lie on other boxes as well.
        """
        last, scale = self._last, min(1.0, LONGEST_SIDE_PX / max(image_bgr.shape[:2]))
        present = self._last = _small_grey(image_bgr, scale)
        if last is None or last.shape != present.shape or not boxes:
            return (None,) * len(boxes)
        grids = [_points(index, boxes) * scale for index in range(len(boxes))]
        rings = [_ring(box) * scale for box in boxes]
        ends = np.cumsum([len(points) for points in (*grids, *rings)])[:-1]
        traces = _track(last, present, np.concatenate([*grids, *rings]).astype(np.float32), ends)
        diagonals_px = [float(np.hypot(*(box[2:] - box[:2]))) * scale for box in boxes]
        return tuple(
            _move(own, around, diagonal_px, scale)
            for own, around, diagonal_px in zip(
                traces[: len(boxes)], traces[len(boxes) :], diagonals_px, strict=True
            )
        )


def _small_grey(image_bgr: ImageArray, scale: float) -> GreyArray:
    grey = cv2.cvtColor(image_bgr, cv2.COLOR_BGR2GRAY)
    if scale < 1.0:
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(grey, np.uint8)


def _points(index: int, boxes: Sequence[FloatArray]) -> NDArray[np.float64]:
    """(N, 2) a grid in the core of one box, without what may show somebody else."""
    x1, y1, x2, y2 = core_of(boxes[index])
    x, y = np.meshgrid(np.linspace(x1, x2, _GRID), np.linspace(y1, y2, _GRID))
    grid = np.stack([x.reshape(-1), y.reshape(-1)], axis=1)
    for other, box in enumerate(boxes):
        if other != index:
            hull = hull_of(box)
            grid = grid[~((grid >= hull[:2]) & (grid <= hull[2:])).all(axis=1)]
    return grid


def _ring(box: FloatArray) -> NDArray[np.float64]:
    """(N, 2) points around a box, where the background is."""
    middle, reach = 0.5 * (box[:2] + box[2:]), 0.5 * _RING_SIZE * (box[2:] - box[:2])
    line = np.linspace(-1.0, 1.0, _RING_POINTS)
    one = np.ones(_RING_POINTS)
    sides = np.concatenate(
        [np.stack(side, axis=1) for side in ((line, -one), (-one, line), (one, line))]
    )
    return np.asarray(middle + sides * reach, np.float64)


def _track(
    last: GreyArray, present: GreyArray, before: FloatArray, ends: NDArray[np.intp]
) -> list[_Trace]:
    """Follows (N, 2) points to the present picture and back; a trace of each group's trusted points."""
    flow: Any = cv2.calcOpticalFlowPyrLK  # its stubs do not let the start be left out
    after, found, difference = flow(
        last, present, before[:, None], None, winSize=_WINDOW, maxLevel=_LEVELS
    )
    home, found_home, _ = flow(present, last, after, None, winSize=_WINDOW, maxLevel=_LEVELS)
    error = np.linalg.norm(home[:, 0] - before, axis=1)
    size = np.array(last.shape[::-1])
    is_good = (found[:, 0] > 0) & (found_home[:, 0] > 0) & (difference[:, 0] < _MAX_DIFFERENCE)
    is_good &= (error < _MAX_RETURN_ERROR_PX) & ((before >= 0) & (before < size)).all(axis=1)
    return [
        _Trace(old[good].astype(np.float64), new[good].astype(np.float64), wander[good])
        for old, new, wander, good in zip(
            np.split(before, ends),
            np.split(after[:, 0], ends),
            np.split(error, ends),
            np.split(is_good, ends),
            strict=True,
        )
    ]


def _move(own: _Trace, around: _Trace, diagonal_px: float, scale: float) -> BoxMove | None:
    if len(own.old) < _MIN_POINTS:
        return None
    own = _without_background(own, around)
    # The better half, as in the paper: outliers return less exactly.
    own = own.of(own.error <= np.median(own.error))
    shifts = own.new - own.old
    shift = np.median(shifts, axis=0)
    if float(np.median(np.linalg.norm(shifts - shift, axis=1))) > _MAX_SPREAD * diagonal_px:
        return None
    return BoxMove(shift_px=shift / scale, scaling=_scaling(own.old, own.new))


def _without_background(own: _Trace, around: _Trace) -> _Trace:
    """Leaves out points that move as the surroundings do, if enough others are left.

    Where somebody walks past a wall the wall has the better texture, and the median would stay with it.
    """
    if len(around.old) < _MIN_RING_POINTS:
        return own
    background = np.median(around.new - around.old, axis=0)
    is_body = np.linalg.norm(own.new - own.old - background, axis=1) > _BACKGROUND_PX
    if np.count_nonzero(is_body) < max(_MIN_POINTS, _MIN_BODY_SHARE * len(own.old)):
        return own
    return own.of(is_body)


def _scaling(old: NDArray[np.float64], new: NDArray[np.float64]) -> float:
    """Half of the median change of the distances between all pairs of points.

    Swinging limbs let a body seem to pulse: half of it halves the shaking of the crop and fits as well.
    """
    first, second = np.triu_indices(len(old), 1)
    old_px = np.linalg.norm(old[first] - old[second], axis=1)
    new_px = np.linalg.norm(new[first] - new[second], axis=1)
    ratio = float(np.median(new_px / np.maximum(old_px, 1e-6)))
    return math.sqrt(min(max(ratio, 1.0 / _MAX_SCALING), _MAX_SCALING))
