"""The joints of SMPL: rest pose, shape and forward kinematics, without a mesh (Loper et al. 2015, eqs. 2 to 4)."""

from dataclasses import dataclass

import numpy as np

from realtime_vibe.body.joints import ANCESTORS, PARENTS
from realtime_vibe.body.model_file import BodyModel, rest_skeleton
from realtime_vibe.packets import NUM_SMPL_JOINTS, FloatArray

_PARENTS_OF_ALL = np.asarray(PARENTS[1:])
_IDENTITY = np.eye(4, dtype=np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kinematics:
    """A posed skeleton before translation."""

    rotations: FloatArray
    """(24, 3, 3) of each joint in the frame of the root's rotation."""
    joints: FloatArray
    """(24, 3) [m]."""
    rest_joints: FloatArray
    """(24, 3) of the shape in the rest pose [m]."""


class SmplSkeleton:
    """Poses the joints of one body model."""

    def __init__(self, model: BodyModel) -> None:
        self.model = model
        """The arrays this body was built from."""
        rest = rest_skeleton(model)
        self._rest_joints = rest.joints.astype(np.float32)
        self._joint_shapedirs = rest.shapedirs.astype(np.float32)

    def joints(
        self,
        global_orient: FloatArray,
        body_pose: FloatArray,
        betas: FloatArray,
        transl: FloatArray,
    ) -> FloatArray:
        """(24, 3) joints [m], in the frame that `global_orient` and `transl` are given in.

        Args:
            global_orient: (3, 3) rotation of the root, about the rest pelvis.
            body_pose: (23, 3, 3) rotation of each other joint relative to its parent.
            betas: (10,) shape coefficients.
            transl: (3,) [m], added to all joints.
        """
        pose = self.kinematics(global_orient, body_pose, betas)
        return (pose.joints + transl).astype(np.float32, copy=False)

    def kinematics(
        self, global_orient: FloatArray, body_pose: FloatArray, betas: FloatArray
    ) -> Kinematics:
        """The joints before translation, with the rotation of every joint; arguments as of `joints`."""
        shaped: FloatArray = self._rest_joints + self._joint_shapedirs @ betas
        rest_joints = shaped.astype(np.float32, copy=False)
        rotations, positions = _forward_kinematics(global_orient, body_pose, rest_joints)
        return Kinematics(rotations=rotations, joints=positions, rest_joints=rest_joints)


def _forward_kinematics(
    global_orient: FloatArray, body_pose: FloatArray, rest_joints: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Rotations (24, 3, 3) and positions (24, 3) of the joints in the root's parent frame."""
    # One motion more, the identity, stands above the root.
    motions = np.zeros((NUM_SMPL_JOINTS + 1, 4, 4), np.float32)
    motions[:-1, 3, 3] = 1.0
    motions[-1] = _IDENTITY
    motions[0, :3, :3], motions[1:-1, :3, :3] = global_orient, body_pose
    motions[0, :3, 3] = rest_joints[0]
    motions[1:-1, :3, 3] = rest_joints[1:] - rest_joints[_PARENTS_OF_ALL]
    # After each round a joint's motion holds those of twice as many joints above it.
    for above in ANCESTORS:
        motions = motions[above] @ motions
    return motions[:-1, :3, :3], motions[:-1, :3, 3]
