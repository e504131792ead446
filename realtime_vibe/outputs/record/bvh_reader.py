"""Reads BVH files as `bvh_writer` makes them: SMPL's tree, by one of three sets of names.

The format has neither the body's shape nor what the camera saw; both stay zero. Legend: N frames.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from realtime_vibe.errors import MotionFileError
from realtime_vibe.geometry.bvh import MAX_BVH_BYTES, BvhFile, parse_bvh
from realtime_vibe.geometry.smpl_joints import PARENTS
from realtime_vibe.outputs.record.bvh_names import BVH_NAMES, BVH_UNITS
from realtime_vibe.packets import NUM_SMPL_JOINTS, FloatArray
from realtime_vibe.system.file_boundary import file_boundary, read_regular

_SHORTEST_GIANT = 10.0
"""A skeleton whose bones add up to more is in centimetres."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BvhMotion:
    """What a BVH file says, in metres."""

    rate_hz: float
    rotmats: FloatArray
    """(N, 24, 3, 3) relative to the parent."""
    offsets: FloatArray
    """(24, 3) from each joint's parent to the joint; the root's is zero."""
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
        if any("position" in channel for channel in file.joints[number].channels):
            raise ValueError(
                "its bones change in length (--bvh-bones live), which is not read back"
            )
    offsets = [file.joints[number].offset for number in found]
    # Where the names end at the wrist, the ends of those bones are the knuckles.
    for joint in range(len(names), NUM_SMPL_JOINTS):
        end = file.joints[found[PARENTS[joint]]].end_offset
        if end is None:
            raise ValueError(f"{names[PARENTS[joint]]} has no end")
        offsets.append(end)
    offsets_m = np.array(offsets)
    offsets_m[0] = 0.0
    scale = BVH_UNITS["cm"] if np.abs(offsets_m).sum() > _SHORTEST_GIANT else BVH_UNITS["m"]
    rotmats = np.tile(np.eye(3), (len(file.frames), NUM_SMPL_JOINTS, 1, 1))
    rotmats[:, : len(found)] = file.local_rotations()[:, found]
    return BvhMotion(
        rate_hz=1.0 / file.frame_time_s,
        rotmats=rotmats.astype(np.float32),
        offsets=(offsets_m / scale).astype(np.float32),
        pelvis=(file.local_positions()[:, found[0]] / scale).astype(np.float32),
    )
