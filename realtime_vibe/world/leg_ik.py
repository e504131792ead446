"""Two-bone inverse kinematics: hip and knee turn so that the ankle comes where it should be."""

import math
from dataclasses import dataclass

import numpy as np

from realtime_vibe.packets import FloatArray
from realtime_vibe.world.single_rotations import (
    cross_product,
    length_of,
    rotation_about,
    rotation_between,
)

_STRAIGHTEST = 0.9995
"""Of the leg's full length: a fully straight knee has no plane to bend in."""
_SHORTEST_M = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """A posed leg, all in one frame of reference."""

    hip: FloatArray
    """(3,) [m]."""
    knee: FloatArray
    """(3,) [m]."""
    ankle: FloatArray
    """(3,) [m]."""
    thigh: FloatArray
    """(3, 3) rotation of the hip joint."""
    shin: FloatArray
    """(3, 3) rotation of the knee joint."""


def out_of_reach(leg: Leg, target: FloatArray) -> FloatArray:
    """(3,) [m] by which the hip must move for the straight leg to reach `target` (3,), in the leg's frame."""
    away = target - leg.hip
    distance = length_of(away)
    missing_m = distance - _STRAIGHTEST * _length(leg)
    if missing_m <= 0:
        return np.zeros(3, np.float32)
    return np.asarray(away * (missing_m / distance), np.float32)


def reach(leg: Leg, target: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Rotations of thigh and shin (3, 3) that bring the ankle to `target`, or as near as it goes.

    `target` (3,) [m] and the rotations are in the leg's frame. The knee bends in the plane in which it is bent, a straight one forward.
    """
    upper, lower = leg.knee - leg.hip, leg.ankle - leg.knee
    upper_m, lower_m = length_of(upper), length_of(lower)
    away = target - leg.hip
    wanted_m = min(max(length_of(away), _SHORTEST_M), _STRAIGHTEST * (upper_m + lower_m))
    normal = cross_product(upper, lower)
    size = length_of(normal)
    if size > 0.05 * upper_m * lower_m:
        normal = normal / np.float32(size)
        has = math.atan2(size, float(upper @ lower))
    else:
        # A knee bends about the thigh's x axis, which also is the plane of a leg too straight to tell.
        normal, has = leg.thigh[:, 0], 0.0
    fold = rotation_about(normal * np.float32(_bend(upper_m, lower_m, wanted_m) - has))
    turn = rotation_between(upper + fold @ lower, away)
    return turn @ leg.thigh, turn @ (fold @ leg.shin)


def _length(leg: Leg) -> float:
    return length_of(leg.knee - leg.hip) + length_of(leg.ankle - leg.knee)


def _bend(upper_m: float, lower_m: float, distance_m: float) -> float:
    """How far a knee is bent [rad] with hip and ankle so far apart; 0 is straight."""
    cosine = (distance_m**2 - upper_m**2 - lower_m**2) / (2 * upper_m * lower_m)
    return math.acos(min(max(cosine, -1.0), 1.0))
