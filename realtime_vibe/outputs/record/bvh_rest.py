"""Brings a skeleton of SMPL's joints from the rest pose it was saved in to SMPL's own.

A BVH file says how joints turn from its rest pose. Editors change that pose: Blender turns it to Z up, and whoever
applies an A-pose as the rest pose lowers the arms. The same angles then mean another motion, so the rest poses are
compared. Legend: N frames, J = 24 joints.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.geometry.rotation import smallest_rotation
from realtime_vibe.geometry.smpl_joints import PARENTS, SMPL_JOINT_NAMES
from realtime_vibe.geometry.smpl_rest import REST_JOINTS_M
from realtime_vibe.geometry.smpl_skeleton import bone_offsets, rest_joints

Array = NDArray[np.float64]

_OUT_OF_LINE_DEG = 15.0
"""A trunk further from the next axis is bent or turned; shapes alone tilt it by 6."""
_SHAPE_DEG = 10.0
"""How far arms and legs may point elsewhere because of the shape: 7 where it is two standard deviations off."""
_LIMBS = {"shoulder": "elbow", "elbow": "wrist", "hip": "knee", "knee": "ankle"}
_FOLLOWERS = {"wrist": "elbow", "hand": "elbow", "ankle": "knee", "foot": "knee"}
"""What moves with a limb when its rest is changed."""
_ADVICE = "in Blender, leave the rest pose as it was imported: no 'Apply Pose as Rest Pose', no rotation in Edit Mode"


class Skeleton(NamedTuple):
    """A motion and the skeleton it is of."""

    rotmats: Array
    """(N, 24, 3, 3) relative to the parent."""
    offsets: Array
    """(24, 3), or (N, 24, 3), from each joint's parent; the root's is zero."""
    pelvis: Array
    """(N, 3)."""


def with_smpl_rest(skeleton: Skeleton, rest_offsets: Array) -> Skeleton:
    """The same motion of a skeleton that rests as SMPL's does: every joint stays where it was.

    Axes are exchanged where the trunk stands along others, and arms and legs that rest elsewhere than in SMPL's
    T-pose are turned there by the smallest rotation, which leaves their twist.

    Args:
        rest_offsets: (24, 3) its bones in the rest pose; the root's is zero.

    Raises:
        ValueError: the trunk rests neither upright nor along an axis.
    """
    axes = _axes(rest_offsets)
    turned = Skeleton(
        rotmats=axes.T @ skeleton.rotmats @ axes,
        offsets=skeleton.offsets @ axes,
        pelvis=skeleton.pelvis @ axes,
    )
    return _with_limbs_at_rest(turned, rest_offsets @ axes)


def _axes(rest_offsets: Array) -> Array:
    """(3, 3) columns: where the file has what is left, up and ahead for SMPL."""
    joints = rest_joints(rest_offsets)
    left = _between(joints, "right_hip", "left_hip")
    up = _between(joints, "pelvis", "neck")
    found = np.stack([left, up, np.cross(left, up)], axis=1)
    axes: Array = np.round(found / np.linalg.norm(found, axis=0))
    off_deg = np.degrees(
        np.arccos(np.clip((axes * found / np.linalg.norm(found, axis=0)).sum(0), -1, 1))
    )
    if not (off_deg < _OUT_OF_LINE_DEG).all() or not np.allclose(axes.T @ axes, np.eye(3)):
        raise ValueError(f"its body rests neither upright nor along an axis; {_ADVICE}")
    return axes


def _with_limbs_at_rest(skeleton: Skeleton, rest_offsets: Array) -> Skeleton:
    """Turns arms and legs that rest elsewhere to where SMPL has them."""
    smpl = bone_offsets(REST_JOINTS_M)
    turns = np.tile(np.eye(3), (len(PARENTS), 1, 1))
    for side in ("left_", "right_"):
        for start, end in _LIMBS.items():
            bone = SMPL_JOINT_NAMES.index(side + end)
            turn = smallest_rotation(smpl[bone], rest_offsets[bone])
            if np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1))) > _SHAPE_DEG:
                turns[SMPL_JOINT_NAMES.index(side + start)] = turn
        for joint, limb in _FOLLOWERS.items():
            follower, followed = (
                SMPL_JOINT_NAMES.index(side + joint),
                SMPL_JOINT_NAMES.index(side + limb),
            )
            turns[follower] = turns[followed]
    above = np.stack([np.eye(3) if parent < 0 else turns[parent] for parent in PARENTS])
    inverse = np.swapaxes(above, -1, -2)
    return Skeleton(
        rotmats=inverse @ skeleton.rotmats @ turns,
        offsets=(inverse @ skeleton.offsets[..., None])[..., 0],
        pelvis=skeleton.pelvis,
    )


def _between(joints: Array, start: str, end: str) -> Array:
    there: Array = joints[SMPL_JOINT_NAMES.index(end)] - joints[SMPL_JOINT_NAMES.index(start)]
    return there
