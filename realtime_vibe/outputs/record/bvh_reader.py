"""Reads BVH files as `bvh_writer` makes them, also after an editor: SMPL's tree, by one of three sets of names.

The format has nothing of what the camera saw, and of the body's shape the bones. It says how joints turn from its rest
pose, and editors change that pose: Blender turns it to Z up, and whoever applies an A-pose as the rest pose lowers the
arms. The same angles then mean another motion, so the rest poses are compared. Legend: N frames, J = 24 joints.
"""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.errors import MotionFileError
from realtime_vibe.geometry.bvh import MAX_BVH_BYTES, BvhFile, parse_bvh
from realtime_vibe.geometry.rotation import smallest_rotation
from realtime_vibe.geometry.smpl_joints import PARENTS, SMPL_JOINT_NAMES
from realtime_vibe.geometry.smpl_skeleton import REST_JOINTS_M, bone_offsets, rest_joints
from realtime_vibe.outputs.record import row_blocks
from realtime_vibe.outputs.record.bvh_names import BVH_NAMES, BVH_UNITS
from realtime_vibe.packets import NUM_SMPL_JOINTS
from realtime_vibe.system.file_boundary import file_boundary, text_lines

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
_LIMBS = {1: 4, 2: 5, 4: 7, 5: 8, 16: 18, 17: 19, 18: 20, 19: 21}
"""Joint at which an arm's or leg's bone begins -> where it ends."""
_FOLLOWERS = (7, 8, 10, 11, 20, 21, 22, 23)
"""Ankles, feet, wrists and hands move with the limb above when its rest is changed."""
_ADVICE = (
    "in Blender, leave the rest pose as it was imported: no 'Apply Pose as Rest Pose', no 'Apply Rotation', no "
    "rotation in Edit Mode"
)


class Skeleton(NamedTuple):
    """A motion and the skeleton it is of."""

    rotmats: Array
    """(N, 24, 3, 3) relative to the parent."""
    offsets: Array
    """(24, 3), or (N, 24, 3) where they change, from each joint's parent; the root's is zero."""
    pelvis: Array
    """(N, 3)."""


class BvhMotion:
    """What a BVH file says, in metres; its frames are posed when they are asked for.

    Args:
        file: with SMPL's joints.

    Raises:
        ValueError: it lacks them, or rests or moves in a way that no motion of SMPL's can be made of.
    """

    def __init__(self, file: BvhFile) -> None:
        numbers = {joint.name: number for number, joint in enumerate(file.joints)}
        names = next((names for names in BVH_NAMES.values() if set(names) <= set(numbers)), None)
        if names is None:
            raise ValueError(f"it lacks SMPL's joints by the names of {', '.join(BVH_NAMES)}")
        self._file = file.only(numbers[name] for name in names)
        self._found = [self._file.index(name) for name in names]
        self._above = self._file.only(self._found[:1])
        joints = self._file.joints
        for joint, number in enumerate(self._found[1:], start=1):
            if joints[number].parent != self._found[PARENTS[joint]]:
                raise ValueError(f"{names[joint]} hangs on another joint than SMPL's")
        self._rest = _rest_offsets(self._file, names, self._found)
        self._metre = _metre(self._rest)
        self._is_steady = self._check_bones()
        self.frames(slice(1))  # a rest pose that cannot be taken back is refused at once
        self.rate_hz = 1.0 / file.frame_time_s
        """Frames per second."""

    def __len__(self) -> int:
        return len(self._file.frames)

    def frames(self, numbers: slice) -> Skeleton:
        """The motion of some frames, relative to SMPL's rest pose."""
        file, above = (
            replace(part, frames=part.frames[numbers]) for part in (self._file, self._above)
        )
        rotmats = np.tile(np.eye(3), (len(file.frames), NUM_SMPL_JOINTS, 1, 1))
        rotmats[:, : len(self._found)] = file.local_rotations()[:, self._found]
        # Rigs put a root above the pelvis, and Blender does where anything stands beside it.
        rotmats[:, 0] = above.world_rotations()[:, -1]
        bones = self._bones(file)
        skeleton = Skeleton(
            rotmats=rotmats,
            offsets=(bones[0] if self._is_steady else bones) / self._metre,
            pelvis=above.world_positions()[:, -1] / self._metre,
        )
        return with_smpl_rest(skeleton, self._rest / self._metre)

    def _bones(self, file: BvhFile) -> Array:
        """(N, 24, 3): position channels replace the offsets."""
        local = file.local_positions()[:, self._found]
        bones = np.broadcast_to(self._rest, (len(local), *self._rest.shape)).copy()
        bones[:, 1 : local.shape[1]] = local[:, 1:]
        return bones

    def _check_bones(self) -> bool:
        """Whether bones keep their lengths and directions throughout."""
        usual = np.linalg.norm(self._rest[1:], axis=-1)
        extremes: list[Array] = []
        for start in range(0, len(self), row_blocks.BLOCK):
            frames = self._file.frames[start : start + row_blocks.BLOCK]
            bones = self._bones(replace(self._file, frames=frames))
            stretched = np.abs(np.linalg.norm(bones[:, 1:], axis=-1) - usual)
            if not (stretched <= _MOST_STRETCHED * usual.max()).all():
                raise ValueError(
                    "the positions of its joints are not the offsets of its bones: in Blender, export with "
                    "'Root Translation Only'"
                )
            extremes += [bones.min(axis=0), bones.max(axis=0)]
        return bool(np.ptp(extremes, axis=0).max() <= _DIGITS * usual.max())


def read_bvh(path: Path) -> BvhMotion:
    """Reads a file with SMPL's joints.

    Raises:
        MotionFileError: the file is missing, damaged, or has other joints.
    """
    with file_boundary(path, MotionFileError, "expected a .bvh with SMPL's joints"):
        return BvhMotion(parse_bvh(text_lines(path, MAX_BVH_BYTES)))


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


def with_smpl_rest(skeleton: Skeleton, rest_offsets: Array) -> Skeleton:
    """The same motion of a skeleton that rests as SMPL's does: every joint stays where it was.

    Axes are exchanged where the trunk stands along others, and arms and legs that rest elsewhere than in SMPL's
    T-pose are turned there by the smallest rotation, which leaves their twist. `rest_offsets` (24, 3) are its bones in the
    rest pose; the root's is zero.

    Raises:
        ValueError: the trunk rests neither upright nor along an axis.
    """
    axes = _axes(rest_offsets)
    rest_offsets = rest_offsets @ axes
    smpl = bone_offsets(REST_JOINTS_M)
    turns = np.tile(np.eye(3), (len(PARENTS), 1, 1))
    for start, end in _LIMBS.items():
        if not rest_offsets[end].any():  # no length, no direction
            continue
        turn = smallest_rotation(smpl[end], rest_offsets[end])
        if np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1))) > _SHAPE_DEG:
            turns[start] = turn
    for joint in _FOLLOWERS:
        turns[joint] = turns[PARENTS[joint]]
    above = np.stack([np.eye(3) if parent < 0 else turns[parent] for parent in PARENTS])
    inverse = np.swapaxes(above, -1, -2)
    return Skeleton(
        rotmats=inverse @ (axes.T @ skeleton.rotmats @ axes) @ turns,
        offsets=(inverse @ (skeleton.offsets @ axes)[..., None])[..., 0],
        pelvis=skeleton.pelvis @ axes,
    )


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


def _between(joints: Array, start: str, end: str) -> Array:
    there: Array = joints[SMPL_JOINT_NAMES.index(end)] - joints[SMPL_JOINT_NAMES.index(start)]
    return there
