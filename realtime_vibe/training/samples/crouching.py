"""Legs that bend: soft knees, half squats, wide stances, one foot lifted. Legend: N frames. World frame: Z up [m].

Recordings hold people who walk and people who stand straight, and little between. A network that learnt from them
takes bent knees seen from the front for straight ones: what the picture shows of either hardly differs.
"""

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.geometry.rotation import (
    quat_product_wxyz,
    quat_wxyz_from_rotmat,
    rotmat_from_axis_angle,
    rotmat_from_quat_wxyz,
)
from realtime_vibe.geometry.smpl_skeleton import REST_JOINTS_M, bone_offsets, joint_positions
from realtime_vibe.training.datasets.clip import POOL_RATE_HZ, FloatArray, continuous
from realtime_vibe.training.datasets.limb_angles import KNEES, interior_angle_deg
from realtime_vibe.training.samples.minimum_jerk import minimum_jerk

Array = NDArray[np.float64]

_ANKLES = (7, 8)
_KNEE_DEG, _SPREAD_DEG, _LIFT_DEG = 95.0, 18.0, 70.0
"""Most that a knee bends, a leg goes aside, and the thigh of a lifted foot rises."""
_STRAIGHT_CHANCE, _LIFT_CHANCE = 0.3, 0.2
"""Of a hold without anything, and of one on a single foot."""
_HOLD_S, _MOVE_S = (0.3, 5.0), (0.3, 1.5)
_BENT_DEG = 60.0
"""Knees that the motion itself bends so far get nothing more: whoever sits stays seated."""
_LEFT_AXIS, _AHEAD_AXIS = np.eye(3)[0], np.eye(3)[2]


def bent_legs(
    quats: FloatArray, trans: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Bends the legs of a motion for some seconds at a time; the lowest joint keeps its height.

    Args:
        quats: (N, 24, 4) local rotations, wxyz.
        trans: (N, 3) pelvis [m].
    """
    angles = _holds(len(quats), rng)
    result = quats.astype(np.float64)
    lean = angles[:, 0]
    result[:, 0] = quat_product_wxyz(result[:, 0], _about(_LEFT_AXIS, lean))
    for side, (knee, ankle) in enumerate(zip(KNEES, _ANKLES, strict=True)):
        bend, aside, lift = angles[:, 1 + 3 * side : 4 + 3 * side].T
        bent = (180.0 - interior_angle_deg(quats, knee)) / _BENT_DEG
        room = np.clip(1.0 - bent, 0.0, 1.0)
        # Thigh and shank share the bend such that the foot stays under the body and level.
        thigh, shank = room * (0.5 * bend + lift), room * (bend + lift)
        aside = room * aside * (1.0 - 2.0 * side)
        hip = quat_product_wxyz(_about(_AHEAD_AXIS, aside), _about(_LEFT_AXIS, -thigh - lean))
        level = quat_product_wxyz(
            _about(_LEFT_AXIS, -room * 0.5 * bend), _about(_AHEAD_AXIS, -aside)
        )
        result[:, knee.upper] = quat_product_wxyz(result[:, knee.upper], hip)
        result[:, knee.middle] = quat_product_wxyz(
            result[:, knee.middle], _about(_LEFT_AXIS, shank)
        )
        result[:, ankle] = quat_product_wxyz(result[:, ankle], level)
    bent_quats = continuous(result.astype(np.float32))
    place = trans.copy()
    place[:, 2] += _lowest(quats) - _lowest(bent_quats)
    return bent_quats, place


def _holds(num_frames: int, rng: np.random.Generator) -> Array:
    """(N, 7) lean, then bend, aside and lift of the left and of the right leg [rad]: holds, and moves between them."""
    now = _goal(rng)
    angles = np.tile(now, (num_frames, 1))
    frame = 0
    while frame < num_frames:
        frame += round(np.exp(rng.uniform(*np.log(_HOLD_S))) * POOL_RATE_HZ)
        goal = _goal(rng)
        length = np.exp(rng.uniform(*np.log(_MOVE_S))) * POOL_RATE_HZ
        angles += minimum_jerk(np.arange(num_frames) - frame, length)[:, None] * (goal - now)
        now = goal
        frame += round(length)
    return angles


def _goal(rng: np.random.Generator) -> Array:
    """(7,) [rad]."""
    if rng.random() < _STRAIGHT_CHANCE:
        return np.zeros(7)
    # Slight bends are the most frequent ones.
    bend = _KNEE_DEG * rng.random() ** 1.5
    bends = bend * np.clip(1.0 + 0.15 * rng.standard_normal(2), 0.5, 1.4)
    asides = _SPREAD_DEG * rng.random() ** 2 + 3.0 * rng.standard_normal(2)
    lifts = np.zeros(2)
    if rng.random() < _LIFT_CHANCE:
        lifts[rng.integers(2)] = _LIFT_DEG * rng.random()
    lean = bend * rng.uniform(0.0, 0.45)
    legs = np.stack([bends, asides, lifts], axis=1).ravel()
    goal: Array = np.deg2rad(np.concatenate([[lean], legs]))
    return goal


def _about(axis: Array, angle: Array) -> Array:
    """(N, 4) turns by (N,) [rad] about one axis of a joint, wxyz."""
    quats: Array = quat_wxyz_from_rotmat(rotmat_from_axis_angle(angle[:, None] * axis))
    return quats


def _lowest(quats: FloatArray) -> Array:
    """(N,) height of the lowest joint over the pelvis [m]."""
    turns = rotmat_from_quat_wxyz(quats.astype(np.float64))
    joints = joint_positions(turns, bone_offsets(REST_JOINTS_M), np.zeros((len(quats), 3)))
    height: Array = joints[..., 2].min(axis=1)
    return height
