"""One rotation at a time, in plain numbers: for single matrices ten times as fast as array code."""

import math

import numpy as np

from realtime_vibe.packets import FloatArray

_SMALLEST_SINE = 1e-6


def vector_of(rotmat: FloatArray) -> FloatArray:
    """Axis times angle (3,) [rad] of a rotation (3, 3) below half a turn; near half a turn, too short."""
    (a, b, c), (d, e, f), (g, h, i) = rotmat.tolist()
    x, y, z = 0.5 * (h - f), 0.5 * (c - g), 0.5 * (d - b)
    sine = math.sqrt(x * x + y * y + z * z)
    angle = math.atan2(sine, 0.5 * (a + e + i - 1.0))
    stretch = angle / sine if sine > _SMALLEST_SINE else 1.0
    return np.array([x * stretch, y * stretch, z * stretch], np.float32)


def rotation_about(vector: FloatArray) -> FloatArray:
    """(3, 3) of axis times angle (3,) [rad]."""
    x, y, z = vector.tolist()
    angle = math.sqrt(x * x + y * y + z * z)
    if angle < _SMALLEST_SINE:
        s, c = 1.0, 0.5
    else:
        s, c = math.sin(angle) / angle, (1.0 - math.cos(angle)) / (angle * angle)
    return _rodrigues((x, y, z), s, c)


def rotation_between(start: FloatArray, end: FloatArray) -> FloatArray:
    """The smallest rotation (3, 3) from one direction (3,) to another; identity for opposite ones."""
    ax, ay, az = start.tolist()
    bx, by, bz = end.tolist()
    size = math.sqrt((ax * ax + ay * ay + az * az) * (bx * bx + by * by + bz * bz))
    cosine = (ax * bx + ay * by + az * bz) / max(size, 1e-12)
    if size < 1e-12 or cosine < -0.999:
        return np.eye(3, dtype=np.float32)
    cross = (
        (ay * bz - az * by) / size,
        (az * bx - ax * bz) / size,
        (ax * by - ay * bx) / size,
    )
    return _rodrigues(cross, 1.0, 1.0 / (1.0 + cosine))


def cross_product(first: FloatArray, second: FloatArray) -> FloatArray:
    """(3,) of two (3,) as `np.cross`, which takes twenty times as long for one pair."""
    ax, ay, az = first.tolist()
    bx, by, bz = second.tolist()
    return np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], np.float32)


def length_of(vector: FloatArray) -> float:
    """Euclidean length of (3,), in its unit."""
    x, y, z = vector.tolist()
    return math.sqrt(x * x + y * y + z * z)


def _rodrigues(vector: tuple[float, float, float], s: float, c: float) -> FloatArray:
    """1 + s [v] + c [v]^2."""
    x, y, z = vector
    return np.array(
        [
            [1.0 - c * (y * y + z * z), c * x * y - s * z, c * x * z + s * y],
            [c * x * y + s * z, 1.0 - c * (x * x + z * z), c * y * z - s * x],
            [c * x * z - s * y, c * y * z + s * x, 1.0 - c * (x * x + y * y)],
        ],
        np.float32,
    )
