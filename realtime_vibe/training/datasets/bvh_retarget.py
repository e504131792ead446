"""Puts the motion of a known BVH skeleton on SMPL's.

Both figures stand in a T-pose when nothing is turned, but their bones do not point quite alike there
(forearms differ by 20 degrees, collars by 30). With `G` a joint's rotation to the world and `A_j` the
smallest rotation from SMPL's rest bone to that of the file,

    G_smpl_j(t) = G_bvh_j(t) A_j,    local_j = G_parent^T G_j

so that every limb points exactly where the file's does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.body.joints import PARENTS, SMPL_JOINT_NAMES
from realtime_vibe.errors import DatasetError, one_line
from realtime_vibe.geometry.bvh import MAX_BVH_BYTES, BvhFile, parse_bvh
from realtime_vibe.geometry.rotation import (
    axis_angle_from_rotmat,
    rotmat_from_axis_angle,
    smallest_rotation,
)
from realtime_vibe.geometry.smpl_skeleton import REST_JOINTS_M
from realtime_vibe.system.file_boundary import file_boundary, read_regular
from realtime_vibe.training.datasets.clip import (
    R_Z_UP_FROM_Y_UP,
    MotionClip,
    RecordedMotion,
    resampled_clip,
)

Array = NDArray[np.float64]


def read_bvh(path: Path) -> BvhFile:
    """Reads a BVH file.

    Raises:
        DatasetError: it is missing, no BVH, or cut off; says in which line or how many numbers.
    """
    with file_boundary(path, DatasetError, "expected a BVH file"):
        return parse_bvh(read_regular(path, MAX_BVH_BYTES).decode(errors="replace"))


@dataclass(frozen=True, slots=True, kw_only=True)
class BvhSkeleton:
    """How the joints of one family of files are called and what they mean to SMPL."""

    joints: Mapping[str, str]
    """SMPL joint -> joint of the file that turns it; joints not named follow their parent."""
    between: Mapping[str, tuple[str, str]]
    """SMPL joint -> two joints of the file; it turns half way between them."""
    bones: Mapping[str, str]
    """SMPL joint -> SMPL joint at the other end of the bone it turns, where one is to be aligned."""
    bone_ends: Mapping[str, str]
    """SMPL joint -> joint of the file at the other end; "" is the end site."""
    root: str
    metres_per_unit: float
    num_blend_frames: int
    """First frames to drop after a T-pose: the figure is still on its way into the motion."""


_LIMB_JOINTS = ("_hip", "_knee", "_ankle", "_collar", "_shoulder", "_elbow", "_wrist")


def _both_sides(*names: str) -> dict[str, str]:
    """One name for each of `_LIMB_JOINTS`: `Thigh` gives `left_hip: lThigh`, `_knee` gives `left_hip: left_knee`."""
    return {
        side + joint: side + name if name.startswith("_") else name and side[0] + name
        for side in ("left", "right")
        for joint, name in zip(_LIMB_JOINTS, names, strict=True)
    }


CGSPEED_DAZ = BvhSkeleton(
    root="hip",
    joints={
        **{"pelvis": "hip", "spine1": "abdomen", "spine3": "chest", "neck": "neck", "head": "head"},
        **_both_sides("Thigh", "Shin", "Foot", "Collar", "Shldr", "ForeArm", "Hand"),
    },
    between={"spine2": ("abdomen", "chest")},
    bones={
        "neck": "head",
        **_both_sides("_knee", "_ankle", "_foot", "_shoulder", "_elbow", "_wrist", "_hand"),
    },
    bone_ends={
        "neck": "head",
        **_both_sides("Shin", "Foot", "", "Shldr", "ForeArm", "Hand", "Mid1"),
    },
    metres_per_unit=0.01,
    # The T-pose frame and six more, at 120 frames a second, until the joints stop swinging in.
    num_blend_frames=7,
)
"""CMU motion capture as cgspeed's "Daz-friendly" release has it: y up, centimetres, 120 Hz."""

_KNOWN = {"CMU (cgspeed, Daz-friendly)": CGSPEED_DAZ}

_T_POSE_RAD = 0.02
"""Both upper arms turned by less than this: the file begins with its T-pose."""


def load_bvh(path: Path, rest_joints: Array = REST_JOINTS_M) -> MotionClip:
    """Reads a BVH file of a known skeleton as a motion of SMPL.

    Hands and feet follow wrists and ankles. The size of the file's figure is kept: the pelvis moves as
    far as it did there.

    Raises:
        DatasetError: no BVH, cut off, an unknown skeleton, or nothing left after the T-pose.
    """
    file = read_bvh(path)
    with file_boundary(path, DatasetError, "expected a BVH file of CMU's motion"):
        motion = _retargeted(file, _recognised(file), rest_joints)
        return resampled_clip(motion, path.stem)


def _retargeted(file: BvhFile, skeleton: BvhSkeleton, rest_joints: Array) -> RecordedMotion:
    start = skeleton.num_blend_frames if _begins_in_t_pose(file, skeleton) else 0
    if start >= len(file.frames):
        raise DatasetError(
            f"{len(file.frames)} frames, expected motion after the T-pose (the first {start})"
        )
    world = R_Z_UP_FROM_Y_UP @ _smpl_world_rotations(file, skeleton, rest_joints)[start:]
    local = world.copy()
    local[:, 1:] = np.swapaxes(world[:, PARENTS[1:]], -1, -2) @ world[:, 1:]
    pelvis = file.world_positions()[start:, file.index(skeleton.root)] * skeleton.metres_per_unit
    return RecordedMotion(
        rotmat=local,
        pelvis=pelvis @ R_Z_UP_FROM_Y_UP.T,
        # Frame times have six digits: 0.008333 means 120.
        rate_hz=round(1.0 / file.frame_time_s, 3),
    )


def _recognised(file: BvhFile) -> BvhSkeleton:
    names = {joint.name for joint in file.joints}
    lacking: list[str] = []
    for family, skeleton in _KNOWN.items():
        needed = {*skeleton.joints.values(), *skeleton.bone_ends.values(), skeleton.root} - {""}
        if needed <= names:
            return skeleton
        missing = sorted(needed - names)
        lacking.append(f"{family} (missing {len(missing)}: {', '.join(missing[:4])}, ..)")
    raise DatasetError(
        f"unknown skeleton ({one_line(', '.join(joint.name for joint in file.joints[:6]), 200)}, ..), "
        f"expected {' or '.join(lacking)}"
    )


def _begins_in_t_pose(file: BvhFile, skeleton: BvhSkeleton) -> bool:
    world = file.world_rotations()[:1]
    for name in ("left_shoulder", "right_shoulder"):
        index = file.index(skeleton.joints[name])
        local = np.swapaxes(world[0, file.joints[index].parent], -1, -2) @ world[0, index]
        if np.linalg.norm(axis_angle_from_rotmat(local)) > _T_POSE_RAD:
            return False
    return True


def _smpl_world_rotations(file: BvhFile, skeleton: BvhSkeleton, rest_joints: Array) -> Array:
    """(N, 24, 3, 3) `G_smpl` in the world of the file."""
    world = file.world_rotations()
    smpl = np.empty((len(world), len(SMPL_JOINT_NAMES), 3, 3))
    for joint, name in enumerate(SMPL_JOINT_NAMES):
        if name in skeleton.joints:
            turned = world[:, file.index(skeleton.joints[name])]
            smpl[:, joint] = turned @ _alignment(file, skeleton, name, rest_joints)
        elif name in skeleton.between:
            first, second = (file.index(each) for each in skeleton.between[name])
            smpl[:, joint] = _half_way(world[:, first], world[:, second])
        else:
            smpl[:, joint] = smpl[:, PARENTS[joint]]
    return smpl


def _alignment(file: BvhFile, skeleton: BvhSkeleton, name: str, rest_joints: Array) -> Array:
    """`A_j`: the smallest rotation from SMPL's rest bone to the file's; identity without a bone."""
    if name not in skeleton.bones:
        return np.eye(3)
    rest = (
        rest_joints[SMPL_JOINT_NAMES.index(skeleton.bones[name])]
        - rest_joints[SMPL_JOINT_NAMES.index(name)]
    )
    end = skeleton.bone_ends[name]
    turned = file.joints[file.index(skeleton.joints[name])]
    offset = file.joints[file.index(end)].offset if end else turned.end_offset
    if offset is None or not np.any(offset):
        raise DatasetError(f"joint {turned.name} has no bone, expected an End Site with an offset")
    return smallest_rotation(rest, np.asarray(offset))


def _half_way(first: Array, second: Array) -> Array:
    """(N, 3, 3) half of the way from one rotation to the other."""
    between = np.swapaxes(first, -1, -2) @ second
    return first @ rotmat_from_axis_angle(0.5 * axis_angle_from_rotmat(between))
