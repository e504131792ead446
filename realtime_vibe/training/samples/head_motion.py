"""Heads that look around and nod, which recorded walks and dances seldom do. Legend: N frames."""

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.geometry.rotation import (
    quat_product_wxyz,
    quat_wxyz_from_rotmat,
    rotmat_from_axis_angle,
)
from realtime_vibe.training.datasets.clip import POOL_RATE_HZ, FloatArray, continuous
from realtime_vibe.training.samples.minimum_jerk import minimum_jerk

Array = NDArray[np.float64]

NECK_JOINTS = (12, 15)
"""Neck and head, which share a turn equally."""
LIMITS_RAD = np.deg2rad([40.0, 65.0, 22.0])
"""Pitch (x), yaw (y), roll (z) of the head against the chest, both joints together."""
_SPREAD_RAD = np.deg2rad([13.0, 26.0, 7.0])
_AHEAD_CHANCE = 0.4
_LOOK_S = (0.3, 5.0)
_NOD_CHANCE = 0.35


def looking_head(num_frames: int, rng: np.random.Generator) -> FloatArray:
    """(N, 2, 4) local rotations of neck and head, wxyz, at `POOL_RATE_HZ`: looks and nods."""
    angles = _looks(num_frames, rng)
    if rng.random() < _NOD_CHANCE:
        angles = angles + _nods(num_frames, rng)
    angles = LIMITS_RAD * np.tanh(angles / LIMITS_RAD)
    half = 0.5 * angles
    pitch, yaw, roll = (
        quat_wxyz_from_rotmat(rotmat_from_axis_angle(half[:, axis, None] * np.eye(3)[axis]))
        for axis in range(3)
    )
    quats = quat_product_wxyz(yaw, quat_product_wxyz(pitch, roll))
    return continuous(np.repeat(quats[:, None], 2, axis=1).astype(np.float32))


def _looks(num_frames: int, rng: np.random.Generator) -> Array:
    """(N, 3) angles [rad]: holds, and minimum-jerk turns between them."""
    usual = rng.standard_normal(3) * np.deg2rad([8.0, 5.0, 3.0])
    angles = np.tile(usual, (num_frames, 1))
    frame = int(rng.uniform(0, 60))
    now = usual
    while frame < num_frames:
        is_ahead = rng.random() < _AHEAD_CHANCE
        spread = np.deg2rad([3.0, 3.0, 2.0]) if is_ahead else _SPREAD_RAD
        goal = usual + rng.standard_normal(3) * spread
        length = rng.uniform(0.25, 0.9) * POOL_RATE_HZ
        angles += minimum_jerk(np.arange(num_frames) - frame, length)[:, None] * (goal - now)
        now = goal
        hold_s = np.exp(rng.uniform(*np.log(_LOOK_S)))
        frame += round(length + hold_s * POOL_RATE_HZ)
    return angles


def _nods(num_frames: int, rng: np.random.Generator) -> Array:
    """(N, 3) up and down, or from side to side, in bursts of a second or two [rad]."""
    time_s = np.arange(num_frames) / POOL_RATE_HZ
    axis = int(rng.choice(2, p=(0.7, 0.3)))
    angles = np.zeros((num_frames, 3))
    for middle_s in rng.uniform(0, time_s[-1] + 0.1, int(rng.integers(1, 4))):
        burst = np.exp(-(((time_s - middle_s) / rng.uniform(0.4, 1.2)) ** 2))
        size = np.deg2rad(rng.uniform(4.0, 12.0))
        angles[:, axis] += size * burst * np.sin(2 * np.pi * rng.uniform(0.9, 2.2) * time_s)
    return angles
