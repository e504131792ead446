"""Forward kinematics of SMPL's joints over whole takes, and where those of the default body rest.

Legend: N frames, J = 24 joints, or the first of them: parents come before their children.
"""

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.geometry.rotation import FloatingArray
from realtime_vibe.geometry.smpl_joints import PARENTS

REST_JOINTS_M: NDArray[np.float64] = np.array(
    [
        [0.0, -0.220, 0.030],
        [0.098, -0.320, 0.037], [-0.098, -0.320, 0.037], [0.0, -0.117, 0.017],
        [0.134, -0.691, 0.031], [-0.134, -0.691, 0.031], [0.0, 0.012, 0.008],
        [0.118, -1.122, -0.016], [-0.118, -1.122, -0.016], [0.0, 0.061, 0.005],
        [0.147, -1.172, 0.122], [-0.147, -1.172, 0.122], [0.0, 0.245, 0.045],
        [0.078, 0.131, 0.041], [-0.078, 0.131, 0.041], [0.0, 0.341, 0.078],
        [0.172, 0.163, 0.032], [-0.172, 0.163, 0.032],
        [0.428, 0.150, 0.007], [-0.428, 0.150, 0.007],
        [0.659, 0.157, 0.005], [-0.659, 0.157, 0.005],
        [0.758, 0.149, -0.010], [-0.758, 0.149, -0.010],
    ]
)  # fmt: skip
"""(24, 3) rest joints of the project's own mean body [m], to the millimetre."""


def bone_offsets(rest_joints: FloatingArray) -> FloatingArray:
    """(..., J, 3) from each parent to its joint, in a pose without rotations; the root's is its position."""
    offsets: FloatingArray = np.array(rest_joints)
    offsets[..., 1:, :] -= rest_joints[..., PARENTS[1 : rest_joints.shape[-2]], :]
    return offsets


def rest_joints(offsets: FloatingArray) -> FloatingArray:
    """The inverse of `bone_offsets`: (J, 3) joints without rotations, the root at its own offset."""
    joints: FloatingArray = np.array(offsets)
    for joint in range(1, len(joints)):
        joints[joint] += joints[PARENTS[joint]]
    return joints


def world_rotations(rotmats: FloatingArray) -> FloatingArray:
    """Chains rotations (..., J, 3, 3), each relative to the joint's parent, down the tree: relative to the root's."""
    chained: FloatingArray = np.array(rotmats)
    for joint in range(1, rotmats.shape[-3]):
        chained[..., joint, :, :] = chained[..., PARENTS[joint], :, :] @ rotmats[..., joint, :, :]
    return chained


def joint_positions(
    rotmats: FloatingArray, offsets: FloatingArray, pelvis: FloatingArray
) -> FloatingArray:
    """Forward kinematics: (..., J, 3), with the root at `pelvis` (..., 3).

    Args:
        rotmats: (..., J, 3, 3), each relative to the joint's parent.
        offsets: (..., J, 3) as `bone_offsets` gives them; the root's is not used.
    """
    chained = world_rotations(rotmats)
    positions: FloatingArray = np.empty(rotmats.shape[:-1], rotmats.dtype)
    positions[..., 0, :] = pelvis
    for joint in range(1, rotmats.shape[-3]):
        bone = chained[..., PARENTS[joint], :, :] @ offsets[..., joint, :, None]
        positions[..., joint, :] = positions[..., PARENTS[joint], :] + bone[..., 0]
    return positions


def offsets_of_posed(rotmats: FloatingArray, joints: FloatingArray) -> FloatingArray:
    """The inverse of `joint_positions`: the bones (..., J, 3) that a pose and its joints (..., J, 3) belong to.

    Each leads from parent to joint in the rest pose; the root's is zero.
    """
    above = PARENTS[1 : joints.shape[-2]]
    turned_back = np.swapaxes(world_rotations(rotmats)[..., above, :, :], -1, -2)
    bones = joints[..., 1:, :] - joints[..., above, :]
    offsets: FloatingArray = np.zeros_like(joints)
    offsets[..., 1:, :] = (turned_back @ bones[..., None])[..., 0]
    return offsets
