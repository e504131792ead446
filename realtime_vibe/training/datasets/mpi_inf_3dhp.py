"""MPI-INF-3DHP (Mehta et al. 2017): `S*/Seq*/annot.mat`, `camera.calibration`, `TS*/annot_data.mat`.

Legend: N frames, J = 17 joints (`JOINT_NAMES`). Files have millimetres; what comes out here has metres,
in the frame of each camera (x right, y down, z forward). Training sequences are seen by 14 cameras and
have 28 joints, test sequences by one and have the 17.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.errors import DatasetError
from realtime_vibe.training.datasets.mat5_file import read_mat5
from realtime_vibe.training.datasets.skip_bad import SkippedFile, load_each

FloatArray = NDArray[np.float32]

JOINT_NAMES = (
    "head_top", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder",
    "left_elbow", "left_wrist", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee",
    "left_ankle", "pelvis", "spine", "head",
)  # fmt: skip
"""The 17 joints of the test set."""

TRAINING_JOINT_NAMES = (
    "spine3", "spine4", "spine2", "spine", "pelvis", "neck", "head", "head_top", "left_clavicle",
    "left_shoulder", "left_elbow", "left_wrist", "left_hand", "right_clavicle", "right_shoulder",
    "right_elbow", "right_wrist", "right_hand", "left_hip", "left_knee", "left_ankle", "left_foot",
    "left_toe", "right_hip", "right_knee", "right_ankle", "right_foot", "right_toe",
)  # fmt: skip
"""The 28 joints of the training set."""

COMMON_JOINT_NAMES = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle",
    "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist",
    "neck", "head_top",
)  # fmt: skip
"""The 14 joints that most 3D benchmarks share, in LSP's order."""

_MM = 1e-3


def joint_indices(names: Sequence[str], source: Sequence[str] = JOINT_NAMES) -> list[int]:
    """Positions of `names` in `source`, to take them out of an array of joints."""
    return [source.index(name) for name in names]


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraCalibration:
    """One camera of a training sequence."""

    intrinsics: FloatArray
    """(3, 3) [px]."""
    T_camera_world: FloatArray
    """(4, 4) world to camera [m]."""
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mpi3dhpView:
    """One person as one camera saw it."""

    sequence: str
    """Such as `S1/Seq2` or `TS3`."""
    camera: int
    """The owner's number; 0 in the test set."""
    joints: FloatArray
    """(N, 17, 3) [m] in the camera frame."""
    universal_joints: FloatArray
    """(N, 17, 3) [m] the same on a skeleton of one size for all people (`univ_annot3`)."""
    keypoints_px: FloatArray
    """(N, 17, 2)."""
    valid: NDArray[np.bool_]
    """(N,) `valid_frame` of the test set; all true in the training set."""
    frame_ids: NDArray[np.int64]
    """(N,) position in the video, from 0."""
    calibration: CameraCalibration | None = None
    """None in the test set, whose cameras are described elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mpi3dhpViews:
    """All views that were found."""

    views: tuple[Mpi3dhpView, ...]
    skipped: tuple[SkippedFile, ...] = ()


def load_3dhp_training(
    folder: Path, *, cameras: Sequence[int] | None = None, skip_bad: bool = False
) -> Mpi3dhpViews:
    """Reads all training sequences.

    Args:
        folder: holds `S1/Seq1/annot.mat` and so on.
        cameras: the owner's numbers to keep; None keeps all 14.
        skip_bad: leave bad sequences out and count them.

    Raises:
        DatasetError: there are none, or one is bad (the message names the file).
    """
    paths = sorted(folder.glob("S*/Seq*/annot.mat"))
    return _load(
        paths,
        f"{folder}/S*/Seq*/annot.mat",
        lambda path: load_3dhp_sequence(path, cameras),
        skip_bad,
    )


def load_3dhp_test(folder: Path, *, skip_bad: bool = False) -> Mpi3dhpViews:
    """Reads all test sequences, `TS1/annot_data.mat` and so on; else as `load_3dhp_training`.

    Raises:
        DatasetError: there are none, one is bad, or h5py is not installed.
    """
    paths = sorted(folder.glob("TS*/annot_data.mat"))
    return _load(
        paths,
        f"{folder}/TS*/annot_data.mat",
        lambda path: (load_3dhp_test_sequence(path),),
        skip_bad,
    )


def load_3dhp_sequence(path: Path, cameras: Sequence[int] | None = None) -> tuple[Mpi3dhpView, ...]:
    """Reads one training sequence; `camera.calibration` must lie beside it.

    Args:
        path: an `annot.mat` (MATLAB 5).
        cameras: the owner's numbers to keep; None keeps all.

    Raises:
        DatasetError: a file is missing, damaged, or a variable has the wrong shape.
    """
    content = read_mat5(path)
    calibrations = read_calibration(path.with_name("camera.calibration"))
    try:
        numbers = [int(number) for number in _numbers(content, "cameras").reshape(-1)]
        frame_ids = _numbers(content, "frames").reshape(-1).astype(np.int64)
        cells = {
            key: _cells(content, key, len(numbers)) for key in ("annot2", "annot3", "univ_annot3")
        }
        views = []
        for position, number in enumerate(numbers):
            if cameras is not None and number not in cameras:
                continue
            if number not in calibrations:
                raise DatasetError(f"camera {number} is not in camera.calibration")
            arrays = {
                key: _training_joints(cell[position], f"{key}{{{position + 1}}}", len(frame_ids))
                for key, cell in cells.items()
            }
            views.append(
                Mpi3dhpView(
                    sequence=f"{path.parent.parent.name}/{path.parent.name}",
                    camera=number,
                    joints=arrays["annot3"] * np.float32(_MM),
                    universal_joints=arrays["univ_annot3"] * np.float32(_MM),
                    keypoints_px=arrays["annot2"],
                    valid=np.ones(len(frame_ids), np.bool_),
                    frame_ids=frame_ids,
                    calibration=calibrations[number],
                )
            )
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from error
    return tuple(views)


def load_3dhp_test_sequence(path: Path) -> Mpi3dhpView:
    """Reads one test sequence.

    Args:
        path: an `annot_data.mat` (MATLAB 7.3, which is HDF5).

    Raises:
        DatasetError: damaged, a variable is missing or has the wrong shape, or no h5py.
    """
    content = _read_hdf5(path, ("annot2", "annot3", "univ_annot3", "valid_frame"))
    try:
        valid = _numbers(content, "valid_frame").reshape(-1) != 0
        arrays = {}
        for key, size in (("annot2", 2), ("annot3", 3), ("univ_annot3", 3)):
            array = _numbers(content, key)
            # MATLAB's (size, 17, 1, N), as HDF5 turns it around.
            if array.shape != (len(valid), 1, len(JOINT_NAMES), size):
                raise DatasetError(
                    f"{key} has shape {array.shape}, expected ({len(valid)}, 1, 17, {size})"
                )
            arrays[key] = array[:, 0].astype(np.float32)
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from error
    return Mpi3dhpView(
        sequence=path.parent.name,
        camera=0,
        joints=arrays["annot3"] * np.float32(_MM),
        universal_joints=arrays["univ_annot3"] * np.float32(_MM),
        keypoints_px=arrays["annot2"],
        valid=valid,
        frame_ids=np.arange(len(valid)),
    )


def read_calibration(path: Path) -> dict[int, CameraCalibration]:
    """Reads a `camera.calibration` text.

    Returns:
        Camera number -> calibration.

    Raises:
        DatasetError: missing, or a camera lacks a line.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror or error})") from error
    if not text.startswith("Skeletool Camera Calibration File"):
        raise DatasetError(f"{path}: begins with '{text[:30]}', expected a Skeletool calibration")
    cameras = {}
    for block in re.split(r"^name\b", text, flags=re.MULTILINE)[1:]:
        lines = [line.split() for line in block.splitlines()]
        try:
            values = {words[0]: [float(word) for word in words[1:]] for words in lines[1:] if words}
            width, height = values["size"]
            intrinsics = np.array(values["intrinsic"]).reshape(4, 4)[:3, :3]
            extrinsic = np.array(values["extrinsic"]).reshape(4, 4)
            number = int(lines[0][0])
        except (LookupError, ValueError) as error:
            raise DatasetError(
                f"{path}: camera '{' '.join(lines[0])}' is damaged ({error!r}), expected size, "
                "intrinsic and extrinsic of 2, 16 and 16 numbers"
            ) from error
        extrinsic[:3, 3] *= _MM
        cameras[number] = CameraCalibration(
            intrinsics=intrinsics.astype(np.float32),
            T_camera_world=extrinsic.astype(np.float32),
            width_px=int(width),
            height_px=int(height),
        )
    return cameras


def _load(
    paths: list[Path], pattern: str, load: Callable[[Path], tuple[Mpi3dhpView, ...]], skip_bad: bool
) -> Mpi3dhpViews:
    if not paths:
        raise DatasetError(f"no {pattern}, expected MPI-INF-3DHP's annotations there")
    loaded, skipped = load_each(paths, load, skip_bad=skip_bad)
    return Mpi3dhpViews(views=tuple(view for views in loaded for view in views), skipped=skipped)


def _read_hdf5(path: Path, keys: Sequence[str]) -> Mapping[str, Any]:
    try:
        h5py = import_module("h5py")
    except ModuleNotFoundError as error:
        raise DatasetError(
            f"{path}: a MATLAB 7.3 file needs h5py: pip install 'realtime-vibe[train]'"
        ) from error
    try:
        with h5py.File(path, "r") as file:
            return {key: np.asarray(file[key]) for key in keys}
    except KeyError as error:
        raise DatasetError(f"{path}: a variable is missing ({error.args[0]})") from error
    except (OSError, RuntimeError, ValueError, TypeError, MemoryError) as error:
        raise DatasetError(f"{path}: not a readable MATLAB 7.3 file ({error})") from error


def _numbers(content: Mapping[str, Any], key: str) -> NDArray[np.float64]:
    value = content.get(key)
    if value is None:
        raise DatasetError(f"no variable {key}")
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "biuf":
        raise DatasetError(f"{key} is no array of numbers")
    return value.astype(np.float64)


def _cells(content: Mapping[str, Any], key: str, count: int) -> list[Any]:
    value = content.get(key)
    if not isinstance(value, np.ndarray) or value.dtype.kind != "O" or value.size != count:
        raise DatasetError(f"{key} is no cell array with one entry for each of {count} cameras")
    return list(value.reshape(-1))


def _training_joints(cell: Any, name: str, count: int) -> FloatArray:
    """(N, 17, 2 or 3) of a matrix (N, 56 or 84)."""
    size = 2 if name.startswith("annot2") else 3
    shape = (count, len(TRAINING_JOINT_NAMES) * size)
    if not isinstance(cell, np.ndarray) or cell.dtype.kind not in "biuf" or cell.shape != shape:
        raise DatasetError(f"{name} is {getattr(cell, 'shape', type(cell))}, expected {shape}")
    joints = cell.reshape(count, -1, size)[:, joint_indices(JOINT_NAMES, TRAINING_JOINT_NAMES)]
    return joints.astype(np.float32)
