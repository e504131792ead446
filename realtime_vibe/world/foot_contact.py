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
_FASTEST = 4.0
"""[m/s]: a foot that is seen elsewhere for one frame counts as no faster."""
_LEVEL_M, _PER_M = 0.05, 5.0
"""The higher foot counts as faster, by so much [m/s] for each metre beyond this height: a knee that is held up does
not stand."""
_FLIES, _LANDS_S, _RISE_S, _FASTEST_RISE = 0.7, 0.2, 0.1, 2.0
"""Two feet that both rise, or both fall, faster than this [m/s] are in the air, and so is for this long [s] whoever
may be at the top of a jump."""


class FootContact:
    """Contact of both feet of one person, with hysteresis."""

    def __init__(self) -> None:
        self._directions: FloatArray | None = None
        self._depth_m = 1.0
        self._speeds = [0.0, 0.0]
        self._rises = [0.0, 0.0]
        self._in_air_s = 0.0
        self._stands = [False, False]

    def update(self, soles: FloatArray, dt_s: float, up: FloatArray) -> tuple[bool, bool]:
        """Whether each foot stands, by the soles (2, 2, 3) of one frame, camera frame [m]; but in a jump one does.

        Args:
            soles: heel and ball of each foot.
            dt_s: since the last frame; 0 starts over.
            up: (3,) away from the floor, camera frame.
        """
        depth_m = max(0.25 * float(soles[..., 2].sum()), 0.1)
        directions = (soles[..., :2] / np.maximum(soles[..., 2:], 0.1)).astype(np.float32)
        if self._directions is None or dt_s <= 0:
            self._directions, self._depth_m = directions, depth_m
            self._speeds, self._rises = [0.0, 0.0], [0.0, 0.0]
            self._in_air_s, self._stands = 0.0, [False, False]
            return False, False
        self._depth_m += dt_s / (dt_s + _DEPTH_S) * (depth_m - self._depth_m)
        self._measure(directions - self._directions, dt_s, up)
        self._directions = directions
        heights = (soles @ up).min(axis=1)
        higher = int(heights[1] > heights[0])
        speeds = list(self._speeds)
        speeds[higher] += _PER_M * max(abs(float(heights[1] - heights[0])) - _LEVEL_M, 0.0)
        self._judge(speeds, dt_s)
        return self._stands[0], self._stands[1]

    def _measure(self, steps: FloatArray, dt_s: float, up: FloatArray) -> None:
        """Takes in how far directions (2, 2, 2) moved."""
        share, rise_share = dt_s / (dt_s + _SPEED_S), dt_s / (dt_s + _RISE_S)
        scale = 0.5 * self._depth_m / dt_s
        across, down = float(up[0]), float(up[1])
        for foot, points in enumerate(steps.tolist()):
            speed = scale * sum(math.hypot(x, y) for x, y in points)
            rise = scale * sum(x * across + y * down for x, y in points)
            self._speeds[foot] += share * (min(speed, _FASTEST) - self._speeds[foot])
            rise = min(max(rise, -_FASTEST_RISE), _FASTEST_RISE)
            self._rises[foot] += rise_share * (rise - self._rises[foot])

    def _judge(self, speeds: list[float], dt_s: float) -> None:
        flies = min(self._rises) > _FLIES or max(self._rises) < -_FLIES
        self._in_air_s = _LANDS_S if flies else max(self._in_air_s - dt_s, 0.0)
        if self._in_air_s > 0.0:
            self._stands = [False, False]
            return
        for foot, speed in enumerate(speeds):
            lead = speed - speeds[1 - foot]
            if self._stands[foot]:
                leaves = (speed > _MOVES and lead > 0.0) or (speed > _STILL and lead > _FASTER_BY)
                self._stands[foot] = not leaves
            else:
                self._stands[foot] = speed < _STILL or lead < -_SLOWER_BY
        if not any(self._stands):
            self._stands[int(speeds[1] < speeds[0])] = True
