"""The true body of a clip, posed frame by frame, to measure vertices against."""

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy_clips import ClipTruth, TruthPose
from benchmarks.metrics import pve
from realtime_vibe.body.joints import SMPL_JOINT_NAMES
from realtime_vibe.body.model_file import BodyModel
from realtime_vibe.body.smpl import SmplBody
from realtime_vibe.errors import DatasetError
from realtime_vibe.geometry.rotation import rotmat_from_axis_angle
from realtime_vibe.packets import NUM_SMPL_JOINTS, BodyMesh

LARGEST_DISAGREEMENT_M = 0.010
"""Beyond this the parameters belong to another body: its vertices would not correspond."""

_CHECKED_FRAMES = 5


class TrueBody:
    """Poses a clip's true parameters with the engine's body.

    Args:
        pose: the parameters.
        model: the engine's body.
    """

    def __init__(self, pose: TruthPose, model: BodyModel) -> None:
        self._body = SmplBody(model)  # its own: shaping is cached for one set of betas
        self._orient = rotmat_from_axis_angle(pose.global_orient).astype(np.float32)
        body_pose = pose.body_pose.reshape(-1, NUM_SMPL_JOINTS - 1, 3)
        self._pose = rotmat_from_axis_angle(body_pose).astype(np.float32)
        self._betas = pose.betas.astype(np.float32)

    def vertex_error_m(self, row: int, mesh: BodyMesh) -> float:
        """Mean vertex distance of `mesh` from truth frame `row`, pelvis on pelvis [m]."""
        true = self.posed(row)
        error = pve(
            mesh.vertices[None], true.vertices[None], mesh.joints[None, 0], true.joints[None, 0]
        )
        return float(error[0])

    def posed(self, row: int) -> BodyMesh:
        """The true body of a frame, rest pelvis on the origin."""
        at_origin = np.zeros(3, np.float32)
        return self._body.forward(self._orient[row], self._pose[row], self._betas, at_origin)

    def check(self, truth: ClipTruth) -> None:
        """Whether the parameters are of this body.

        Raises:
            DatasetError: they do not give the truth's own joints on it.
        """
        shared = [name for name in truth.names if name in SMPL_JOINT_NAMES]
        in_truth = [truth.names.index(name) for name in shared]
        in_body = [SMPL_JOINT_NAMES.index(name) for name in shared]
        rows = np.linspace(0, truth.num_frames - 1, _CHECKED_FRAMES).astype(int)
        gaps = [
            _distance(self.posed(row).joints[in_body], truth.joints[row, in_truth]) for row in rows
        ]
        largest = max((gap for gap in gaps if np.isfinite(gap)), default=0.0)
        if largest > LARGEST_DISAGREEMENT_M:
            raise DatasetError(
                f"the pose parameters put joints {largest * 1e3:.0f} mm from joints_camera on this "
                f"engine's body, expected {LARGEST_DISAGREEMENT_M * 1e3:.0f} or less: they belong "
                "to another body; leave global_orient, body_pose and betas out of the file"
            )


def _distance(posed: NDArray[np.floating], truth: NDArray[np.floating]) -> float:
    """Mean distance of (K, 3) joints about their middles [m]."""
    difference = posed - truth
    return float(np.linalg.norm(difference - difference.mean(axis=0), axis=-1).mean())
