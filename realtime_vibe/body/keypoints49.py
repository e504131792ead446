"""The 49 points of the paper's output, from a posed body of SMPL's topology.

25 points in the order of OpenPose's BODY_25, then 24 that training sets annotate (Kolotouros et al.
2019, SPIN; Kocabas et al. 2020, VIBE). A point is a joint of SMPL, a vertex, or a row of
`J_regressor_extra`: the hips of the first group are SMPL's joints, those of the second are regressed.
"""

import numpy as np

from realtime_vibe.body.joints import SMPL_JOINT_NAMES
from realtime_vibe.body.model_file import BodyModel
from realtime_vibe.errors import BodyModelError
from realtime_vibe.packets import BodyMesh, FloatArray

NUM_KEYPOINTS = 49
NUM_SMPL_VERTICES = 6890

_OPENPOSE_JOINTS = {
    "Neck": "neck",
    "RShoulder": "right_shoulder", "RElbow": "right_elbow", "RWrist": "right_wrist",
    "LShoulder": "left_shoulder", "LElbow": "left_elbow", "LWrist": "left_wrist",
    "MidHip": "pelvis",
    "RHip": "right_hip", "RKnee": "right_knee", "RAnkle": "right_ankle",
    "LHip": "left_hip", "LKnee": "left_knee", "LAnkle": "left_ankle",
}  # fmt: skip
_VERTICES = {
    "Nose": 332, "REye": 6260, "LEye": 2800, "REar": 4071, "LEar": 583,
    "LBigToe": 3216, "LSmallToe": 3226, "LHeel": 3387,
    "RBigToe": 6617, "RSmallToe": 6624, "RHeel": 6787,
}  # fmt: skip
"""Vertex of SMPL's mesh that stands for each point."""

_FACE = {
    "Nose": "Nose",
    "Left Eye": "LEye",
    "Right Eye": "REye",
    "Left Ear": "LEar",
    "Right Ear": "REar",
}
_LIMBS = tuple(
    f"{side} {part}"
    for side, parts in (
        ("Right", ("Ankle", "Knee", "Hip")),
        ("Left", ("Hip", "Knee", "Ankle")),
        ("Right", ("Wrist", "Elbow", "Shoulder")),
        ("Left", ("Shoulder", "Elbow", "Wrist")),
    )
    for part in parts
)
"""The order of the LSP data set, without neck and head."""
EXTRA_NAMES = (
    "Right Hip", "Left Hip", "Neck (LSP)", "Top of Head (LSP)", "Pelvis (MPII)", "Thorax (MPII)",
    "Spine (H36M)", "Jaw (H36M)", "Head (H36M)",
)  # fmt: skip
"""What the rows of `J_regressor_extra` give."""

KEYPOINT_NAMES = (
    "OP Nose",
    *(f"OP {name}" for name in _OPENPOSE_JOINTS),
    *(f"OP {name}" for name in list(_VERTICES)[1:]),
    *_LIMBS,
    *EXTRA_NAMES[2:],
    *_FACE,
)
"""The 49 names; those that begin with OP are OpenPose's."""

VERTEX_IDS = tuple(_VERTICES.values())
"""(11,) the vertices among the points."""


def _pool_index(name: str) -> int:
    """Where a point stands among 24 joints, 11 vertices and 9 regressed points, in this order."""
    num_joints = len(SMPL_JOINT_NAMES)
    if name in EXTRA_NAMES:
        return num_joints + len(_VERTICES) + EXTRA_NAMES.index(name)
    short = _FACE.get(name, name.removeprefix("OP "))
    if short in _VERTICES:
        return num_joints + list(_VERTICES).index(short)
    return SMPL_JOINT_NAMES.index(_OPENPOSE_JOINTS.get(short, short.lower().replace(" ", "_")))


POOL_ORDER = tuple(_pool_index(name) for name in KEYPOINT_NAMES)
"""(49,) for each point, its index among 24 joints, 11 vertices and 9 regressed points."""


class Keypoints49:
    """Picks the 49 points from bodies of one model, which `supported` accepts.

    Raises:
        BodyModelError: the body has another topology, or no regressor for the extra points.
    """

    def __init__(self, model: BodyModel) -> None:
        rows = model.J_regressor_extra
        if rows is None or not supported(model):
            raise BodyModelError(
                f"the 49 keypoints need SMPL's {NUM_SMPL_VERTICES} vertices and J_regressor_extra, "
                f"got {model.num_vertices} vertices and {'no' if rows is None else 'a'} regressor: "
                "import SMPL with `python -m export.body --smpl ... --extra J_regressor_extra.npy`"
            )
        self._used = np.flatnonzero(np.any(rows != 0.0, axis=0))
        self._rows = np.ascontiguousarray(rows[:, self._used])
        self._vertices = np.asarray(VERTEX_IDS)
        self._order = np.asarray(POOL_ORDER)

    def locate(self, mesh: BodyMesh) -> FloatArray:
        """(49, 3) points, named by `KEYPOINT_NAMES`, [m] in camera axes before translation, the paper's `kp_3d`.

        Add `mesh.transl` for the camera's frame.
        """
        # The regressor's rows need not sum to 1: it must see the body where the paper has it.
        regressed = self._rows @ (mesh.vertices[self._used] - mesh.transl)
        pool = np.concatenate(
            [mesh.joints - mesh.transl, mesh.vertices[self._vertices] - mesh.transl, regressed]
        )
        points: FloatArray = pool[self._order]
        return points


def supported(model: BodyModel) -> bool:
    """Whether a body has SMPL's vertices and the regressor of the extra points."""
    return model.num_vertices == NUM_SMPL_VERTICES and model.J_regressor_extra is not None
