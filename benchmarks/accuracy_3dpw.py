"""3DPW (von Marcard et al. 2018) in its owner's layout, as clips to score.

`DIR/sequenceFiles/test/*.pkl` and `DIR/imageFiles/SEQUENCE/image_00000.jpg`, 30 frames a second. Every
person of every sequence is a clip. The truth is the 24 joints of the owner's gendered SMPL bodies,
in frames whose camera is aligned. There is no PVE: those bodies are not the engine's. With
`--joints lsp14 --regressor J_regressor_h36m.npy` and an engine on SMPL's neutral body it is what VIBE's evaluation has:
that body in the owner's pose and shape, with PVE.

Several people may be in view, and a tracker that follows one of them finds the others in no frame:
low coverage on such clips is its limit, not an error of the pose.
"""

from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy_clips import (
    ClipTruth,
    EvaluationClip,
    FloatArray,
    TruthPose,
    picture_frames,
)
from benchmarks.datasets.threedpw import RATE_HZ, ThreeDpwPerson, load_3dpw
from realtime_vibe.body.joints import SMPL_JOINT_NAMES
from realtime_vibe.errors import DatasetError


def find_3dpw_clips(folder: Path) -> tuple[EvaluationClip, ...]:
    """One clip per person of the test split; who has no frame with an aligned camera is left out.

    Args:
        folder: holds `sequenceFiles` and `imageFiles`.

    Raises:
        DatasetError: a folder is missing or a sequence file is bad.
    """
    people = load_3dpw(folder, "test").people
    company = Counter(person.sequence for person in people)
    clips = tuple(
        _clip(person, folder / "imageFiles" / person.sequence, company[person.sequence] > 1)
        for person in people
        if person.valid.any()
    )
    if not clips:
        raise DatasetError(f"nobody in {folder}/sequenceFiles/test has a frame with a valid camera")
    return clips


def _clip(person: ThreeDpwPerson, images: Path, is_one_of_many: bool) -> EvaluationClip:
    if not images.is_dir():
        raise DatasetError(f"no folder {images}, expected the images of {person.sequence} there")
    joints = person.joints.astype(np.float64)
    joints[~person.valid] = np.nan
    paths = [images / f"image_{index:05d}.jpg" for index in range(len(joints))]
    return EvaluationClip(
        name=f"{person.sequence}_{person.person}",
        truth=ClipTruth(
            joints=joints,
            names=SMPL_JOINT_NAMES,
            first_frame=0,
            fps=RATE_HZ,
            pose_of_other=TruthPose(
                global_orient=person.poses[:, 0].astype(np.float64),
                body_pose=person.poses[:, 1:].reshape(len(joints), -1).astype(np.float64),
                betas=person.betas.astype(np.float64),
            ),
            joints_px=_projected(joints, person.intrinsics) if is_one_of_many else None,
        ),
        open_frames=lambda: picture_frames(paths, RATE_HZ),
    )


def _projected(joints: FloatArray, intrinsics: NDArray[np.float32]) -> FloatArray:
    homogeneous = joints @ intrinsics.T.astype(np.float64)
    # A joint in the plane of the camera has no image; such a frame matches nobody.
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(homogeneous[..., :2] / homogeneous[..., 2:], np.float64)
