"""Reads BVH files as `bvh_writer` makes them, also after an editor: SMPL's tree, by one of three sets of names.

The format has neither the body's shape nor what the camera saw; both stay zero. It says how joints turn from its rest
pose, and editors change that pose: Blender turns it to Z up, and whoever applies an A-pose as the rest pose lowers the
arms. The same angles then mean another motion, so the rest poses are compared. Legend: N frames, J = 24 joints.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.errors import MotionFileError
from realtime_vibe.geometry.bvh import MAX_BVH_BYTES, BvhFile, parse_bvh
from realtime_vibe.geometry.rotation import smallest_rotation
from realtime_vibe.geometry.smpl_joints import PARENTS, SMPL_JOINT_NAMES
from realtime_vibe.geometry.smpl_skeleton import REST_JOINTS_M, bone_offsets, rest_joints
from realtime_vibe.outputs.record.bvh_names import BVH_NAMES, BVH_UNITS
from realtime_vibe.packets import NUM_SMPL_JOINTS, FloatArray
from realtime_vibe.system.file_boundary import file_boundary, read_regular

Array = NDArray[np.float64]

_SMALLEST, _LARGEST = 0.55, 1.5
"""Of the usual body, of 1.7 m: from a child of 0.95 m to more than anybody is tall."""
_MOST_STRETCHED = 0.5
"""How far a bone may be from its rest length while it follows the live shape, as a share of the longest bone."""
_DIGITS = 1e-5
"""How exact editors write: six digits."""

_OUT_OF_LINE_DEG = 15.0
"""A trunk further from the next axis is bent or turned; shapes alone tilt it by 6."""
_SHAPE_DEG = 10.0
"""How far arms and legs may point elsewhere because of the shape: 7 where it is two standard deviations off."""
_LIMBS = {"shoulder": "elbow", "elbow": "wrist", "hip": "knee", "knee": "ankle"}
_FOLLOWERS = {"wrist": "elbow", "hand": "elbow", "ankle": "knee", "foot": "knee"}
"""What moves with a limb when its rest is changed."""
_ADVICE = (
    "in Blender, leave the rest pose as it was imported: no 'Apply Pose as Rest Pose', no 'Apply Rotation', no "
    "rotation in Edit Mode"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BvhMotion:
    """What a BVH file says, in metres."""

    rate_hz: float
    rotmats: FloatArray
    """(N, 24, 3, 3) relative to the parent."""
    offsets: FloatArray
    """(24, 3) from each joint's parent to the joint, or (N, 24, 3) where they change; the root's is zero."""
    pelvis: FloatArray
    """(N, 3) where the root is."""


def read_bvh(path: Path) -> BvhMotion:
    """Reads a file with SMPL's joints.

    Raises:
        MotionFileError: the file is missing, damaged, or has other joints.
    """
    with file_boundary(path, MotionFileError, "expected a .bvh with SMPL's joints"):
        return _motion(parse_bvh(read_regular(path, MAX_BVH_BYTES).decode()))


def _motion(file: BvhFile) -> BvhMotion:
    numbers = {joint.name: number for number, joint in enumerate(file.joints)}
    names = next((names for names in BVH_NAMES.values() if set(names) <= set(numbers)), None)
    if names is None:
        raise ValueError(f"it lacks SMPL's joints by the names of {', '.join(BVH_NAMES)}")
    found = [numbers[name] for name in names]
    for joint, number in enumerate(found[1:], start=1):
        if file.joints[number].parent != found[PARENTS[joint]]:
            raise ValueError(f"{names[joint]} hangs on another joint than SMPL's")
    rest = _rest_offsets(file, names, found)
    metre = _metre(rest)
    local = file.local_positions()[:, found]
    rotmats = np.tile(np.eye(3), (len(file.frames), NUM_SMPL_JOINTS, 1, 1))
    rotmats[:, : len(found)] = file.local_rotations()[:, found]
    # Rigs put a root above the pelvis, and Blender does where anything stands beside it.
    rotmats[:, 0] = file.world_rotations()[:, found[0]]
    pelvis = file.world_positions()[:, found[0]] / metre
    skeleton = Skeleton(rotmats=rotmats, offsets=_bones(rest, local) / metre, pelvis=pelvis)
    rested = with_smpl_rest(skeleton, rest / metre)
    return BvhMotion(
        rate_hz=1.0 / file.frame_time_s,
        rotmats=rested.rotmats.astype(np.float32),
        offsets=rested.offsets.astype(np.float32),
        pelvis=rested.pelvis.astype(np.float32),
    )


def _rest_offsets(file: BvhFile, names: tuple[str, ...], found: list[int]) -> Array:
    """(24, 3) bones in the file's unit; the root's is zero."""
    offsets = [file.joints[number].offset for number in found]
    # Where the names end at the wrist, the ends of those bones are the knuckles.
    for joint in range(len(names), NUM_SMPL_JOINTS):
        end = file.joints[found[PARENTS[joint]]].end_offset
        if end is None:
            raise ValueError(f"{names[PARENTS[joint]]} has no end")
        offsets.append(end)
    offsets[0] = (0.0, 0.0, 0.0)
    return np.array(offsets)


def _metre(rest: Array) -> float:
    """How many of the file's units a metre has, judged by the lengths of the bones."""
    length = np.linalg.norm(rest, axis=-1).sum()
    usual_m = np.linalg.norm(bone_offsets(REST_JOINTS_M)[1:], axis=-1).sum()
    for units in BVH_UNITS.values():
        if _SMALLEST < length / units / usual_m < _LARGEST:
            return units
    raise ValueError(
        f"its bones add up to {length:.3g}, expected about {usual_m:.1f} (metres) or {100 * usual_m:.0f} "
        "(centimetres): in Blender, import and export with Scale 1"
    )


def _bones(rest: Array, local: Array) -> Array:
    """(24, 3) bones, or (N, 24, 3) where their position channels change: those replace the offsets."""
    bones = np.broadcast_to(rest, (len(local), *rest.shape)).copy()
    bones[:, 1 : local.shape[1]] = local[:, 1:]
    lengths, usual = np.linalg.norm(bones[:, 1:], axis=-1), np.linalg.norm(rest[1:], axis=-1)
    if not (np.abs(lengths - usual) <= _MOST_STRETCHED * usual.max()).all():
        raise ValueError(
            "the positions of its joints are not the offsets of its bones: in Blender, export with "
            "'Root Translation Only'"
        )
    steady = np.ptp(bones, axis=0).max() <= _DIGITS * usual.max()
    return bones[0] if steady else bones


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
