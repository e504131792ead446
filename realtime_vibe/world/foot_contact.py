"""Foot contact: which feet stand on the floor, from how fast they move across the line of sight.

The estimated distance of a person varies by centimetres from frame to frame, the direction to a foot does
not. Speeds are therefore those of the feet's directions, times a low-pass filtered distance.

Legend: 2 feet, left first; 2 points of each, heel first.
"""

import math

import numpy as np

from realtime_vibe.packets import FloatArray

_SPEED_S, _DEPTH_S = 0.04, 0.4
"""Time constants of the speeds and of the distance [s]."""
_STILL, _MOVES = 0.5, 1.0
"""[m/s]: a foot slower than the first one stands, one faster than the second may walk."""
_SLOWER_BY, _FASTER_BY = 0.15, 0.4
"""[m/s]: one foot so much slower than the other is the standing one, so much faster the other."""
_FASTEST = 1.8
"""[m/s]: beyond it nothing stands, as in a jump."""


class FootContact:
    """Contact of both feet of one person, with hysteresis."""

    def __init__(self) -> None:
        self._directions: FloatArray | None = None
        self._depth_m = 1.0
        self._speeds = [0.0, 0.0]
        self._stands = [False, False]

    @property
    def speeds(self) -> FloatArray:
        """(2,) how fast the feet move across the line of sight [m/s]."""
        return np.asarray(self._speeds, np.float32)

    def update(self, soles: FloatArray, dt_s: float) -> tuple[bool, bool]:
        """Takes soles (2, 2, 3) of one frame, camera frame [m]; whether each foot stands. A `dt_s` of 0 starts over."""
        depth_m = max(0.25 * float(soles[..., 2].sum()), 0.1)
        directions = (soles[..., :2] / np.maximum(soles[..., 2:], 0.1)).astype(np.float32)
        if self._directions is None or dt_s <= 0:
            self._directions, self._depth_m = directions, depth_m
            self._speeds, self._stands = [0.0, 0.0], [False, False]
            return False, False
        self._depth_m += dt_s / (dt_s + _DEPTH_S) * (depth_m - self._depth_m)
        steps = (directions - self._directions).tolist()
        self._directions = directions
        for foot in (0, 1):
            moved = 0.5 * sum(math.hypot(x, y) for x, y in steps[foot])
            change = moved * self._depth_m / dt_s - self._speeds[foot]
            self._speeds[foot] += dt_s / (dt_s + _SPEED_S) * change
        for foot in (0, 1):
            self._judge(foot)
        return self._stands[0], self._stands[1]

    def _judge(self, foot: int) -> None:
        speed = self._speeds[foot]
        lead = speed - self._speeds[1 - foot]
        if self._stands[foot]:
            leaves = (speed > _MOVES and lead > 0.0) or (speed > _STILL and lead > _FASTER_BY)
            self._stands[foot] = not (leaves or speed > _FASTEST)
        else:
            self._stands[foot] = speed < _STILL or (lead < -_SLOWER_BY and speed < _FASTEST)
