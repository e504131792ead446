"""Joints and BlazePose landmarks of a posed body without its mesh: cheap enough for a network's inner loop.

The torch twin of `body.landmark_points`, batched and differentiable.

Legend: `...` any batch axes, N their product, J = 24 joints, K = 33 landmarks, Q pairs of landmark and bone.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from realtime_vibe.body.joints import PARENTS
from realtime_vibe.body.landmark_points import landmark_points
from realtime_vibe.body.model_file import BodyModel, rest_skeleton
from realtime_vibe.models.smpl_layer import ancestor_table, joint_motions
from realtime_vibe.packets import NUM_BETAS, NUM_LANDMARKS, NUM_SMPL_JOINTS


class SkeletonArrays(NamedTuple):
    """What of a body the skeleton needs; see `skeleton_arrays`."""

    bones: Tensor
    """(24, 3) from the parent joint in the rest pose [m]; the root's is its place."""
    bone_shapedirs: Tensor
    """(24, 3, 10) [m per standard deviation]."""
    pair_bone: Tensor
    """(Q,) joint that each pair moves with."""
    pair_offset: Tensor
    """(Q, 3) from that joint in the rest pose, times the pair's weight [m]."""
    pair_shapedirs: Tensor
    """(Q, 3, 10) likewise."""
    pair_weight: Tensor
    """(Q, 1) of each pair in its landmark; those of one landmark sum to 1."""
    pair_sums: Tensor
    """(33, Q) 1 where a pair belongs to a landmark."""


class PosedSkeleton(NamedTuple):
    """Where joints and landmarks are, the rest pelvis as pivot, no `transl` [m]."""

    joints: Tensor
    """(..., 24, 3)."""
    landmarks: Tensor
    """(..., 33, 3)."""


class LandmarkSkeleton(nn.Module):
    """Forward kinematics of 24 joints and 33 landmarks of one body; nothing is learned.

    The arrays are buffers, so that a checkpoint carries them. Two ways to the same points: in training
    with the batch as the last axis, joint by joint, where batches are wide (many times as fast as batched
    3 x 3 products); otherwise few large products, since a graph's time is then its number of nodes.
    """

    bones: Tensor
    bone_shapedirs: Tensor
    pair_bone: Tensor
    pair_offset: Tensor
    pair_shapedirs: Tensor
    pair_weight: Tensor
    pair_sums: Tensor
    ancestors: Tensor

    def __init__(self, arrays: SkeletonArrays) -> None:
        super().__init__()
        for name, array in arrays._asdict().items():
            self.register_buffer(name, array)
        self.register_buffer("ancestors", ancestor_table(), persistent=False)

    def forward(self, rotmat: Tensor, betas: Tensor) -> PosedSkeleton:
        """Poses the skeleton by `rotmat` (..., 24, 3, 3), each relative to its parent, and `betas` (..., 10)."""
        if not self.training:
            return self._few(rotmat, betas)
        # Positions are sums along limbs: half precision would lose millimetres.
        with torch.autocast(rotmat.device.type, enabled=False):
            return self._wide(rotmat.float(), betas.float())

    def _wide(self, rotmat: Tensor, betas: Tensor) -> PosedSkeleton:
        lead = betas.shape[:-1]
        turned = rotmat.reshape(-1, NUM_SMPL_JOINTS, 3, 3).permute(2, 3, 1, 0).contiguous()
        shape = betas.reshape(-1, NUM_BETAS).T
        rotations, positions = _by_joints(turned, _shaped(self.bones, self.bone_shapedirs, shape))
        offset = _shaped(self.pair_offset, self.pair_shapedirs, shape)
        bones = self.pair_bone.tolist()
        # Stacked from parts, not indexed: adding up an index's gradients is slow on a CPU.
        rotation = torch.stack([rotations[bone] for bone in bones], 2)
        position = torch.stack([positions[bone] for bone in bones], 1)
        moved = _rotated(rotation, offset) + self.pair_weight * position
        # One product over the pairs' axis: (33, Q) x (3, Q, N).
        landmarks = torch.matmul(self.pair_sums, moved)
        return PosedSkeleton(
            torch.stack(positions, 1).permute(2, 1, 0).reshape(*lead, NUM_SMPL_JOINTS, 3),
            landmarks.permute(2, 1, 0).reshape(*lead, NUM_LANDMARKS, 3),
        )

    def _few(self, rotmat: Tensor, betas: Tensor) -> PosedSkeleton:
        bones = self.bones + (self.bone_shapedirs * betas[..., None, None, :]).sum(-1)
        posed = joint_motions(rotmat, bones, self.ancestors)
        offset = self.pair_offset + (self.pair_shapedirs * betas[..., None, None, :]).sum(-1)
        point = torch.cat([offset, self.pair_weight.expand(*offset.shape[:-1], 1)], -1)
        moved = (posed.index_select(-3, self.pair_bone) * point[..., None, :]).sum(-1)
        landmarks = (moved[..., None, :, :] * self.pair_sums[..., None]).sum(-2)
        return PosedSkeleton(posed[..., 3], landmarks)


def skeleton_arrays(model: BodyModel) -> SkeletonArrays:
    """The skeleton of a body.

    Raises:
        BodyModelError: see `landmark_points`.
    """
    points = landmark_points(model)
    rest = rest_skeleton(model)
    parents = list(PARENTS[1:])
    bones, bone_shapedirs = rest.joints.copy(), rest.shapedirs.copy()
    bones[1:] -= rest.joints[parents]
    bone_shapedirs[1:] -= rest.shapedirs[parents]
    return SkeletonArrays(
        bones=_tensor(bones),
        bone_shapedirs=_tensor(bone_shapedirs),
        pair_bone=torch.from_numpy(points.bone),
        pair_offset=_tensor(points.offset),
        pair_shapedirs=_tensor(points.shapedirs),
        pair_weight=_tensor(points.weight),
        pair_sums=_tensor(points.sums),
    )


def _by_joints(rotmat: Tensor, bones: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Global rotations (3, 3, N), positions (3, N) per joint of (3, 3, 24, N), (3, 24, N) local ones."""
    local, steps = rotmat.unbind(2), bones.unbind(1)
    rotations, positions = [local[0]], [steps[0]]
    for joint in range(1, NUM_SMPL_JOINTS):
        above, own = rotations[PARENTS[joint]], local[joint]
        positions.append(positions[PARENTS[joint]] + _rotated(above, steps[joint]))
        rotations.append(above[:, 0:1] * own[0] + above[:, 1:2] * own[1] + above[:, 2:3] * own[2])
    return rotations, positions


def _rotated(rotation: Tensor, vector: Tensor) -> Tensor:
    """(3, 3, ..., N) times (3, ..., N)."""
    return rotation[:, 0] * vector[0] + rotation[:, 1] * vector[1] + rotation[:, 2] * vector[2]


def _shaped(rest: Tensor, shapedirs: Tensor, betas: Tensor) -> Tensor:
    """(X, 3) with (X, 3, 10) directions at betas (10, N), as (3, X, N)."""
    return rest.T[..., None] + torch.matmul(shapedirs.transpose(0, 1), betas)


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.float32))
