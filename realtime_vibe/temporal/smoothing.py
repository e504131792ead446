"""One-Euro smoothing with real time steps (Casiez et al. 2012), for rotations and positions.

A low-pass whose cut-off rises with speed: still poses are held still, fast moves pass at once. The
only knob is a strength in [0, 1]: 0 is off, 1 rests at 0.4 Hz.
"""

import numpy as np

from realtime_vibe.geometry.rotation import rotmat_from_rot6d
from realtime_vibe.packets import FloatArray

_SPEED_CUTOFF_HZ = 2.0
_LOOSEST_HZ, _TIGHTEST_HZ = 12.0, 0.4
_ROTATION_GAIN = 1.2
"""[Hz per rad/s]: a limb turning at 3 rad/s is followed with 3.6 Hz on top of the rest cut-off."""
_POSITION_GAIN = 5.0
"""[Hz per m/s]."""


def rest_cutoff_hz(strength: float) -> float:
    """Cut-off at rest for a strength in (0, 1]; geometric between 12 and 0.4 Hz."""
    return float(_LOOSEST_HZ * (_TIGHTEST_HZ / _LOOSEST_HZ) ** strength)


def _share(cutoff_hz: FloatArray | float, dt_s: float) -> FloatArray:
    """How much of the new value a first-order low-pass takes."""
    turn = np.asarray(cutoff_hz, np.float32) * np.float32(2 * np.pi * dt_s)
    share: FloatArray = turn / (1 + turn)
    return share


class RotationSmoother:
    """Smooths (K, 3, 3) rotations of one person.

    Matrices are mixed and made orthonormal again, which for the small steps between frames equals
    turning along the shortest arc, at a fifth of the time of going through axis-angle.

    Args:
        strength: in (0, 1].
    """

    def __init__(self, strength: float) -> None:
        self._rest_hz = rest_cutoff_hz(strength)
        self._value: FloatArray | None = None
        self._rate: FloatArray = np.zeros((1, 3, 3), np.float32)

    def update(self, rotmat: FloatArray, dt_s: float) -> FloatArray:
        """The smoothed rotations; the first call, and `dt_s` <= 0, return the input."""
        if self._value is None or dt_s <= 0:
            self._value = rotmat
            self._rate = np.zeros_like(rotmat)
            return rotmat
        change = rotmat - self._value
        # The change is averaged with its direction: noise cancels, movement does not.
        self._rate = self._rate + _share(_SPEED_CUTOFF_HZ, dt_s) * (
            change / np.float32(dt_s) - self._rate
        )
        # A matrix turning at w rad/s changes with a Frobenius norm of sqrt(2) w.
        speed = np.sqrt(0.5 * np.einsum("kij,kij->k", self._rate, self._rate))
        share = _share(self._rest_hz + _ROTATION_GAIN * speed, dt_s)
        mixed = self._value + share[:, None, None] * change
        self._value = rotmat_from_rot6d(mixed[..., :2].reshape(-1, 6))
        return self._value


class PositionSmoother:
    """Smooths one (3,) position [m].

    Args:
        strength: in (0, 1].
    """

    def __init__(self, strength: float) -> None:
        self._rest_hz = rest_cutoff_hz(strength)
        self._value: FloatArray | None = None
        self._velocity: FloatArray = np.zeros(3, np.float32)

    def update(self, position: FloatArray, dt_s: float) -> FloatArray:
        """The smoothed position; the first call, and `dt_s` <= 0, return the input."""
        if self._value is None or dt_s <= 0:
            self._value = position
            self._velocity = np.zeros(3, np.float32)
            return position
        velocity = (position - self._value) / np.float32(dt_s)
        self._velocity = self._velocity + _share(_SPEED_CUTOFF_HZ, dt_s) * (
            velocity - self._velocity
        )
        speed = float(np.linalg.norm(self._velocity))
        share = _share(self._rest_hz + _POSITION_GAIN * speed, dt_s)
        self._value = (self._value + share * (position - self._value)).astype(np.float32)
        return self._value
