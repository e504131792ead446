"""Human3.6M (Ionescu et al. 2014) as its owners give it out: poses in CDF files beside the videos.

`S9/MyPoseFeatures/D3_Positions_mono/Walking 1.60457274.cdf` holds the pose of one video,
`S9/Videos/Walking 1.60457274.mp4`, in the frame of that video's camera. Files have millimetres; what comes out
here has metres (x right, y down, z forward).

Legend: N frames, J = 16 joints (`JOINT_NAMES`).
"""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.errors import DatasetError
from realtime_vibe.system.file_boundary import check_regular, file_boundary
from realtime_vibe.system.machine import install_command

RATE_HZ = 50.0
TEST_SUBJECTS = ("S9", "S11")
"""Scored by every protocol."""

JOINT_NAMES = (
    "pelvis", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle",
    "spine", "neck", "head", "left_shoulder", "left_elbow", "left_wrist", "right_shoulder",
    "right_elbow", "right_wrist",
)  # fmt: skip
"""Those of the 32 joints of a file that papers score, but for the nose."""

_FILE_ROWS = (0, 1, 2, 3, 6, 7, 8, 12, 13, 15, 17, 18, 19, 25, 26, 27)
_FILE_JOINTS = 32
_MM = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Human36mSequence:
    """One action of one person before one camera."""

    name: str
    """Such as `S9 Walking 1.60457274`."""
    video: Path
    joints: NDArray[np.float64]
    """(N, J, 3) [m] in the camera frame."""


def load_human36m_test(folder: Path) -> tuple[Human36mSequence, ...]:
    """Reads all test sequences, of every camera that is there.

    Raises:
        DatasetError: there are none, one is bad or has no video (the message names the file), or no cdflib.
    """
    paths = [
        path
        for subject in TEST_SUBJECTS
        for path in sorted((folder / subject / "MyPoseFeatures/D3_Positions_mono").glob("*.cdf"))
    ]
    if not paths:
        raise DatasetError(
            f"no {folder}/S9/MyPoseFeatures/D3_Positions_mono/*.cdf, expected Human3.6M's poses there"
        )
    return tuple(load_human36m_sequence(path) for path in paths)


def load_human36m_sequence(path: Path) -> Human36mSequence:
    """Reads the poses of one video.

    Raises:
        DatasetError: damaged, of another shape, without its video, or no cdflib.
    """
    subject = path.parents[2]
    video = subject / "Videos" / f"{path.stem}.mp4"
    with file_boundary(path, DatasetError, "expected poses of Human3.6M"):
        pose = _pose(path)
        if pose.ndim != 3 or pose.shape[0] != 1 or pose.shape[2] != 3 * _FILE_JOINTS:
            raise DatasetError(f"Pose has shape {pose.shape}, expected (1, frames, 96)")
        if not video.is_file():
            raise DatasetError(f"its video is missing, expected {video}")
    joints = pose.reshape(-1, _FILE_JOINTS, 3)[:, list(_FILE_ROWS)]
    return Human36mSequence(name=f"{subject.name} {path.stem}", video=video, joints=joints * _MM)


def _pose(path: Path) -> NDArray[np.float64]:
    try:
        cdflib = import_module("cdflib")
    except ModuleNotFoundError as error:
        raise DatasetError(f"a CDF file needs cdflib: {install_command('train')}") from error
    check_regular(path)
    return np.asarray(cdflib.CDF(path).varget("Pose"), np.float64)
