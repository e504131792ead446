"""Puts CMU's motion, as cgspeed's "Daz-friendly" BVH release has it (y up, centimetres, 120 Hz), on SMPL's skeleton.

Both figures stand in a T-pose when nothing is turned, but their bones do not point quite alike there
(forearms differ by 20 degrees, collars by 30). With `G` a joint's rotation to the world and `A_j` the
smallest rotation from SMPL's rest bone to that of the file,

    G_smpl_j(t) = G_bvh_j(t) A_j,    local_j = G_parent^T G_j

so that every limb points exactly where the file's does.
"""

from collections.abc import Mapping
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


_ROOT = "hip"
_METRES_PER_UNIT = 0.01
_NUM_BLEND_FRAMES = 7
"""To drop after a T-pose: that frame and six more, at 120 frames a second, until the joints stop swinging in."""
_LIMB_JOINTS = ("_hip", "_knee", "_ankle", "_collar", "_shoulder", "_elbow", "_wrist")


def _both_sides(*names: str) -> dict[str, str]:
    """One name for each of `_LIMB_JOINTS`: `Thigh` gives `left_hip: lThigh`, `_knee` gives `left_hip: left_knee`."""
    return {
        side + joint: side + name if name.startswith("_") else name and side[0] + name
        for side in ("left", "right")
        for joint, name in zip(_LIMB_JOINTS, names, strict=True)
    }


_JOINTS: Mapping[str, str] = {
    **{"pelvis": "hip", "spine1": "abdomen", "spine3": "chest", "neck": "neck", "head": "head"},
    **_both_sides("Thigh", "Shin", "Foot", "Collar", "Shldr", "ForeArm", "Hand"),
}
"""SMPL joint -> joint of the file that turns it; joints not named follow their parent."""
_BETWEEN: Mapping[str, tuple[str, str]] = {"spine2": ("abdomen", "chest")}
"""SMPL joint -> two joints of the file; it turns half way between them."""
_BONES: Mapping[str, str] = {
    "neck": "head",
    **_both_sides("_knee", "_ankle", "_foot", "_shoulder", "_elbow", "_wrist", "_hand"),
}
"""SMPL joint -> SMPL joint at the other end of the bone it turns, where one is to be aligned."""
_BONE_ENDS: Mapping[str, str] = {
    "neck": "head",
    **_both_sides("Shin", "Foot", "", "Shldr", "ForeArm", "Hand", "Mid1"),
}
"""SMPL joint -> joint of the file at the other end; "" is the end site."""

_T_POSE_RAD = 0.02
"""Both upper arms turned by less than this: the file begins with its T-pose."""


def load_bvh(path: Path) -> MotionClip:
    """Reads a BVH file of CMU's motion as a motion of SMPL.

    Hands and feet follow wrists and ankles. The size of the file's figure is kept: the pelvis moves as
    far as it did there.

    Raises:
        DatasetError: no BVH, cut off, an unknown skeleton, or nothing left after the T-pose.
    """
    file = read_bvh(path)
    with file_boundary(path, DatasetError, "expected a BVH file of CMU's motion"):
        _check_skeleton(file)
        start = _NUM_BLEND_FRAMES if _begins_in_t_pose(file) else 0
        if start >= len(file.frames):
            raise DatasetError(
                f"{len(file.frames)} frames, expected motion after the T-pose (the first {start})"
            )
        world = R_Z_UP_FROM_Y_UP @ _smpl_world_rotations(file)[start:]
        local = world.copy()
        local[:, 1:] = np.swapaxes(world[:, PARENTS[1:]], -1, -2) @ world[:, 1:]
        pelvis = file.world_positions()[start:, file.index(_ROOT)] * _METRES_PER_UNIT
        # Frame times have six digits: 0.008333 means 120.
        rate_hz = round(1.0 / file.frame_time_s, 3)
        return resampled_clip(path.stem, local, pelvis @ R_Z_UP_FROM_Y_UP.T, rate_hz)


def _check_skeleton(file: BvhFile) -> None:
    names = [joint.name for joint in file.joints]
    missing = sorted({_ROOT, *_JOINTS.values(), *_BONE_ENDS.values()} - {"", *names})
    if missing:
        raise DatasetError(
            f"unknown skeleton ({one_line(', '.join(names[:6]), 200)}, ..), expected CMU (cgspeed, "
            f"Daz-friendly) (missing {len(missing)}: {', '.join(missing[:4])}, ..)"
        )


def _begins_in_t_pose(file: BvhFile) -> bool:
    world = file.world_rotations()[:1]
    for name in ("left_shoulder", "right_shoulder"):
        index = file.index(_JOINTS[name])
        local = np.swapaxes(world[0, file.joints[index].parent], -1, -2) @ world[0, index]
        if np.linalg.norm(axis_angle_from_rotmat(local)) > _T_POSE_RAD:
            return False
    return True


def _smpl_world_rotations(file: BvhFile) -> Array:
    """(N, 24, 3, 3) `G_smpl` in the world of the file."""
    world = file.world_rotations()
    smpl = np.empty((len(world), len(SMPL_JOINT_NAMES), 3, 3))
    for joint, name in enumerate(SMPL_JOINT_NAMES):
        if name in _JOINTS:
            smpl[:, joint] = world[:, file.index(_JOINTS[name])] @ _alignment(file, name)
        elif name in _BETWEEN:
            first, second = (file.index(each) for each in _BETWEEN[name])
            smpl[:, joint] = _half_way(world[:, first], world[:, second])
        else:
            smpl[:, joint] = smpl[:, PARENTS[joint]]
    return smpl


def _alignment(file: BvhFile, name: str) -> Array:
    """`A_j`: the smallest rotation from SMPL's rest bone to the file's; identity without a bone."""
    if name not in _BONES:
        return np.eye(3)
    far, near = (SMPL_JOINT_NAMES.index(each) for each in (_BONES[name], name))
    end = _BONE_ENDS[name]
    turned = file.joints[file.index(_JOINTS[name])]
    offset = file.joints[file.index(end)].offset if end else turned.end_offset
    if offset is None or not np.any(offset):
        raise DatasetError(f"joint {turned.name} has no bone, expected an End Site with an offset")
    return smallest_rotation(REST_JOINTS_M[far] - REST_JOINTS_M[near], np.asarray(offset))


def _half_way(first: Array, second: Array) -> Array:
    """(N, 3, 3) half of the way from one rotation to the other."""
    between = np.swapaxes(first, -1, -2) @ second
    return first @ rotmat_from_axis_angle(0.5 * axis_angle_from_rotmat(between))
