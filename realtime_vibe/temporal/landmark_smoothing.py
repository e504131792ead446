"""Smooths tracked landmarks by where they are and how fast they move, see `fading_memory.py`."""

from dataclasses import replace

import numpy as np

from realtime_vibe.packets import FloatArray, PoseLandmarks
from realtime_vibe.temporal.fading_memory import gains, memory_by_speed

_MEMORY_S, _MEMORY_AT_REST_S = 0.03, 0.25
"""At full strength, of landmarks that move and of those that rest: longer ones take the mesh off people who turn back."""
_DEPTH = np.array([1, 1, 1, 1, 3], np.float32)
"""Memory of x, y and world x, y, z over that of the picture: depths waver most, and no mesh leaves the picture for them."""
_MOVES = 0.12
"""Landmarks as fast as this move [longer sides of their box per second]; slower ones rest the more."""
_RATE_S = 0.08
"""Over which the speed is averaged, with its direction: noise cancels, movement does not."""
_JUMP = 0.2
"""Landmarks that depart so far from the prediction, in longer sides of their box, begin anew there."""


class LandmarkSmoother:
    """Smooths one person's landmarks, image and world alike, with a strength in (0, 1]."""

    def __init__(self, strength: float) -> None:
        self._strength = np.float32(strength)
        self._value: FloatArray | None = None
        """(33, 5) image x, y [px], world x, y, z [m]."""
        self._velocity: FloatArray = np.zeros((1, 5), np.float32)
        self._rate_px: FloatArray = np.zeros((1, 2), np.float32)

    def update(self, landmarks: PoseLandmarks, dt_s: float) -> PoseLandmarks:
        """The smoothed landmarks; the first call, and `dt_s` <= 0, return the input.

        Args:
            dt_s: since the last call [s].
        """
        seen = np.concatenate([landmarks.image_px[:, :2], landmarks.world_m], axis=1)
        if self._value is None or dt_s <= 0:
            self._value, self._velocity = seen, np.zeros_like(seen)
            self._rate_px = np.zeros_like(seen[:, :2])
            return landmarks
        side_px = max(float(np.ptp(seen[:, :2], axis=0).max()), 1.0)
        way_px = seen[:, :2] - self._value[:, :2]
        share = np.float32(1 - np.exp(-dt_s / _RATE_S))
        self._rate_px = self._rate_px + share * (way_px / np.float32(dt_s) - self._rate_px)
        speed = np.sqrt(np.square(self._rate_px).sum(axis=1, keepdims=True)) / side_px
        memory_s = memory_by_speed(speed, _MOVES, _MEMORY_S, _MEMORY_AT_REST_S) * self._strength
        of_value, of_velocity = gains(dt_s, memory_s * _DEPTH)
        predicted = self._value + self._velocity * np.float32(dt_s)
        off = seen - predicted
        value = predicted + of_value * off
        velocity = self._velocity + of_velocity * off
        has_jumped = np.abs(off[:, :2]).max(axis=1, keepdims=True) > _JUMP * side_px
        self._value = np.where(has_jumped, seen, value)
        self._velocity = np.where(has_jumped, np.float32(0), velocity)
        image_px = landmarks.image_px.copy()
        image_px[:, :2] = self._value[:, :2]
        return replace(landmarks, image_px=image_px, world_m=self._value[:, 2:])
