"""Smoothing of rotations, limbs' tilts and positions with real time steps.

Still poses are held still and fast moves pass at once; speeds that a tracker's noise alone produces do not count
as such. Rotations pass a filter that predicts; positions a One-Euro filter (Casiez et al. 2012), a low-pass whose
cut-off rises with speed. The only knob is a strength in [0, 1]: 0 is off, 1 is calmest.
"""

import numpy as np

from realtime_vibe.geometry.rotation import rotmat_from_rot6d
from realtime_vibe.packets import FloatArray
from realtime_vibe.temporal.fading_memory import gains, memory_by_speed

_SPEED_CUTOFF_HZ = 2.0
_LOOSEST_HZ, _TIGHTEST_HZ = 12.0, 0.4
_MEMORY_S, _MEMORY_AT_REST_S = 0.1, 0.45
"""At full strength, of joints that turn and of those that rest."""
_TURNS = 1.0
"""[rad/s]"""
_EYE = np.eye(3, dtype=np.float32)
_HELD_S = 3.0
"""Memory of a joint that nobody sees: it goes where the network guesses within seconds."""
_KNOWN_S = 0.5
"""So long must a joint have been seen to be worth holding [s]."""
_SETTLE_S = 0.3
"""In so much time the filters close from their loosest: a wrong first frame must not be held [s]."""
_TILT_HZ = 3.0
"""Below it limbs that move are a little too long or short in the picture."""
_POSITION_GAIN = 8.0
"""[Hz per m/s] above the floor."""
_ACROSS_FLOOR, _DEPTH_FLOOR = 0.2, 0.6
"""[m/s]. Depth is seen from the person's size alone: it errs several times more than x and y."""
_DEPTH_REST_SHARE = 0.15
"""Of the rest cut-off."""


def rest_cutoff_hz(strength: float) -> float:
    """Cut-off at rest for a strength in (0, 1]; geometric between 12 and 0.4 Hz."""
    return float(_LOOSEST_HZ * (_TIGHTEST_HZ / _LOOSEST_HZ) ** strength)


def _share(cutoff_hz: FloatArray | float, dt_s: float) -> FloatArray:
    """How much of the new value a first-order low-pass takes."""
    turn = np.asarray(cutoff_hz, np.float32) * np.float32(2 * np.pi * dt_s)
    return turn / (1 + turn)


def _opening_hz(age_s: float) -> float:
    """Cut-off below which a filter of this age does not go; nothing once it has settled."""
    return _LOOSEST_HZ * max(0.0, 1.0 - age_s / _SETTLE_S)


class RotationSmoother:
    """Smooths (K, 3, 3) rotations of one person with a strength in (0, 1], see `fading_memory.py`.

    Matrices are mixed and made orthonormal again, which for the small steps between frames equals
    turning along the shortest arc, at a fifth of the time of going through axis-angle.
    """

    def __init__(self, strength: float) -> None:
        self._strength = np.float32(strength)
        self._age_s = 0.0
        self._value: FloatArray | None = None
        self._spin: FloatArray = np.zeros((1, 3, 3), np.float32)
        """(K, 3, 3) change of rotations in their own frame [rad/s]: constant in a steady turn."""
        self._rate: FloatArray = self._spin
        self._known: FloatArray | float = 0.0

    def update(
        self, rotmat: FloatArray, dt_s: float, confidence: FloatArray | None = None
    ) -> FloatArray:
        """The smoothed rotations; the first call, and `dt_s` <= 0, return the input.

        Args:
            rotmat: (K, 3, 3).
            dt_s: since the last call [s].
            confidence: (K,) in [0, 1]: a rotation of 0 is all but held, however fast it seems to move.
        """
        if self._value is None or dt_s <= 0:
            self._value = rotmat
            self._spin = self._rate = np.zeros_like(rotmat)
            return rotmat
        self._age_s += dt_s
        # The change is averaged with its direction: noise cancels, movement does not.
        self._rate = self._rate + _share(_SPEED_CUTOFF_HZ, dt_s) * (
            (rotmat - self._value) / np.float32(dt_s) - self._rate
        )
        # A matrix turning at w rad/s changes with a Frobenius norm of sqrt(2) w.
        speed = np.sqrt(0.5 * np.einsum("kij,kij->k", self._rate, self._rate))
        memory_s = memory_by_speed(speed, _TURNS, _MEMORY_S, _MEMORY_AT_REST_S)
        memory_s = np.minimum(memory_s * self._strength, self._age_s)
        if confidence is not None:
            free = self._freedom(confidence, dt_s)
            memory_s = 1 / (free / memory_s + (1 - free) / _HELD_S)
            self._spin = self._spin * free[:, None, None]
        of_value, of_spin = gains(dt_s, memory_s[:, None, None])
        predicted = self._value @ (_EYE + self._spin * np.float32(dt_s))
        off = predicted.transpose(0, 2, 1) @ rotmat
        off = np.float32(0.5) * (off - off.transpose(0, 2, 1))  # axis times sine of the angle
        self._spin = self._spin + of_spin * off
        mixed = predicted + of_value * (rotmat - predicted)
        self._value = rotmat_from_rot6d(mixed[..., :2].reshape(-1, 6))
        return self._value

    def _freedom(self, confidence: FloatArray, dt_s: float) -> FloatArray:
        """(K,) in [0, 1]: 0 for what is hidden now and was seen before; first guesses are not kept."""
        self._known = np.minimum(
            self._known + np.float32(dt_s / _KNOWN_S) * confidence, np.float32(1)
        )
        return np.maximum(confidence, 1 - self._known)


class TiltSmoother:
    """Smooths how far one person's limbs were tilted out of the image plane, with a strength in (0, 1].

    However fast they are: a tilt mends the length of a limb in the image, and where a limb is nearly
    in the plane the tracker's jitter is much of it.
    """

    def __init__(self, strength: float) -> None:
        self._cutoff_hz = max(rest_cutoff_hz(strength), _TILT_HZ)
        self._values: dict[int, FloatArray] = {}

    def update(self, level: int, tilts: FloatArray, dt_s: float) -> FloatArray:
        """The smoothed tilts; the first call of a level, and `dt_s` <= 0, return the input.

        Args:
            level: which limbs these are; always of the same number.
            tilts: (L,) [rad].
            dt_s: since the last frame [s].
        """
        before = self._values.get(level)
        if before is not None and dt_s > 0:
            tilts = before + _share(self._cutoff_hz, dt_s) * (tilts - before)
        self._values[level] = tilts
        return tilts


class PositionSmoother:
    """Smooths one (3,) position in the camera frame [m], depth more than the rest, with a strength in (0, 1]."""

    def __init__(self, strength: float) -> None:
        self._rest_hz = rest_cutoff_hz(strength)
        self._age_s = 0.0
        self._value: FloatArray | None = None
        self._velocity: FloatArray = np.zeros(3, np.float32)

    def update(self, position: FloatArray, dt_s: float) -> FloatArray:
        """The smoothed position (3,); the first call, and `dt_s` <= 0, return the input.

        Args:
            position: (3,) camera frame, z away from the camera [m].
            dt_s: since the last call [s].
        """
        if self._value is None or dt_s <= 0:
            self._value = position
            self._velocity = np.zeros(3, np.float32)
            return position
        self._age_s += dt_s
        velocity = (position - self._value) / np.float32(dt_s)
        self._velocity = self._velocity + _share(_SPEED_CUTOFF_HZ, dt_s) * (
            velocity - self._velocity
        )
        across = float(np.linalg.norm(self._velocity[:2]))
        across_hz = self._rest_hz + _POSITION_GAIN * max(across - _ACROSS_FLOOR, 0.0)
        depth = abs(float(self._velocity[2]))
        depth_hz = _DEPTH_REST_SHARE * self._rest_hz
        depth_hz += _POSITION_GAIN * max(depth - _DEPTH_FLOOR, 0.0)
        open_hz = _opening_hz(self._age_s)
        across_hz, depth_hz = max(across_hz, open_hz), max(depth_hz, open_hz)
        share = _share(np.array([across_hz, across_hz, depth_hz], np.float32), dt_s)
        self._value = (self._value + share * (position - self._value)).astype(np.float32)
        return self._value
