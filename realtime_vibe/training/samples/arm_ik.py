"""Two-bone inverse kinematics of an arm, closed form, over whole motions.

Everything is in the chest's frame (joint spine3: x to the person's left, y up, z forward [m]) and for
the left arm; the right one is its mirror image. Legend: N frames.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.geometry.rotation import (
    axis_angle_from_rotmat,
    quat_wxyz_from_rotmat,
    rotmat_from_axis_angle,
    unit_vector,
)
from realtime_vibe.geometry.smpl_skeleton import REST_JOINTS_M

Array = NDArray[np.float64]

_CHEST, _COLLAR, _SHOULDER, _ELBOW, _WRIST = 9, 13, 16, 18, 20
_COLLAR_AT: Array = REST_JOINTS_M[_COLLAR] - REST_JOINTS_M[_CHEST]
_COLLAR_BONE: Array = REST_JOINTS_M[_SHOULDER] - REST_JOINTS_M[_COLLAR]
_UPPER: Array = REST_JOINTS_M[_ELBOW] - REST_JOINTS_M[_SHOULDER]
_FORE: Array = REST_JOINTS_M[_WRIST] - REST_JOINTS_M[_ELBOW]
_UPPER_M, _FORE_M = float(np.linalg.norm(_UPPER)), float(np.linalg.norm(_FORE))

SHOULDER_AT: Array = _COLLAR_AT + _COLLAR_BONE
"""(3,) left shoulder in the chest's frame, at rest."""
ELBOW_RANGE_DEG = (38.0, 177.0)
"""Interior angle; a straight arm has 180."""
_TWIST_LIMIT_RAD = np.deg2rad(85.0)
"""Pronation and supination from the middle position, thumb up on a forearm that points forward."""
_WRIST_LIMIT_RAD = np.deg2rad(55.0)
_STRAIGHTENING = 0.004
"""How softly the reach ends, as a part of it: a hard end would jerk the elbow straight."""
_HINGE = np.array([0.0, -1.0, 0.0])
"""Axis about which the left elbow flexes in the rest pose (palm down, forearm comes forward)."""


def reach_m(interior_deg: float) -> float:
    """Distance from shoulder to wrist at an elbow's interior angle."""
    cosine = np.cos(np.deg2rad(interior_deg))
    return float(np.sqrt(_UPPER_M**2 + _FORE_M**2 - 2 * _UPPER_M * _FORE_M * cosine))


class ArmPose(NamedTuple):
    """Where an arm should be."""

    wrist: Array
    """(N, 3) position of the wrist."""
    elbow_side: Array
    """(N, 3) direction in which the elbow lies off the line from shoulder to wrist."""
    hand: Array
    """(N, 3, 3) rotation of the hand from the rest pose (fingers +x, palm -y) to the chest's frame."""


def left_arm_quats(pose: ArmPose) -> Array:
    """(N, 4, 4) local rotations of collar, shoulder, elbow and wrist, wxyz, that reach a pose.

    Wrists out of reach are approached as far as the elbow allows. Twist of the forearm and bending of
    the wrist are held within human limits; half of the twist goes to the elbow joint, half to the wrist.
    """
    collar = _collar_rotations(pose.wrist)
    shoulder_at = _COLLAR_AT + collar @ _COLLAR_BONE
    line = pose.wrist - shoulder_at
    distance = np.linalg.norm(line, axis=-1, keepdims=True)
    axis = line / np.maximum(distance, 1e-6)
    distance = _limited_reach(distance[:, 0])
    side = unit_vector(pose.elbow_side - np.sum(pose.elbow_side * axis, -1, keepdims=True) * axis)
    at_shoulder = _angle_between(_UPPER_M, distance, _FORE_M)
    at_wrist = _angle_between(_FORE_M, distance, _UPPER_M)
    upper = np.cos(at_shoulder)[:, None] * axis + np.sin(at_shoulder)[:, None] * side
    fore = np.cos(at_wrist)[:, None] * axis - np.sin(at_wrist)[:, None] * side
    hinge = np.cross(side, axis)
    shoulder = _basis(upper, hinge) @ _basis(_UPPER, _HINGE).T
    forearm = _basis(fore, hinge) @ _basis(_FORE, _HINGE).T
    elbow, wrist = _forearm_and_hand(forearm, pose.hand)
    local = [collar, _t(collar) @ shoulder, _t(shoulder) @ elbow, _t(elbow) @ wrist]
    return quat_wxyz_from_rotmat(np.stack(local, axis=1))


def hand_rotation(fingers: Array, palm: Array) -> Array:
    """(..., 3, 3) of a left hand whose fingers point, and whose palm faces, in given directions."""
    return _basis(fingers, palm) @ _basis(np.array([1.0, 0, 0]), np.array([0, -1.0, 0])).T


def _collar_rotations(wrist: Array) -> Array:
    """Shoulders rise with raised arms (a third of it comes from the shoulder blade) and go forward."""
    way = unit_vector(wrist - SHOULDER_AT)
    far = np.linalg.norm(wrist - SHOULDER_AT, axis=-1) / (_UPPER_M + _FORE_M)
    raised = np.arcsin(np.clip(way[:, 1], -1, 1))
    rise = np.deg2rad(-5.0) + np.deg2rad(30.0) * _smooth_step((raised + 0.4) / 2.0)
    forward = np.deg2rad(18.0) * way[:, 2] * np.minimum(far, 1.0) ** 2
    zero = np.zeros_like(rise)
    turn = rotmat_from_axis_angle(np.stack([zero, -forward, zero], -1))
    lift = rotmat_from_axis_angle(np.stack([zero, zero, rise], -1))
    return turn @ lift


def _limited_reach(distance: Array) -> Array:
    nearest, farthest = (reach_m(angle) for angle in ELBOW_RANGE_DEG)
    short = 1.0 - distance / farthest
    softened = farthest * (1.0 - 0.5 * (short + np.sqrt(short**2 + 4 * _STRAIGHTENING**2)))
    return np.maximum(softened, nearest)


def _angle_between(side: float, base: Array, opposite: float) -> Array:
    """Angle of a triangle between two sides [rad]."""
    cosine = (side**2 + base**2 - opposite**2) / (2 * side * base)
    return np.arccos(np.clip(cosine, -1, 1))


def _forearm_and_hand(forearm: Array, hand: Array) -> tuple[Array, Array]:
    """Splits the hand's rotation into the forearm's twist and the wrist's bend, both limited."""
    along = unit_vector(_FORE)
    wanted = _t(forearm) @ hand
    bent = wanted @ along
    cross = np.cross(np.broadcast_to(along, bent.shape), bent)
    angle = np.arctan2(np.linalg.norm(cross, axis=-1), bent @ along)
    bend = rotmat_from_axis_angle(unit_vector(cross) * angle[:, None])
    twist = axis_angle_from_rotmat(_t(bend) @ wanted) @ along
    angle = _held_within(angle, _WRIST_LIMIT_RAD)
    twist = _held_within(twist, _TWIST_LIMIT_RAD)
    bend = rotmat_from_axis_angle(unit_vector(cross) * angle[:, None])
    elbow = forearm @ rotmat_from_axis_angle(0.5 * twist[:, None] * along)
    return elbow, forearm @ bend @ rotmat_from_axis_angle(twist[:, None] * along)


def _held_within(angle: Array, limit: float) -> Array:
    """An angle up to a limit; back to nothing towards half a turn, where its sign is arbitrary."""
    size = np.minimum(np.minimum(np.abs(angle), limit), 2.0 * (np.pi - np.abs(angle)))
    return np.sign(angle) * np.maximum(size, 0.0)


def _basis(first: Array, second: Array) -> Array:
    """(..., 3, 3) columns: the first direction, the part of the second across it, their cross product."""
    one = unit_vector(first)
    two = unit_vector(second - np.sum(second * one, -1, keepdims=True) * one)
    return np.stack([one, two, np.cross(one, two)], axis=-1)


def _smooth_step(share: Array) -> Array:
    held = np.clip(share, 0.0, 1.0)
    return held * held * (3 - 2 * held)


def _t(rotmat: Array) -> Array:
    return np.swapaxes(rotmat, -1, -2)
