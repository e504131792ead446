"""One-Euro smoothing with real time steps (Casiez et al. 2012), for rotations and positions.

A low-pass whose cut-off rises with speed: still poses are held still, fast moves pass at once. The
only knob is a strength in [0, 1]: 0 is off, 1 rests at 0.4 Hz.
"""

import numpy as np

from realtime_vibe.geometry.rotation import axis_angle_from_rotmat, rotmat_from_axis_angle
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
    """Smooths (K, 3, 3) rotations of one person along the shortest arcs.

    Args:
        strength: in (0, 1].
    """

    def __init__(self, strength: float) -> None:
        self._rest_hz = rest_cutoff_hz(strength)
        self._value: FloatArray | None = None
        self._velocity: FloatArray = np.zeros((1, 3), np.float32)

    def update(self, rotmat: FloatArray, dt_s: float) -> FloatArray:
        """The smoothed rotations; the first call, and `dt_s` <= 0, return the input."""
        if self._value is None or dt_s <= 0:
            self._value = rotmat
            self._velocity = np.zeros((len(rotmat), 3), np.float32)
            return rotmat
        change = axis_angle_from_rotmat(np.swapaxes(self._value, -1, -2) @ rotmat)
        # The vector is averaged, not its length: noise cancels, movement does not.
        change_rate = (change / dt_s).astype(np.float32)
        self._velocity = self._velocity + _share(_SPEED_CUTOFF_HZ, dt_s) * (
            change_rate - self._velocity
        )
        speed = np.linalg.norm(self._velocity, axis=-1)
        share = _share(self._rest_hz + _ROTATION_GAIN * speed, dt_s)
        self._value = (self._value @ rotmat_from_axis_angle(change * share[:, None])).astype(
            np.float32
        )
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
