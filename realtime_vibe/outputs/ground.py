"""Where the floor is and where to look, both steady over time."""

import math
from dataclasses import replace
from functools import cache

import numpy as np

from realtime_vibe.geometry.axes import R_WORLD_CAMERA, T_WORLD_CAMERA
from realtime_vibe.packets import FloatArray, FrameResult, PersonResult

FALL_S = 0.08
"""Time constant when somebody reaches below the floor: feet must not sink in [s]."""
RISE_S, RESTED_S = 3.0, 0.3
"""Time constants when the lowest point is above the floor [s]: a jump must show as a jump, but who has come to rest
there stands on something.

A floor that is younger than the first rises within its age: who comes in is rarely placed well in the first frames.
"""
_RESTS_M_S, _SPEED_S = 0.15, 0.1
"""A lowest point that moves slower is at rest, by a low-pass of this time [s]; that of a jump never is."""
FOLLOW_S = 0.5
"""Time constant of the point looked at [s]."""
_LAG_M = 0.2
"""A point so far behind follows twice as fast: whoever walks stays in the picture."""
JUMP_M = 2.5
"""A target this far off is cut to: the estimate of a distant person's depth can leap [m]."""
_JUMP_S = 1.0
"""After a gap this long, or when time runs back, everything starts afresh [s]."""

_UNSEEN_S = 0.8
"""Who shows no feet for so long, as somebody who came close, stands on what the resting legs stand on [s]."""
_ANKLES, _SEEN = (27, 28), 0.5
"""Landmarks, and the visibility from which they are believed."""


def smoothing_share(dt_s: float, time_constant_s: float) -> float:
    """Share in [0, 1] of the new value in a first-order low-pass; 1 means take it as it is."""
    if not 0.0 <= dt_s < _JUMP_S:
        return 1.0
    return 1.0 - math.exp(-dt_s / time_constant_s)


class GroundLevel:
    """Floor height below the feet that are in view, quick to go down and slow to come up.

    Who was not there before stands on a floor of their own. y is that of the OpenCV camera frame: larger is
    lower.
    """

    def __init__(self) -> None:
        self.level_m = math.nan
        """Y of the floor [m]; NaN before the first `update`."""
        self._last_s = math.nan
        self._since_s = math.nan
        self._lowest_m = self._speed_m_s = math.nan
        self._feet_seen_s = -math.inf
        self._of: frozenset[int] = frozenset()
        self._is_guess = False

    @property
    def is_known(self) -> bool:
        """Whether anybody was seen yet."""
        return math.isfinite(self.level_m)

    def follow(self, result: FrameResult) -> None:
        """Takes in everybody in view whose feet are in the picture; others until somebody's are."""
        ids = frozenset(person.person.track_id for person in result.people)
        if not ids & self._of:
            self.level_m, self._feet_seen_s = math.nan, -math.inf
        self._of = ids
        height_px = result.frame.image_bgr.shape[0]
        now_s = result.frame.captured_at_s
        standing = [person for person in result.people if feet_are_in_view(person, height_px)]
        people = standing or result.people
        if people and self.counts(now_s, feet_are_seen=bool(standing)):
            lowest_m = max(float(person.mesh.vertices[:, 1].max()) for person in people)
            self.update(lowest_m, now_s)

    def counts(self, now_s: float, *, feet_are_seen: bool) -> bool:
        """Whether the lowest point of a frame at `now_s` [s] tells the floor: feet in view, or none for a while.

        Legs that have just left the picture are guessed badly; later they rest, with the floor right below them.
        """
        were_unseen = not 0.0 <= now_s - self._feet_seen_s < _UNSEEN_S
        self._is_guess = were_unseen and not feet_are_seen
        if feet_are_seen:
            if were_unseen:
                self._since_s = now_s  # a floor below guessed feet is worth nothing
            self._feet_seen_s = now_s
        return feet_are_seen or self._is_guess or not self.is_known

    def update(self, lowest_m: float, now_s: float) -> float:
        """Takes in the lowest vertex (largest y [m]) at `now_s` [s] and returns the floor's y."""
        if math.isfinite(lowest_m):
            dt_s = now_s - self._last_s if self.is_known else math.inf
            if not 0.0 <= dt_s < _JUMP_S:
                self._since_s = now_s
                self._speed_m_s = 2.0 * _RESTS_M_S
            elif dt_s > 0.0:
                speed_m_s = abs(lowest_m - self._lowest_m) / dt_s
                self._speed_m_s += smoothing_share(dt_s, _SPEED_S) * (speed_m_s - self._speed_m_s)
            self._lowest_m = lowest_m
            slowest_s = RESTED_S if self._speed_m_s < _RESTS_M_S else RISE_S
            age_s = 0.0 if self._is_guess else now_s - self._since_s
            rise_s = min(max(age_s, FALL_S), slowest_s)
            share = smoothing_share(dt_s, FALL_S if lowest_m > self.level_m else rise_s)
            self.level_m = (
                lowest_m if share == 1.0 else (self.level_m + share * (lowest_m - self.level_m))
            )
            self._last_s = now_s
        return self.level_m

    def move(self, down_m: float) -> None:
        """Moves the floor with the world's axes, which turned."""
        self.level_m += down_m
        self._lowest_m += down_m


def feet_are_in_view(person: PersonResult, height_px: float = math.inf) -> bool:
    """Whether an ankle, or without landmarks the lower edge of the box, lies inside a picture so high and is seen."""
    marks = person.person.landmarks
    if marks is None:
        return bool(person.person.bbox_xyxy[3] < height_px)
    ankles = list(_ANKLES)
    is_inside = marks.image_px[ankles, 1] < height_px
    return bool((is_inside & (marks.visibility[ankles] > _SEEN)).any())


class LevelView:
    """Shows results in a level camera's frame: x right, y along gravity, z forward [m].

    While the estimate of the vertical still turns, the world turns about the people and not about the camera,
    which would lift somebody far away by a metre.
    """

    def __init__(self) -> None:
        self._rotation: FloatArray = np.eye(3, dtype=np.float32)
        self._shift: FloatArray = np.zeros(3, np.float32)

    def of(self, result: FrameResult) -> FrameResult:
        """The result with its bodies in the level frame; landmarks and parameters stay as they were."""
        world = T_WORLD_CAMERA if result.T_world_camera is None else result.T_world_camera
        rotation = np.asarray(R_WORLD_CAMERA.T @ world[:3, :3], np.float32)
        if result.people:
            pelvis = np.mean([person.mesh.joints[0] for person in result.people], axis=0)
            self._shift = self._shift + (self._rotation - rotation) @ pelvis
            self._rotation = rotation
        if not self._shift.any() and np.array_equal(self._rotation, np.eye(3)):
            return result
        return replace(
            result,
            people=tuple(self._turned(person) for person in result.people),
            held=tuple(replace(held, last=self._turned(held.last)) for held in result.held),
        )

    def _turned(self, person: PersonResult) -> PersonResult:
        mesh, rotation, shift = person.mesh, self._rotation, self._shift

        @cache
        def skin() -> FloatArray:
            return np.asarray(mesh.vertices @ rotation.T + shift, np.float32)

        joints = np.asarray(mesh.joints @ rotation.T + shift, np.float32)
        return replace(person, mesh=replace(mesh, skin=skin, joints=joints))


class SteadyPoint:
    """A point that follows another one smoothly."""

    def __init__(self) -> None:
        self._value: FloatArray | None = None
        self._last_s = math.nan

    def update(self, value: FloatArray, now_s: float) -> FloatArray:
        """Takes in `value` (N,) at `now_s` [s] and returns the smoothed one."""
        if self._value is None or float(np.abs(value - self._value).max()) > JUMP_M:
            self._value = value.astype(np.float32)
        else:
            lag_m = float(np.abs(value - self._value).max())
            share = smoothing_share(now_s - self._last_s, FOLLOW_S / (1.0 + lag_m / _LAG_M))
            self._value = (self._value + share * (value - self._value)).astype(np.float32)
        self._last_s = now_s
        return self._value
