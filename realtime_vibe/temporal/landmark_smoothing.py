"""Smooths tracked landmarks by where they are and how fast they move.

A first-order low-pass trails whatever moves; this filter predicts with its own velocity, so that steady motion
passes without delay and only what departs from it is averaged: the fading-memory filter of first degree, a
critically damped g-h filter (Morrison 1969; Brookner 1998, "Tracking and Kalman Filtering Made Easy", ch. 1.2.6).
"""

from dataclasses import replace

import numpy as np

from realtime_vibe.packets import FloatArray, PoseLandmarks

_LONGEST_MEMORY_S = 0.04
"""At full strength: longer ones take the mesh off people who turn back."""
_JUMP = 0.2
"""Landmarks that depart so far from the prediction, in longer sides of their box, begin anew there."""


class LandmarkSmoother:
    """Smooths one person's landmarks, image and world alike, with a strength in (0, 1]."""

    def __init__(self, strength: float) -> None:
        self._memory_s = strength * _LONGEST_MEMORY_S
        self._value: FloatArray | None = None
        """(33, 5) image x, y [px], world x, y, z [m]."""
        self._velocity: FloatArray = np.zeros((1, 5), np.float32)

    def update(self, landmarks: PoseLandmarks, dt_s: float) -> PoseLandmarks:
        """The smoothed landmarks; the first call, and `dt_s` <= 0, return the input.

        Args:
            dt_s: since the last call [s].
        """
        seen = np.concatenate([landmarks.image_px[:, :2], landmarks.world_m], axis=1)
        if self._value is None or dt_s <= 0:
            self._value, self._velocity = seen, np.zeros_like(seen)
            return landmarks
        kept = np.exp(np.float32(-dt_s / self._memory_s))
        predicted = self._value + self._velocity * np.float32(dt_s)
        off = seen - predicted
        value = predicted + (1 - kept**2) * off
        velocity = self._velocity + (1 - kept) ** 2 / np.float32(dt_s) * off
        side_px = float(np.ptp(seen[:, :2], axis=0).max())
        has_jumped = np.abs(off[:, :2]).max(axis=1, keepdims=True) > _JUMP * side_px
        self._value = np.where(has_jumped, seen, value)
        self._velocity = np.where(has_jumped, np.float32(0), velocity)
        image_px = landmarks.image_px.copy()
        image_px[:, :2] = self._value[:, :2]
        return replace(landmarks, image_px=image_px, world_m=self._value[:, 2:])
