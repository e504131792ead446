"""The papers' way to the 14 scored joints: a matrix over the vertices of SMPL (`J_regressor_h36m.npy`).

The matrix is the authors' and not free, so it is a file of the user's. With it the truth of 3DPW is what
VIBE's evaluation takes: joints and vertices of the neutral SMPL body in the true pose and shape.

Legend: V vertices, F truth frames.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy_clips import EvaluationClip
from benchmarks.accuracy_joints import JointSet, choose_joint_set
from benchmarks.accuracy_mesh import TrueBody
from realtime_vibe.body.model_file import BodyModel
from realtime_vibe.errors import DatasetError
from realtime_vibe.system.file_boundary import file_boundary, open_regular

ROW_NAMES = (
    "pelvis", "left_hip", "left_knee", "left_ankle", "right_hip", "right_knee", "right_ankle",
    "spine", "neck", "jaw", "head", "left_shoulder", "left_elbow", "left_wrist", "right_shoulder",
    "right_elbow", "right_wrist",
)  # fmt: skip
"""What the rows of the file are, as the authors' evaluation reads them; `head` is near its top."""

FloatArray = NDArray[np.float64]


def load_joint_regressor(path: Path, body: BodyModel) -> FloatArray:
    """(17, V) shares of the vertices.

    Args:
        path: the `.npy` file.
        body: the engine's; V are its vertices.

    Raises:
        DatasetError: no such matrix, or one for another mesh.
    """
    num_vertices = len(body.v_template)
    with file_boundary(path, DatasetError, "expected J_regressor_h36m.npy"):
        with open_regular(path) as file:
            matrix = np.load(file, allow_pickle=False)
        if matrix.ndim != 2 or len(matrix) != len(ROW_NAMES) or matrix.dtype.kind != "f":
            raise DatasetError(f"it holds {matrix.dtype} of shape {matrix.shape}, expected (17, V)")
        if matrix.shape[1] != num_vertices:
            raise DatasetError(
                f"it is for {matrix.shape[1]:,} vertices and the engine's body has {num_vertices:,}; "
                "choose an engine on that body, such as one made by export.vibe"
            )
        if not np.allclose(matrix.sum(axis=1), 1.0, atol=1e-2):
            raise DatasetError("rows that do not sum to 1 are no shares of vertices")
    return np.asarray(matrix, np.float64)


def regressed_set(name: str, clip: EvaluationClip, regressor: FloatArray) -> JointSet:
    """A named set whose joints are ours by the regressor.

    Raises:
        DatasetError: the set is unknown, or has joints that the regressor or the truth lacks.
    """
    joints = choose_joint_set(name, clip.truth.names)
    lacking = [joint for joint in joints.gathered if joint not in ROW_NAMES]
    if lacking or joints.are_marked:
        raise DatasetError(
            f"--joints {name} cannot be regressed{': no ' + ', '.join(lacking) if lacking else ''}; "
            "expected --joints lsp14 or h36m14"
        )
    rows = regressor[[ROW_NAMES.index(joint) for joint in joints.gathered]]
    return replace(joints, regressor=rows, has_landmarks=False)


def regressed_clip(clip: EvaluationClip, regressor: FloatArray, body: BodyModel) -> EvaluationClip:
    """The clip with the joints of the engine's body in the true pose, where the truth has one; else as it is."""
    truth = clip.truth
    pose = truth.pose or truth.pose_of_other
    if pose is None:
        return clip
    true_body = TrueBody(pose, body)
    joints = np.full((truth.num_frames, len(ROW_NAMES), 3), np.nan)
    for row in np.flatnonzero(np.isfinite(truth.joints).all(axis=(1, 2))):
        joints[row] = regressor @ true_body.posed(int(row)).vertices
    scored = [index for index, name in enumerate(ROW_NAMES) if name != "jaw"]
    names = tuple(ROW_NAMES[index] for index in scored)
    return replace(clip, truth=replace(truth, joints=joints[:, scored], names=names, pose=pose))
