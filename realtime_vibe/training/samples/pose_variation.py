"""Poses that recordings seldom hold: legs that bend, heads that look around and nod, bodies on the floor.

Recordings hold people who walk and people who stand straight, and little between. A network that learnt from them
takes bent knees seen from the front for straight ones: what the picture shows of either hardly differs.
Legend: N frames. World frame: Z up [m].
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

NECK_JOINTS = (12, 15)
"""Neck and head, which share a turn equally."""
LIMITS_RAD = np.deg2rad([40.0, 65.0, 22.0])
"""Pitch (x), yaw (y), roll (z) of the head against the chest, both joints together."""
_SPREAD_RAD = np.deg2rad([13.0, 26.0, 7.0])
_AHEAD_CHANCE = 0.4
_LOOK_S = (0.3, 5.0)
_NOD_CHANCE = 0.35

FLESH_M = 0.08
"""From the lowest joint to the floor."""
_SIDES = {"back": (-1.0, 0.0), "front": (1.0, 0.0), "left": (0.0, -1.0), "right": (0.0, 1.0)}
"""Axis of the quarter turn that lays somebody so, as shares of the body's own left and of its front."""
_CHANCES = (0.45, 0.15, 0.2, 0.2)
_LEAN_STD_RAD = 0.2
_SMOOTH_FRAMES = 31


def minimum_jerk(frames: NDArray[np.integer], length: float) -> NDArray[np.float64]:
    """(N,) share of the way that is done, 0 to 1, at rest at both ends (Flash and Hogan 1985).

    Args:
        frames: (N,) since the start; those before it and after the end stay at the ends.
        length: of the movement [frames].
    """
    time = np.clip(frames / length, 0.0, 1.0)
    return time**3 * (10 - 15 * time + 6 * time**2)


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


def looking_head(num_frames: int, rng: np.random.Generator) -> FloatArray:
    """(N, 2, 4) local rotations of neck and head, wxyz, at `POOL_RATE_HZ`: looks and nods."""
    angles = _looks(num_frames, rng)
    if rng.random() < _NOD_CHANCE:
        angles = angles + _nods(num_frames, rng)
    angles = LIMITS_RAD * np.tanh(angles / LIMITS_RAD)
    pitch, yaw, roll = (
        _about(axis, half) for axis, half in zip(np.eye(3), 0.5 * angles.T, strict=True)
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


def laid_down(
    quats: FloatArray, trans: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Turns an upright motion about a horizontal axis and rests its lowest joint near the floor.

    Args:
        quats: (N, 24, 4) local rotations, wxyz.
        trans: (N, 3) pelvis [m]; what it moved across the floor is dropped.
    """
    side = str(rng.choice(list(_SIDES), p=_CHANCES))
    root = rotmat_from_quat_wxyz(quats[:, 0].astype(np.float64))
    left = root[:, :, 0].mean(axis=0) * [1.0, 1.0, 0.0]
    left = left / max(float(np.linalg.norm(left)), 1e-6) if np.any(left) else np.eye(3)[0]
    ahead = np.cross(left, [0.0, 0.0, 1.0])
    share = _SIDES[side]
    angle = 0.5 * np.pi + _LEAN_STD_RAD * rng.standard_normal()
    turn = rotmat_from_axis_angle((share[0] * left + share[1] * ahead) * angle)
    result = quats.copy()
    result[:, 0] = quat_product_wxyz(quat_wxyz_from_rotmat(turn)[None], quats[:, 0])
    place = np.tile(trans.mean(axis=0), (len(trans), 1)).astype(np.float32)
    height = np.pad(FLESH_M - _lowest(result), _SMOOTH_FRAMES // 2, mode="edge")
    place[:, 2] = np.convolve(height, np.full(_SMOOTH_FRAMES, 1 / _SMOOTH_FRAMES), mode="valid")
    return continuous(result), place
