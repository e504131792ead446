"""Turns motion files back into the rows of a take: recordings of ours, AMASS files of others, BVH of ours.

Legend: N rows or frames.
"""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.errors import MotionFileError
from realtime_vibe.geometry.axes import R_WORLD_CAMERA, R_YUP_WORLD
from realtime_vibe.geometry.rotation import (
    are_rotations,
    rot6d_from_rotmat,
    rotmat_from_axis_angle,
)
from realtime_vibe.geometry.smpl_skeleton import bone_offsets, joint_positions
from realtime_vibe.outputs.record import row_blocks
from realtime_vibe.outputs.record.bvh_reader import BvhMotion
from realtime_vibe.outputs.record.npz_motion import FIELDS
from realtime_vibe.outputs.record.recording_spool import (
    LARGEST_TIME_S,
    Rows,
    row_type,
    sound_rows,
)
from realtime_vibe.outputs.record.take_rows import WORLD_CAMERA, SkinnedBody
from realtime_vibe.packets import LARGEST, NUM_BETAS, NUM_SMPL_JOINTS, FloatArray, are_sound
from realtime_vibe.system.npz_file import NpzArchive

logger = logging.getLogger(__name__)

Arrays = Mapping[str, NDArray[Any]]

_BODY_NUMBERS = 66
_SAME_BONE_M = 1e-3
_FARTHEST_SHAPE = 10.0
"""Of a body [standard deviations]."""
_RATE_NAMES = ("mocap_frame_rate", "mocap_framerate", "fps")
_MIN_RATE_HZ, _MAX_RATE_HZ = 1e-3, 1000.0
_GENDERS = ("neutral", "male", "female")


class NpzMotion:
    """An open `.npz` that has AMASS's motion: a recording of this program, or a file of others.

    Raises:
        MotionFileError: an array is missing or has an unfit shape.
    """

    def __init__(self, archive: NpzArchive) -> None:
        self._archive = archive
        self.is_ours = "joints_camera" in archive and "betas_per_row" in archive
        """Whether it is a recording of this program, with everything a take has."""
        self._count = self._checked_count()

    @property
    def keypoint_names(self) -> tuple[str, ...]:
        """Those of a recording of this program."""
        names = self._archive["kp_names"] if self.is_ours and "kp_names" in self._archive else ()
        return tuple(str(name) for name in names)

    @property
    def gender(self) -> str:
        """Neutral, male or female; neutral where the file says nothing of the kind."""
        found = self._archive["gender"] if "gender" in self._archive else np.zeros(0)
        # Some files hold bytes, or the text that Python 3 makes of bytes.
        text = str(found.item()).strip("b'\"").lower() if found.size == 1 else ""
        return text if text in _GENDERS else _GENDERS[0]

    def rows(self, skin: SkinnedBody | None, *, has_shape: bool) -> Iterator[Rows]:
        """The rows of a take, a block at a time.

        Args:
            skin: the body that the motion of others goes on.
            has_shape: whether the shape that such a file states is one of that body; else it has its mean shape.

        Raises:
            MotionFileError: a number cannot be what it stands for, times go back, or there is no frame rate.
        """
        if self.is_ours or skin is None:
            names = self.keypoint_names
            yield from (_rows_of_recording(block, names) for block in self._blocks())
            return
        betas = self._betas() if has_shape else np.zeros(NUM_BETAS, np.float32)
        rate_hz, first = self._rate_hz(), 0
        for block in self._blocks():
            rows = _rows_in_time(len(block["poses"]), rate_hz, first)
            rows["betas"] = betas
            _fill_from_amass(rows, block, skin.rest_joints(betas))
            yield rows
            first += len(rows)

    def _blocks(self) -> Iterator[Arrays]:
        """The arrays with one entry a row, a block of rows at a time."""
        last_s = -LARGEST_TIME_S
        names = [
            name
            for name in (*FIELDS, "poses", "trans", "hand_poses")
            if name in self._archive and self._archive.shape(name)[:1] == (self._count,)
        ]
        for block in self._archive.blocks(names, row_blocks.BLOCK):
            for name, array in block.items():
                _expect_numbers(name, array)
            if self.is_ours:
                if (np.diff(block["timestamps_s"], prepend=last_s) < 0).any():
                    raise MotionFileError("timestamps_s goes back")
                last_s = float(block["timestamps_s"][-1])
            yield block

    def _checked_count(self) -> int:
        given = self._archive.shape("poses")
        count = given[0] if len(given) == 2 else 0
        wanted: dict[str, tuple[int, ...]] = {"poses": (count, _BODY_NUMBERS), "trans": (count, 3)}
        if self.is_ours:
            wanted |= {"joints_camera": (count, 24, 3), "transl_camera": (count, 3)}
            wanted |= {"betas_per_row": (count, NUM_BETAS), "timestamps_s": (count,)}
            wanted |= dict.fromkeys(("valid", "person_id", "frame_index"), (count,))
        for name, expected in wanted.items():
            shape = self._archive.shape(name)
            if shape != expected and not (name == "poses" and shape[1:] >= expected[1:]):
                raise MotionFileError(f"{name} has shape {shape}, expected {expected}")
        if not count:
            raise MotionFileError("it holds no row of motion")
        return count

    def _betas(self) -> FloatArray:
        """(10,) the stated shape; zeros where there is none."""
        betas = np.zeros(NUM_BETAS, np.float32)
        if "betas" in self._archive:
            given = self._archive["betas"]
            _expect_numbers("betas", given)
            if given.ndim != 1:
                raise MotionFileError(f"betas has shape {given.shape}, expected one row of numbers")
            betas[: len(given)] = given[:NUM_BETAS]
        return betas

    def _rate_hz(self) -> float:
        for name in _RATE_NAMES:
            stated = self._archive[name] if name in self._archive else np.zeros(0)
            if stated.size == 1 and stated.dtype.kind in "fiu":
                rate_hz = float(stated.reshape(()))
                if _MIN_RATE_HZ <= rate_hz <= _MAX_RATE_HZ:
                    return rate_hz
        raise MotionFileError(
            f"the file names no frame rate: expected one of {', '.join(_RATE_NAMES)}"
        )


def _expect_numbers(name: str, array: NDArray[Any]) -> None:
    largest = LARGEST_TIME_S if name == "timestamps_s" else LARGEST
    if array.dtype.kind not in "biuf":
        raise MotionFileError(f"{name} holds {array.dtype}, expected numbers")
    if array.dtype.kind == "f" and not are_sound(array, largest=largest):
        raise MotionFileError(f"{name} holds numbers that are not finite or beyond {largest:g}")


def _rows_of_recording(arrays: Arrays, keypoint_names: tuple[str, ...]) -> Rows:
    rows = np.zeros(len(arrays["poses"]), row_type(keypoint_names))
    for name, field in FIELDS.items():
        if name in arrays and field in (rows.dtype.names or ()):
            array = arrays[name]
            if array.shape != rows[field].shape:
                raise MotionFileError(
                    f"{name} has shape {array.shape} of {array.dtype}, expected numbers of shape {rows[field].shape}"
                )
            with np.errstate(invalid="ignore"):
                rows[field] = array
            if rows[field].dtype.kind != "f" and not (rows[field] == array).all():
                raise MotionFileError(f"{name} holds numbers that are no {rows[field].dtype}")
    if "world_camera" not in arrays:
        rows["world_camera"] = WORLD_CAMERA
    if not are_rotations(rows["world_camera"][:, :, :3]).all():
        raise MotionFileError("world_camera does not turn, it scales or bends")
    _fill_rotations(rows, _rotmats(arrays["poses"], arrays.get("hand_poses")))
    unsound = np.flatnonzero(~sound_rows(rows))
    if len(unsound):
        raise MotionFileError(
            f"the row of frame {rows['frame_index'][unsound[0]]} has numbers that no body or camera has"
        )
    return rows


def _fill_from_amass(rows: Rows, arrays: Arrays, rest_joints: FloatArray) -> None:
    rotmats = _rotmats(arrays["poses"])
    pelvis = rest_joints[0] + arrays["trans"].astype(np.float32)
    world = joint_positions(rotmats, bone_offsets(rest_joints), pelvis)
    rows["joints_camera"] = world @ R_WORLD_CAMERA
    rows["transl_camera"] = rows["joints_camera"][:, 0] - rest_joints[0]
    _fill_rotations(rows, rotmats)


def rows_of_bvh(motion: BvhMotion, skin: SkinnedBody) -> Iterator[Rows]:
    """The rows of a BVH file on a body, a block at a time; the shape is the one whose bones the file has."""
    camera_yup = (R_YUP_WORLD @ R_WORLD_CAMERA).T
    shapes = BoneShapes(skin)
    for first in range(0, len(motion), row_blocks.BLOCK):
        rotmats, offsets, pelvis = motion.frames(slice(first, first + row_blocks.BLOCK))
        rows = _rows_in_time(len(rotmats), motion.rate_hz, first)
        rows["joints_camera"] = joint_positions(rotmats, offsets, pelvis) @ camera_yup.T
        rows["betas"], rest_pelvis = shapes.of(offsets)
        rows["transl_camera"] = rows["joints_camera"][:, 0] - rest_pelvis
        rotmats[:, 0] = camera_yup @ rotmats[:, 0]
        rows["rot6d"] = rot6d_from_rotmat(rotmats)
        if not (first or rows["betas"].any()):
            logger.info(
                "the bones of the .bvh file are of no other shape of this body: betas are zero"
            )
        yield rows


class BoneShapes:
    """Finds the shape that has some bones: rest joints are linear in it, and 24 of them say more than ten numbers."""

    def __init__(self, skin: SkinnedBody) -> None:
        shapes = np.eye(NUM_BETAS + 1, NUM_BETAS, k=-1, dtype=np.float32)
        rest = np.stack([skin.rest_joints(betas) for betas in shapes]).astype(np.float64)
        rest[1:] -= rest[0]
        bones = bone_offsets(rest).reshape(len(rest), -1)
        self._mean, self._slopes = bones[0], bones[1:]
        self._inverse = np.linalg.pinv(self._slopes[:, 3:])

    def of(self, offsets: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Shapes (..., 10) of bones (..., 24, 3) [m], the mean one where none has them, and (..., 3) their pelvises at rest."""
        wanted = offsets.reshape(*offsets.shape[:-2], -1)[..., 3:] - self._mean[3:]
        betas = wanted @ self._inverse
        off_m = np.abs(betas @ self._slopes[:, 3:] - wanted).max(axis=-1)
        fits = (off_m < _SAME_BONE_M) & (np.abs(betas).max(axis=-1) < _FARTHEST_SHAPE)
        betas = np.where(fits[..., None], betas, 0.0)
        return betas, self._mean[:3] + betas @ self._slopes[:, :3]


def _rows_in_time(count: int, rate_hz: float, first: int) -> Rows:
    rows: Rows = np.zeros(count, row_type())
    rows["frame_index"] = np.arange(first, first + count)
    rows["timestamp_s"] = rows["frame_index"] / rate_hz
    rows["valid"] = True
    rows["world_camera"] = WORLD_CAMERA
    return rows


def _rotmats(poses: NDArray[Any], hand_poses: NDArray[Any] | None = None) -> FloatArray:
    """(N, 24, 3, 3) from AMASS's numbers; the root relative to its world."""
    numbers = np.zeros((len(poses), NUM_SMPL_JOINTS * 3), np.float32)
    numbers[:, :_BODY_NUMBERS] = poses[:, :_BODY_NUMBERS]
    if hand_poses is not None:
        numbers[:, _BODY_NUMBERS:] = hand_poses
    return rotmat_from_axis_angle(numbers.reshape(-1, NUM_SMPL_JOINTS, 3))


def _fill_rotations(rows: Rows, rotmats: FloatArray) -> None:
    """Takes rotations (N, 24, 3, 3) whose root is relative to the world of each row, and changes them."""
    rotmats[:, 0] = np.swapaxes(rows["world_camera"][:, :, :3], -1, -2) @ rotmats[:, 0]
    rows["rot6d"] = rot6d_from_rotmat(rotmats)
