"""MPI-INF-3DHP's test set (Mehta et al. 2017): `TS*/annot_data.mat`, one person seen by one camera.

Legend: N frames, J = 17 joints (`JOINT_NAMES`). Files have millimetres; what comes out here has metres, in
the camera's frame (x right, y down, z forward).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.errors import DatasetError
from realtime_vibe.system.file_boundary import file_boundary, open_regular
from realtime_vibe.system.machine import install_command

FloatArray = NDArray[np.float32]

JOINT_NAMES = (
    "head_top", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder",
    "left_elbow", "left_wrist", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee",
    "left_ankle", "pelvis", "spine", "head",
)  # fmt: skip
"""The 17 joints of the test set."""

_MM = 1e-3
_MOST_NUMBERS = 1 << 26
"""A million frames of 17 joints."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mpi3dhpSequence:
    """One test sequence."""

    name: str
    """Such as `TS3`."""
    folder: Path
    joints: FloatArray
    """(N, 17, 3) [m] in the camera frame."""
    keypoints_px: FloatArray
    """(N, 17, 2)."""
    valid: NDArray[np.bool_]
    """(N,) whether the owner scores the frame."""


def load_3dhp_test(folder: Path) -> tuple[Mpi3dhpSequence, ...]:
    """Reads all test sequences, `TS1/annot_data.mat` and so on.

    Raises:
        DatasetError: there are none, one is bad (the message names the file), or no h5py.
    """
    paths = sorted(folder.glob("TS*/annot_data.mat"))
    if not paths:
        raise DatasetError(
            f"no {folder}/TS*/annot_data.mat, expected MPI-INF-3DHP's test set there"
        )
    return tuple(load_3dhp_test_sequence(path) for path in paths)


def load_3dhp_test_sequence(path: Path) -> Mpi3dhpSequence:
    """Reads one test sequence, an `annot_data.mat` (MATLAB 7.3, which is HDF5).

    Raises:
        DatasetError: damaged, a variable is missing or has the wrong shape, or no h5py.
    """
    with file_boundary(path, DatasetError, "expected annot_data.mat of MPI-INF-3DHP"):
        content = _read_hdf5(path, ("annot2", "annot3", "valid_frame"))
        valid = _numbers(content, "valid_frame").reshape(-1) != 0
        arrays = {}
        for key, size in (("annot2", 2), ("annot3", 3)):
            array = _numbers(content, key)
            # MATLAB's (size, 17, 1, N), as HDF5 turns it around.
            if array.shape != (len(valid), 1, len(JOINT_NAMES), size):
                raise DatasetError(
                    f"{key} has shape {array.shape}, expected ({len(valid)}, 1, 17, {size})"
                )
            arrays[key] = array[:, 0].astype(np.float32)
    return Mpi3dhpSequence(
        name=path.parent.name,
        folder=path.parent,
        joints=arrays["annot3"] * np.float32(_MM),
        keypoints_px=arrays["annot2"],
        valid=valid,
    )


def _read_hdf5(path: Path, keys: Sequence[str]) -> Mapping[str, Any]:
    try:
        h5py = import_module("h5py")
    except ModuleNotFoundError as error:
        raise DatasetError(f"a MATLAB 7.3 file needs h5py: {install_command('train')}") from error
    with open_regular(path) as opened, h5py.File(opened, "r") as file:
        return {key: _dataset(file, key) for key in keys}


def _dataset(file: Any, key: str) -> NDArray[Any]:
    """A variable as it lies in the file; one that claims to be larger than any file is not unpacked."""
    if key not in file:
        raise DatasetError(f"a variable is missing: {key}")
    if file[key].size > _MOST_NUMBERS:
        raise DatasetError(
            f"{key} claims {file[key].size:,} numbers, expected fewer than {_MOST_NUMBERS:,}"
        )
    return np.asarray(file[key])


def _numbers(content: Mapping[str, Any], key: str) -> NDArray[np.float64]:
    value = content.get(key)
    if value is None:
        raise DatasetError(f"no variable {key}")
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "biuf":
        raise DatasetError(f"{key} is no array of numbers")
    return value.astype(np.float64)
