"""Forward kinematics of SMPL's joints over whole takes.

Legend: N frames, J = 24 joints.
"""

import numpy as np

from realtime_vibe.geometry.rotation import FloatingArray
from realtime_vibe.geometry.smpl_joints import PARENTS


def bone_offsets(rest_joints: FloatingArray) -> FloatingArray:
    """(..., 24, 3) from each parent to its joint, in a pose without rotations; the root's is its position."""
    offsets: FloatingArray = np.array(rest_joints)
    offsets[..., 1:, :] -= rest_joints[..., PARENTS[1:], :]
    return offsets


def rest_joints(offsets: FloatingArray) -> FloatingArray:
    """The inverse of `bone_offsets`: (24, 3) joints without rotations, the root at its own offset."""
    joints: FloatingArray = np.array(offsets)
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            joints[joint] += joints[parent]
    return joints


def world_rotations(rotmats: FloatingArray) -> FloatingArray:
    """Chains rotations (..., 24, 3, 3), each relative to the joint's parent, down the tree: relative to the root's."""
    chained: FloatingArray = np.array(rotmats)
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            chained[..., joint, :, :] = chained[..., parent, :, :] @ rotmats[..., joint, :, :]
    return chained


def joint_positions(
    rotmats: FloatingArray, offsets: FloatingArray, pelvis: FloatingArray
) -> FloatingArray:
    """Forward kinematics.

    Args:
        rotmats: (..., 24, 3, 3), each relative to the joint's parent.
        offsets: (..., 24, 3) as `bone_offsets` gives them; the root's is not used.
        pelvis: (..., 3) where the root is.

    Returns:
        (..., 24, 3).
    """
    chained = world_rotations(rotmats)
    positions: FloatingArray = np.empty(rotmats.shape[:-1], rotmats.dtype)
    positions[..., 0, :] = pelvis
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            bone = (chained[..., parent, :, :] @ offsets[..., joint, :, None])[..., 0]
            positions[..., joint, :] = positions[..., parent, :] + bone
    return positions


def offsets_of_posed(rotmats: FloatingArray, joints: FloatingArray) -> FloatingArray:
    """The inverse of `joint_positions`: the bones that a pose and its joints belong to.

    Args:
        rotmats: (..., 24, 3, 3), each relative to the joint's parent.
        joints: (..., 24, 3) posed.

    Returns:
        (..., 24, 3) from parent to joint in the rest pose; the root's is zero.
    """
    chained = world_rotations(rotmats)
    offsets: FloatingArray = np.zeros_like(joints)
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            bone = (joints[..., joint, :] - joints[..., parent, :])[..., None]
            offsets[..., joint, :] = (np.swapaxes(chained[..., parent, :, :], -1, -2) @ bone)[
                ..., 0
            ]
    return offsets
