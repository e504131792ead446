"""The torch twin of `realtime_vibe.body.smpl`: batched, differentiable, for training.

Legend: `...` any batch axes, V vertices, J = 24 joints, P pose blend components. Rotations are matrices
relative to the parent joint; joint 0 is the root.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from realtime_vibe.body.joints import ANCESTORS, PARENTS
from realtime_vibe.body.model_file import BodyModel, rest_skeleton
from realtime_vibe.packets import NUM_SMPL_JOINTS

_PARENTS_OF_ALL = list(PARENTS[1:])


def ancestor_table() -> Tensor:
    """(4, 25) `body.joints.ANCESTORS`, for a buffer."""
    return torch.from_numpy(np.stack(ANCESTORS))


def joint_motions(rotmat: Tensor, bones: Tensor, ancestors: Tensor) -> Tensor:
    """(..., 24, 3, 4) rotation and place of each joint: few large products, whatever the tree.

    Of rotations (..., 24, 3, 3) relative to the parent, and bones (..., 24, 3) from it in the rest pose [m]; the root's is
    its place.
    """
    local = torch.cat([rotmat, bones[..., None]], dim=-1)
    # (..., 25, 4, 4) homogeneous; the last one is the identity.
    corner = local.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(*local.shape[:-2], 1, 4)
    identity = torch.eye(4, dtype=local.dtype, device=local.device)
    motion = torch.cat(
        [torch.cat([local, corner], dim=-2), identity.expand(*local.shape[:-3], 1, 4, 4)], dim=-3
    )
    for places in ancestors:
        motion = motion.index_select(-3, places) @ motion
    return motion[..., :NUM_SMPL_JOINTS, :3, :]


class SmplLayer(nn.Module):
    """SMPL of one body model; all arrays are buffers and nothing is learned."""

    v_template: Tensor
    shapedirs: Tensor
    posedirs: Tensor
    weights: Tensor
    rest_joints: Tensor
    joint_shapedirs: Tensor
    ancestors: Tensor

    def __init__(self, model: BodyModel) -> None:
        super().__init__()
        rest = rest_skeleton(model)
        self._register("v_template", model.v_template)
        self._register("shapedirs", model.shapedirs)
        self._register("posedirs", model.posedirs)
        self._register("weights", model.weights)
        self._register("rest_joints", rest.joints)
        self._register("joint_shapedirs", rest.shapedirs)
        self.register_buffer("ancestors", ancestor_table(), persistent=False)

    def forward(self, rotmat: Tensor, betas: Tensor) -> tuple[Tensor, Tensor]:
        """Poses the whole mesh, from `rotmat` (..., 24, 3, 3) and `betas` (..., 10).

        Gives vertices (..., V, 3) and joints (..., 24, 3) [m], the rest pelvis as pivot, no `transl`.
        """
        rest = self.rest_joints + torch.einsum("jcb,...b->...jc", self.joint_shapedirs, betas)
        bones = torch.cat([rest[..., :1, :], rest[..., 1:, :] - rest[..., _PARENTS_OF_ALL, :]], -2)
        motions = joint_motions(rotmat, bones, self.ancestors)
        rotations, positions = motions[..., :3], motions[..., 3]
        offsets = positions - (rotations @ rest[..., None])[..., 0]
        vertices = _skin(self._rest_vertices(rotmat, betas), self.weights, rotations, offsets)
        return vertices, positions

    def _register(self, name: str, array: NDArray[np.floating]) -> None:
        tensor = torch.from_numpy(np.ascontiguousarray(array, np.float32))
        self.register_buffer(name, tensor, persistent=False)

    def _rest_vertices(self, rotmat: Tensor, betas: Tensor) -> Tensor:
        vertices = self.v_template + torch.einsum("scb,...b->...sc", self.shapedirs, betas)
        if self.posedirs.shape[-1]:
            identity = torch.eye(3, dtype=rotmat.dtype, device=rotmat.device)
            feature = (rotmat[..., 1:, :, :] - identity).flatten(-3)
            vertices = vertices + torch.einsum("scp,...p->...sc", self.posedirs, feature)
        return vertices


def _skin(vertices: Tensor, weights: Tensor, rotations: Tensor, offsets: Tensor) -> Tensor:
    """(..., V, 3): each vertex moved by the weighted mean of the joints' motions."""
    motions = torch.cat([rotations.flatten(-2), offsets], dim=-1)
    blended = torch.matmul(weights, motions)
    turn = blended[..., :9].unflatten(-1, (3, 3))
    moved: Tensor = (turn * vertices[..., None, :]).sum(dim=-1) + blended[..., 9:]
    return moved
