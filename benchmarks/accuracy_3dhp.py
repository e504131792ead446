"""MPI-INF-3DHP's test set (Mehta et al. 2017) in its owner's layout, as clips to score.

`DIR/TS1/annot_data.mat` and `DIR/TS1/imageSequence/img_000001.jpg`, six sequences of one person each. The
truth is the owner's 17 joints in the frames that the owner scores; `--joints mpi17` is the protocol.
"""

from pathlib import Path

import numpy as np

from benchmarks.accuracy_clips import ClipTruth, EvaluationClip, picture_frames
from benchmarks.datasets.mpi_inf_3dhp import (
    JOINT_NAMES,
    Mpi3dhpSequence,
    load_3dhp_test,
)
from realtime_vibe.errors import DatasetError

_RATE_HZ = 25.0
"""Of the cameras; the files do not say."""


def find_3dhp_clips(folder: Path) -> tuple[EvaluationClip, ...]:
    """One clip per test sequence.

    Args:
        folder: holds `TS1` and so on.

    Raises:
        DatasetError: a folder is missing or an annotation is bad.
    """
    return tuple(_clip(sequence) for sequence in load_3dhp_test(folder))


def _clip(sequence: Mpi3dhpSequence) -> EvaluationClip:
    images = sequence.folder / "imageSequence"
    if not images.is_dir():
        raise DatasetError(f"no folder {images}, expected the images of {sequence.name} there")
    joints = sequence.joints.astype(np.float64)
    joints[~sequence.valid] = np.nan
    paths = [images / f"img_{number:06d}.jpg" for number in range(1, len(joints) + 1)]
    return EvaluationClip(
        name=sequence.name,
        truth=ClipTruth(joints=joints, names=JOINT_NAMES, first_frame=0, fps=_RATE_HZ),
        open_frames=lambda: picture_frames(paths, _RATE_HZ),
    )
