"""3DPW (von Marcard et al. 2018): `sequenceFiles/{train,validation,test}/*.pkl`, 30 frames a second.

Legend: N frames, J = 24 SMPL joints, K = 18 joints of OpenPose's COCO model. The files place people in a
world of their own and give the moving camera as `cam_poses`, world to camera; everything that comes
out here is in the camera frame (x right, y down, z forward) [m].
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.body.joints import SMPL_JOINT_NAMES
from realtime_vibe.errors import DatasetError, one_line
from realtime_vibe.geometry.rotation import axis_angle_from_rotmat, rotmat_from_axis_angle
from realtime_vibe.models.restricted_pickle import load_pickle
from realtime_vibe.packets import NUM_BETAS
from realtime_vibe.system.file_boundary import file_boundary
from realtime_vibe.training.datasets.skip_bad import load_each

FloatArray = NDArray[np.float32]
Split = Literal["train", "validation", "test"]

RATE_HZ = 30.0
NUM_JOINTS = len(SMPL_JOINT_NAMES)
KEYPOINT_NAMES = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow",
    "left_wrist", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle",
    "right_eye", "left_eye", "right_ear", "left_ear",
)  # fmt: skip
"""Order of the 2D keypoints."""

_GENDERS = {"m": "male", "f": "female"}
_PER_PERSON = ("poses", "trans", "betas", "jointPositions", "poses2d", "campose_valid")


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreeDpwPerson:
    """One person of one sequence, frame by frame."""

    sequence: str
    person: int
    """Position among the people of the sequence."""
    gender: str
    """`female` or `male`: of the SMPL model that pose and shape belong to."""
    betas: FloatArray
    """(10,)."""
    poses: FloatArray
    """(N, 24, 3) axis-angle [rad], root relative to the camera."""
    transl: FloatArray
    """(N, 3) SMPL's translation in the camera frame: added after posing about the rest pelvis."""
    joints: FloatArray
    """(N, 24, 3) in the camera frame."""
    keypoints_px: FloatArray
    """(N, 18, 3) x, y [px], confidence; zeros where OpenPose saw nobody."""
    valid: NDArray[np.bool_]
    """(N,) whether the camera was aligned to the image; where not, 3D values mean nothing."""
    frame_ids: NDArray[np.int64]
    """(N,) numbers in the owner's 60 Hz time line; image n is `image_{n:05d}.jpg` by position."""
    intrinsics: FloatArray
    """(3, 3) [px]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreeDpwSplit:
    """All people of one split."""

    people: tuple[ThreeDpwPerson, ...]
    skipped: tuple[str, ...] = ()


def load_3dpw(folder: Path, split: Split, *, skip_bad: bool = False) -> ThreeDpwSplit:
    """Reads one split of the folder that holds `sequenceFiles`; bad files end it, or are left out and counted.

    Raises:
        DatasetError: the folder is missing or empty, or a file is bad (the message names it).
    """
    place = folder / "sequenceFiles" / split
    paths = sorted(place.glob("*.pkl"))
    if not paths:
        raise DatasetError(f"no {place}/*.pkl, expected 3DPW's sequence files there")
    loaded, skipped = load_each(paths, load_3dpw_sequence, skip_bad=skip_bad)
    return ThreeDpwSplit(
        people=tuple(person for people in loaded for person in people), skipped=skipped
    )


def load_3dpw_sequence(path: Path) -> tuple[ThreeDpwPerson, ...]:
    """Reads one sequence; nothing in the pickle is run.

    Raises:
        DatasetError: damaged, hostile, or a field is missing or has the wrong shape.
    """
    data = load_pickle(path)
    with file_boundary(path, DatasetError, "expected a sequence of 3DPW"):
        if not isinstance(data, dict):
            raise DatasetError(f"a {type(data).__name__}, expected a dictionary of 3DPW's fields")
        return _people(data)


def _people(data: Mapping[Any, Any]) -> tuple[ThreeDpwPerson, ...]:
    sequence = data.get("sequence")
    if not isinstance(sequence, str):
        raise DatasetError(f"sequence is {one_line(sequence, 80)}, expected its name")
    # The owner's read-me says `gender`, the files say `genders`.
    genders = _list(data, "genders" if "genders" in data else "gender")
    fields = {key: _list(data, key) for key in _PER_PERSON}
    counts = {key: len(values) for key, values in {**fields, "genders": genders}.items()}
    if len(set(counts.values())) != 1 or not genders:
        raise DatasetError(f"entries per field {counts}, expected one per person in each")
    frame_ids = _array(data.get("img_frame_ids"), "img_frame_ids", (None,)).astype(np.int64)
    cameras = _array(data.get("cam_poses"), "cam_poses", (len(frame_ids), 4, 4))
    intrinsics = _array(data.get("cam_intrinsics"), "cam_intrinsics", (3, 3))
    return tuple(
        _person(
            {key: values[index] for key, values in fields.items()},
            _Recording(sequence, index, _gender(gender), frame_ids, cameras, intrinsics),
        )
        for index, gender in enumerate(genders)
    )


@dataclass(frozen=True, slots=True)
class _Recording:
    """What is the same in all fields of a person."""

    sequence: str
    person: int
    gender: str
    frame_ids: NDArray[np.int64]
    cameras: NDArray[np.float64]
    intrinsics: NDArray[np.float64]


def _person(fields: Mapping[str, Any], recording: _Recording) -> ThreeDpwPerson:
    count = len(recording.frame_ids)

    def array(key: str, *shape: int) -> NDArray[np.float64]:
        return _array(fields[key], f"{key}[{recording.person}]", (count, *shape))

    poses = array("poses", 3 * NUM_JOINTS).reshape(count, NUM_JOINTS, 3)
    trans, is_aligned = array("trans", 3), array("campose_valid")
    world = array("jointPositions", 3 * NUM_JOINTS).reshape(count, NUM_JOINTS, 3)
    betas = _array(fields["betas"], f"betas[{recording.person}]", None).reshape(-1)
    if len(betas) < NUM_BETAS:
        raise DatasetError(
            f"betas[{recording.person}] has {len(betas)} values, expected 10 or more"
        )
    rotation, offset = recording.cameras[:, :3, :3], recording.cameras[:, :3, 3]
    joints = np.einsum("nij,nkj->nki", rotation, world) + offset[:, None]
    root = rotation @ rotmat_from_axis_angle(poses[:, 0])
    finite = np.isfinite(joints).all((1, 2)) & np.isfinite(root).all((1, 2))
    poses[finite, 0] = axis_angle_from_rotmat(root[finite])
    # The body turns about its rest pelvis, which the file gives only as this difference.
    rest_pelvis = np.median(world[:, 0] - trans, axis=0)
    return ThreeDpwPerson(
        sequence=recording.sequence,
        person=recording.person,
        gender=recording.gender,
        betas=betas[:NUM_BETAS].astype(np.float32),
        poses=poses.astype(np.float32),
        transl=(joints[:, 0] - rest_pelvis).astype(np.float32),
        joints=joints.astype(np.float32),
        keypoints_px=array("poses2d", 3, len(KEYPOINT_NAMES)).transpose(0, 2, 1).astype(np.float32),
        valid=(is_aligned != 0) & finite,
        frame_ids=recording.frame_ids,
        intrinsics=recording.intrinsics.astype(np.float32),
    )


def _list(data: Mapping[Any, Any], key: str) -> list[Any]:
    if key not in data:
        raise DatasetError(
            f"no '{key}', expected 3DPW's fields; found {one_line(sorted(map(one_line, data)))}"
        )
    values = data[key]
    is_list = isinstance(values, (list, tuple)) or (isinstance(values, np.ndarray) and values.ndim)
    if not is_list:
        raise DatasetError(f"{key} is a {type(values).__name__}, expected a list, one per person")
    return list(values)


def _array(value: object, name: str, shape: tuple[int | None, ...] | None) -> NDArray[np.float64]:
    """The value as numbers; `None` in the shape stands for any size, a shape of None for any shape."""
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise DatasetError(f"{name} is no array of numbers") from None
    fits = shape is None or (
        array.ndim == len(shape)
        and all(want in {None, have} for have, want in zip(array.shape, shape, strict=True))
    )
    if not fits:
        expected = tuple("N" if size is None else size for size in shape or ())
        raise DatasetError(f"{name} has shape {array.shape}, expected {expected}")
    return array


def _gender(value: object) -> str:
    gender = _GENDERS.get(one_line(value, 40)[:1].lower())
    if gender is None:
        raise DatasetError(f"gender '{one_line(value, 40)}', expected 'm' or 'f'")
    return gender
