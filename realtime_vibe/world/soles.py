"""Where the feet touch the floor: a heel and a ball under each foot.

Legend: 2 feet, left first; 2 points of each, heel first. Both move with the ankle.
"""

import numpy as np

from realtime_vibe.body.model_file import BodyModel
from realtime_vibe.packets import FloatArray

ANKLES = (7, 8)
_TOES = (10, 11)
_HEEL_DEPTH_M = 0.05
"""The heel is the lowest vertex within this of the foot's rear end."""


class Soles:
    """Contact points of one body model, in a rest pose with the feet flat."""

    def __init__(self, model: BodyModel) -> None:
        rest_joints = model.J_regressor @ model.v_template
        rows = np.array(
            [
                _foot(model, rest_joints, ankle, toe)
                for ankle, toe in zip(ANKLES, _TOES, strict=True)
            ]
        )
        self._rest = np.asarray(model.v_template[rows], np.float32)
        self._directions = np.asarray(model.shapedirs[rows], np.float32)

    def offsets(self, rest_joints: FloatArray, betas: FloatArray) -> FloatArray:
        """(2, 2, 3) from each ankle to its points in the rest pose, of joints (24, 3) and betas (10,) [m]."""
        ankles = rest_joints[list(ANKLES), None]
        return self._rest + self._directions @ betas - ankles


def posed_soles(offsets: FloatArray, turns: FloatArray, ankles: FloatArray) -> FloatArray:
    """(2, 2, 3) points of turned feet, of `Soles.offsets`, ankle rotations (2, 3, 3) and ankles (2, 3) [m]."""
    points: FloatArray = np.matmul(offsets, turns.transpose(0, 2, 1)) + ankles[:, None]
    return points


def _foot(model: BodyModel, rest_joints: FloatArray, ankle: int, toe: int) -> tuple[int, int]:
    """Vertices of the heel and of the ball."""
    own = np.flatnonzero(model.weights[:, ankle] + model.weights[:, toe] > 0.5)
    points = model.v_template[own]
    behind_m = points[:, 2] - points[:, 2].min()
    heel = own[np.argmin(points[:, 1] + np.where(behind_m < _HEEL_DEPTH_M, 0.0, 1.0))]
    beside = points[:, [0, 2]] - rest_joints[toe, [0, 2]]
    ball = own[np.argmin(3.0 * points[:, 1] + np.linalg.norm(beside, axis=1))]
    return int(heel), int(ball)
