"""Turns motion files back into the rows of a take: recordings of ours, AMASS files of others, BVH of ours.

Legend: N rows or frames.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.errors import MotionFileError
from realtime_vibe.geometry.axes import R_WORLD_CAMERA, R_YUP_WORLD
from realtime_vibe.geometry.rotation import rot6d_from_rotmat, rotmat_from_axis_angle
from realtime_vibe.geometry.smpl_skeleton import bone_offsets, joint_positions
from realtime_vibe.outputs.record.bvh_reader import BvhMotion
from realtime_vibe.outputs.record.recording_spool import Rows, row_type
from realtime_vibe.outputs.record.take_rows import WORLD_CAMERA, SkinnedBody
from realtime_vibe.packets import NUM_BETAS, NUM_SMPL_JOINTS, FloatArray
from realtime_vibe.system.npz_file import open_npz

Arrays = Mapping[str, NDArray[Any]]

_BODY_NUMBERS = 66
_RATE_NAMES = ("mocap_frame_rate", "mocap_framerate", "fps")
_MAX_RATE_HZ = 1000.0


def read_arrays(path: Path) -> Arrays:
    """The arrays of an `.npz` that has AMASS's motion.

    Raises:
        MotionFileError: the file is missing or damaged, or an array is missing or unfit.
    """
    with open_npz(path, MotionFileError, "expected an .npz of motion") as archive:
        arrays = dict(archive)
        _check_shapes(arrays)
    return arrays


def _check_shapes(arrays: Arrays) -> None:
    count = len(arrays["poses"]) if arrays.get("poses", np.zeros(0)).ndim == 2 else 0
    wanted: dict[str, tuple[int, ...]] = {"poses": (count, _BODY_NUMBERS), "trans": (count, 3)}
    if is_ours(arrays):
        wanted |= {"joints_camera": (count, 24, 3), "transl_camera": (count, 3), "valid": (count,)}
        wanted |= {"betas_per_row": (count, NUM_BETAS), "timestamps_s": (count,)}
        wanted |= {"person_id": (count,), "frame_index": (count,)}
    for name, shape in wanted.items():
        array = arrays.get(name, np.zeros(0))
        fits = array.shape == shape or (name == "poses" and array.shape[1:] >= shape[1:])
        if not fits:
            raise MotionFileError(f"{name} has shape {array.shape}, expected {shape}")
        if not np.isfinite(array).all():
            raise MotionFileError(f"{name} holds numbers that are not finite")
    if not count:
        raise MotionFileError("it holds no row of motion")


def is_ours(arrays: Arrays) -> bool:
    """Whether the arrays are of a recording of this program, with everything a take has."""
    return "joints_camera" in arrays and "betas_per_row" in arrays


def rows_of_recording(arrays: Arrays) -> tuple[Rows, tuple[str, ...]]:
    """The rows of a recording of this program, and the names of its keypoints."""
    names = tuple(str(name) for name in arrays.get("kp_names", ()))
    rows = np.zeros(len(arrays["poses"]), row_type(names))
    for field, name in (
        ("frame_index", "frame_index"),
        ("timestamp_s", "timestamps_s"),
        ("person_id", "person_id"),
        ("valid", "valid"),
        ("joints_camera", "joints_camera"),
        ("transl_camera", "transl_camera"),
        ("weak_camera", "weak_camera"),
        ("square_px", "square_px"),
        ("betas", "betas_per_row"),
        ("focal_px", "focal_px"),
        ("image_size", "image_size"),
        ("kp_3d", "kp_3d"),
        ("joint_confidence", "joint_confidence"),
        ("landmarks_px", "landmarks_px"),
        ("landmark_visibility", "landmark_visibility"),
        ("world_camera", "world_camera"),
    ):
        if name in arrays and field in (rows.dtype.names or ()):
            array = arrays[name]
            if array.shape != rows[field].shape or array.dtype.kind not in "biuf":
                raise MotionFileError(
                    f"{name} has shape {array.shape} of {array.dtype}, expected numbers of shape {rows[field].shape}"
                )
            if not np.isfinite(array).all():
                raise MotionFileError(f"{name} holds numbers that are not finite")
            rows[field] = array
    if "world_camera" not in arrays:
        rows["world_camera"] = WORLD_CAMERA
    _fill_rotations(rows, arrays["poses"], arrays.get("hand_poses"))
    return rows, names


def rows_of_amass(arrays: Arrays, skin: SkinnedBody, betas: FloatArray) -> Rows:
    """The rows of somebody else's AMASS file (as `read_arrays` gives it), on a body of ours with betas (10,)."""
    rows = _rows_in_time(len(arrays["poses"]), _rate_hz(arrays))
    rows["betas"] = betas
    _fill_rotations(rows, arrays["poses"], None)
    rest_joints = skin.rest_joints(betas)
    rotmats = _rotmats(arrays["poses"], None)
    trans = arrays["trans"].astype(np.float32)
    world = joint_positions(rotmats, bone_offsets(rest_joints), rest_joints[0] + trans)
    rows["joints_camera"] = world @ R_WORLD_CAMERA
    rows["transl_camera"] = rows["joints_camera"][:, 0] - rest_joints[0]
    return rows


def rows_of_bvh(motion: BvhMotion, rest_pelvis: FloatArray) -> Rows:
    """The rows of a BVH file.

    Args:
        motion: as it was read.
        rest_pelvis: (3,) where the body has its pelvis in the rest pose [m]; not in the file.
    """
    rows = _rows_in_time(len(motion.pelvis), motion.rate_hz)
    camera_yup = (R_YUP_WORLD @ R_WORLD_CAMERA).T
    joints = joint_positions(motion.rotmats, motion.offsets, motion.pelvis)
    rows["joints_camera"] = joints @ camera_yup.T
    rows["transl_camera"] = rows["joints_camera"][:, 0] - rest_pelvis
    rotmats = np.array(motion.rotmats)
    rotmats[:, 0] = camera_yup @ rotmats[:, 0]
    rows["rot6d"] = rot6d_from_rotmat(rotmats)
    return rows


def _rows_in_time(count: int, rate_hz: float) -> Rows:
    rows: Rows = np.zeros(count, row_type())
    rows["frame_index"] = np.arange(count)
    rows["timestamp_s"] = np.arange(count) / rate_hz
    rows["valid"] = True
    rows["world_camera"] = WORLD_CAMERA
    return rows


def _rate_hz(arrays: Arrays) -> float:
    for name in _RATE_NAMES:
        if name in arrays and arrays[name].size == 1 and arrays[name].dtype.kind in "fiu":
            rate_hz = float(arrays[name].reshape(()))
            if 0 < rate_hz <= _MAX_RATE_HZ:
                return rate_hz
    raise MotionFileError(f"the file names no frame rate: expected one of {', '.join(_RATE_NAMES)}")


def _rotmats(poses: NDArray[Any], hand_poses: NDArray[Any] | None) -> FloatArray:
    """(N, 24, 3, 3) from AMASS's numbers; the root relative to its world."""
    numbers = np.zeros((len(poses), NUM_SMPL_JOINTS * 3), np.float32)
    numbers[:, :_BODY_NUMBERS] = poses[:, :_BODY_NUMBERS]
    if hand_poses is not None:
        numbers[:, _BODY_NUMBERS:] = hand_poses
    return rotmat_from_axis_angle(numbers.reshape(-1, NUM_SMPL_JOINTS, 3))


def _fill_rotations(rows: Rows, poses: NDArray[Any], hand_poses: NDArray[Any] | None) -> None:
    rotmats = _rotmats(poses, hand_poses)
    rotmats[:, 0] = np.swapaxes(rows["world_camera"][:, :, :3], -1, -2) @ rotmats[:, 0]
    rows["rot6d"] = rot6d_from_rotmat(rotmats)
