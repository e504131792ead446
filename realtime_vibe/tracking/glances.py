"""Where a detector looks: at the whole picture, and in turn at parts of it, in which small people are large enough.

A detector that is shown 224 x 224 pixels finds hardly anybody smaller than a third of the picture's shorter side, and
everybody whose height is a third to three quarters of the side of what it is shown, with scores of 0.94 and more.
Looking at a part costs about what the whole picture costs and takes its turn; beside people who are followed it comes
between two looks at the whole.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from realtime_vibe.geometry.crop import RotatedSquare
from realtime_vibe.packets import FloatArray, ImageArray
from realtime_vibe.tracking.base import DetectedPerson, PersonDetector
from realtime_vibe.tracking.scene_cut import small_grey

_SMALL = 0.35
"""Regions below this share of a picture's longer side are too small for a detector that is shown all of it."""
_SIDES = (1.0, 0.5)
"""Of the picture's shorter side; people of 17 % of it are a third of the smallest part."""
_STEP = 0.5
"""Most from part to part, in sides: who is half a part high lies within one."""
_LEAST_SIDE_PX = 96
_AROUND = 1.6
"""Side of the part around somebody who is in doubt, in sides of the region: two body heights."""
_LOOKS_IN_VAIN = 8
"""At the whole picture, before parts are looked at: who is large is found first."""
_MIN_SCORE = 0.7
"""Of a detection in a part: there is more in the world that looks like somebody small."""
_CELLS = (64, 36)
_CHANGED = 8.0
"""Grey levels by which a cell of a small picture moves only with what it shows."""
_HURRY = 500.0
"""A part all of which has changed comes before one that has waited for so many looks more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A rectangle of a picture [px]."""

    x_px: int
    y_px: int
    width_px: int
    height_px: int

    @property
    def corners(self) -> tuple[int, int, int, int]:
        """x0, y0, x1, y1 [px]."""
        return self.x_px, self.y_px, self.x_px + self.width_px, self.y_px + self.height_px

    def shows(self, region: RotatedSquare) -> bool:
        """Whether a body in a region is large enough here to be found, and inside."""
        x, y = region.center_x_px - self.x_px, region.center_y_px - self.y_px
        is_inside = 0.0 <= x <= self.width_px and 0.0 <= y <= self.height_px
        return is_inside and region.side_px >= _SMALL * max(self.width_px, self.height_px)


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """What a detector found in what it was shown; positions are the whole picture's."""

    found: tuple[DetectedPerson, ...]
    shown: Part
    is_whole: bool = True


class Glances:
    """Chooses what a detector is shown in one frame after the other."""

    def __init__(self, detector: PersonDetector) -> None:
        self._detector = detector
        self._parts: list[Part] = []
        self._whole = Part(x_px=0, y_px=0, width_px=0, height_px=0)
        self._waited = np.zeros(0, np.int64)
        """Looks at parts since each was looked at."""
        self._seen: list[FloatArray] = []
        """What each part's picture was then."""
        self._looks_in_vain = 0
        self._turn = 0
        self._was_part = False

    def look(
        self,
        image_bgr: ImageArray,
        doubts: Sequence[RotatedSquare],
        known: Sequence[FloatArray],
        *,
        has_place: bool,
    ) -> Glance:
        """Runs the detector once, every other time on a part if there is a reason.

        Args:
            image_bgr: (H, W, 3).
            doubts: regions of people about whom it is asked.
            known: boxes (4,) [px] of people who are followed: what is found in parts of them is no other.
            has_place: whether newcomers who are small are wanted.
        """
        height, width = image_bgr.shape[:2]
        if (self._whole.width_px, self._whole.height_px) != (width, height):
            self._whole = Part(x_px=0, y_px=0, width_px=width, height_px=height)
            self._parts = _parts(width, height)
            self._waited = np.zeros(len(self._parts), np.int64)
            self._seen = [small_grey(image_bgr, _CELLS)] * len(self._parts)
        small = [region for region in doubts if self.is_small(region)]
        is_due = has_place and bool(known or self._looks_in_vain >= _LOOKS_IN_VAIN)
        part = self._whole
        if small and not self._was_part:
            self._turn += 1
            part = _around(small[self._turn % len(small)], self._whole)
        elif is_due and self._parts and not self._was_part:
            part = self._parts[self._most_urgent(image_bgr, known)]
        self._was_part = part != self._whole
        if not self._was_part:
            self._looks_in_vain = 0 if known else self._looks_in_vain + 1
            return Glance(found=self._detector.detect(image_bgr), shown=part)
        x0, y0, x1, y1 = part.corners
        cut = np.ascontiguousarray(image_bgr[y0:y1, x0:x1])
        found = tuple(
            _moved(one, x0, y0) for one in self._detector.detect(cut) if one.score >= _MIN_SCORE
        )
        others = tuple(one for one in found if not any(_is_in(one.region, box) for box in known))
        return Glance(found=others, shown=part, is_whole=False)

    def is_small(self, region: RotatedSquare) -> bool:
        """Whether nobody in a region would be found in the whole of the last picture."""
        return region.side_px < _SMALL * max(self._whole.width_px, self._whole.height_px)

    def reset(self) -> None:
        """Begins with the whole picture again, as for another source."""
        self._looks_in_vain, self._was_part = 0, False

    def close(self) -> None:
        """Frees the detector; may be called twice."""
        self._detector.close()

    def _most_urgent(self, image_bgr: ImageArray, known: Sequence[FloatArray]) -> int:
        """The part that waited longest; sooner what has changed since, but for people who are known."""
        now = small_grey(image_bgr, _CELLS)
        moving = np.ones(now.shape, np.bool_)
        for box in known:
            moving[self._in_cells(*box.tolist())] = False
        self._waited += 1
        changes = [
            float(((np.abs(now - seen) > _CHANGED) & moving)[self._in_cells(*part.corners)].mean())
            for part, seen in zip(self._parts, self._seen, strict=True)
        ]
        first = int(np.argmax(self._waited + _HURRY * np.array(changes)))
        self._waited[first], self._seen[first] = 0, now
        return first

    def _in_cells(self, x0: float, y0: float, x1: float, y1: float) -> tuple[slice, slice]:
        """Rows and columns of the cells that a box [px] touches."""
        ends = [
            slice(
                max(math.floor(low * cells / length), 0), max(math.ceil(high * cells / length), 0)
            )
            for low, high, cells, length in (
                (y0, y1, _CELLS[1], self._whole.height_px),
                (x0, x1, _CELLS[0], self._whole.width_px),
            )
        ]
        return ends[0], ends[1]


def _parts(width_px: int, height_px: int) -> list[Part]:
    """Overlapping squares of all sizes; none as large as the picture."""
    shorter = min(width_px, height_px)
    sides = [round(share * shorter) for share in _SIDES]
    return [
        Part(x_px=x, y_px=y, width_px=side, height_px=side)
        for side in sides
        if _LEAST_SIDE_PX <= side < max(width_px, height_px)
        for y in _starts(height_px, side)
        for x in _starts(width_px, side)
    ]


def _starts(length_px: int, side_px: int) -> list[int]:
    rest = length_px - side_px
    count = int(np.ceil(rest / (_STEP * side_px)))
    return [round(rest * index / max(count, 1)) for index in range(count + 1)]


def _around(region: RotatedSquare, whole: Part) -> Part:
    """The square about a region, moved into the picture as far as it goes."""
    side = max(round(_AROUND * region.side_px), _LEAST_SIDE_PX)
    width, height = min(side, whole.width_px), min(side, whole.height_px)
    x = min(max(round(region.center_x_px - 0.5 * width), 0), whole.width_px - width)
    y = min(max(round(region.center_y_px - 0.5 * height), 0), whole.height_px - height)
    return Part(x_px=x, y_px=y, width_px=width, height_px=height)


def _moved(found: DetectedPerson, x_px: int, y_px: int) -> DetectedPerson:
    region = replace(
        found.region,
        center_x_px=found.region.center_x_px + x_px,
        center_y_px=found.region.center_y_px + y_px,
    )
    way = np.array([x_px, y_px, x_px, y_px], np.float32)
    return replace(found, bbox_xyxy=found.bbox_xyxy + way, region=region)


def _is_in(region: RotatedSquare, box: FloatArray) -> bool:
    x, y = region.center_x_px, region.center_y_px
    return bool(box[0] <= x <= box[2] and box[1] <= y <= box[3])
