"""Where BlazePose looks: an upright-turned square about the hips, big enough for the whole body.

Both the detector and the landmark network predict two points for this: the middle of the hips and
a point on the circle around the whole body, above the head when the person stands (Bazarevsky et
al. 2020, sec. 2.1). The circle gives the size, the line between the points the roll.
"""

import math
from dataclasses import replace

from realtime_vibe.geometry.crop import RotatedSquare
from realtime_vibe.packets import FloatArray

_MARGIN = 1.25
"""Side of the square against the circle's diameter; the network was trained with it."""

_SLACK_WAY = 0.01
"""Of the side."""
_SLACK_GROWTH = 0.02
_SLACK_TURN_RAD = math.radians(1.5)
_STEP = 0.5
"""Of the slack: finer steps shake moving regions less, but two trackers meet later."""

_JUMP, _JUMP_PER_S = 0.03, 1.0
"""Of the side, which is some 2.2 m."""
_FROM_SIDE = 0.2
"""Of the side."""
_NARROWER = 0.9
_SAME_MIDDLE = 0.14
"""Of the smaller side."""


def region_from_alignment(hips_px: FloatArray, circle_px: FloatArray) -> RotatedSquare:
    """The square to run the landmark network on.

    Its own "up" points from the middle of the hips `hips_px` (2,) to `circle_px` (2,), a point on the circle
    around the body in the direction of the head. Equal points give a square of size zero, which `is_usable`
    refuses.
    """
    dx = float(circle_px[0] - hips_px[0])
    dy = float(circle_px[1] - hips_px[1])
    return RotatedSquare(
        center_x_px=float(hips_px[0]),
        center_y_px=float(hips_px[1]),
        side_px=2.0 * _MARGIN * math.hypot(dx, dy),
        roll_rad=math.atan2(dx, -dy),
    )


def steadied(last: RotatedSquare, wanted: RotatedSquare) -> RotatedSquare:
    """Hysteresis: the last region while what its landmarks ask for lies within a slack of it, else the grid's nearest.

    Landmarks set the next region and the region shifts the next landmarks, a loop that never comes to
    rest by itself: on one picture shown again and again the landmarks keep wandering. With some slack
    they stand still: the landmarks of a held picture wander a third as much, and those of moving people
    are as exact as before. With twice the slack they are not.

    Without a grid two trackers that see the same film never agree again, as the loop enlarges what little they
    differ by; on it they soon meet, and then see the same.
    """
    way_px = distance_px(wanted, last)
    is_within = (
        way_px <= _SLACK_WAY * last.side_px
        and abs(math.log(wanted.side_px / last.side_px)) <= _SLACK_GROWTH
        and abs(math.remainder(wanted.roll_rad - last.roll_rad, math.tau)) <= _SLACK_TURN_RAD
    )
    return last if is_within else on_grid(wanted)


def on_grid(region: RotatedSquare) -> RotatedSquare:
    """The nearest of a grid of regions whose steps are `_STEP` of the slack of `steadied`."""
    side_px = math.exp(_nearest(math.log(region.side_px), _STEP * _SLACK_GROWTH))
    step_px = _STEP * _SLACK_WAY * side_px
    return RotatedSquare(
        center_x_px=_nearest(region.center_x_px, step_px),
        center_y_px=_nearest(region.center_y_px, step_px),
        side_px=side_px,
        roll_rad=_nearest(region.roll_rad, _STEP * _SLACK_TURN_RAD),
    )


def _nearest(value: float, step: float) -> float:
    """The nearest multiple of a step."""
    return round(value / step) * step


def narrowed(region: RotatedSquare) -> RotatedSquare:
    """A region to look at once more, as what was seen in this one is no body."""
    return replace(region, side_px=_NARROWER * region.side_px)


def distance_px(region: RotatedSquare, other: RotatedSquare) -> float:
    """From middle to middle [px]."""
    return math.hypot(
        region.center_x_px - other.center_x_px, region.center_y_px - other.center_y_px
    )


def is_near(candidate: RotatedSquare, last: RotatedSquare, gap_s: float) -> bool:
    """Whether a region found now can be the person that was last seen in `last`, `gap_s` ago [s].

    The side is about 1.25 body heights, so the allowed way is some 0.5 m plus 2 m/s.
    """
    way_px = distance_px(candidate, last)
    size_ratio = candidate.side_px / last.side_px
    return way_px <= last.side_px * (0.25 + gap_s) and 0.5 <= size_ratio <= 2.0


def is_well_inside(region: RotatedSquare, width_px: int) -> bool:
    """Whether who is lost in a picture so wide was too far from its sides, some 0.4 m, to have walked out."""
    margin_px = _FROM_SIDE * region.side_px
    return margin_px < region.center_x_px < width_px - margin_px


def has_jumped(region: RotatedSquare, last: RotatedSquare, gap_s: float) -> bool:
    """Whether a followed region moved faster since the last frame, `gap_s` ago, than a body does: 0.07 m and 2 m/s."""
    way_px = distance_px(region, last)
    return way_px > last.side_px * (_JUMP + _JUMP_PER_S * gap_s)


def is_on(candidate: RotatedSquare, person: RotatedSquare) -> bool:
    """Whether a detector's region and a followed one have the same middle, hence the same body.

    The allowed way is some 0.3 m; people who stand shoulder to shoulder are half a metre apart.
    """
    way_px = distance_px(candidate, person)
    return way_px <= _SAME_MIDDLE * min(candidate.side_px, person.side_px)
