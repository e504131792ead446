"""The torch twin of `realtime_vibe.body.smpl`: batched, differentiable, for training.

Legend: `...` any batch axes, V vertices, J = 24 joints, P pose blend components. Rotations are matrices
relative to the parent joint; joint 0 is the root.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from realtime_vibe.body.joints import DEPTH_LEVELS, PARENTS
from realtime_vibe.body.model_file import BodyModel, rest_skeleton

_PARENTS_OF_ALL = list(PARENTS[1:])
_LEVELS = [level.tolist() for level in DEPTH_LEVELS]
_PARENT_SLOTS = [
    [above.index(PARENTS[joint]) for joint in level]
    for above, level in zip([[0], *_LEVELS], _LEVELS, strict=False)
]
"""Where the parent of each joint of a level stands in the level above."""
_FROM_LEVELS = np.argsort([0, *(joint for level in _LEVELS for joint in level)]).tolist()
"""Sorts joints that are listed level by level."""


class SmplLayer(nn.Module):
    """SMPL of one body model; all arrays are buffers and nothing is learned."""

    v_template: Tensor
    shapedirs: Tensor
    posedirs: Tensor
    weights: Tensor
    rest_joints: Tensor
    joint_shapedirs: Tensor

    def __init__(self, model: BodyModel) -> None:
        super().__init__()
        rest = rest_skeleton(model)
        self._register("v_template", model.v_template)
        self._register("shapedirs", model.shapedirs)
        self._register("posedirs", model.posedirs)
        self._register("weights", model.weights)
        self._register("rest_joints", rest.joints)
        self._register("joint_shapedirs", rest.shapedirs)

    def forward(self, rotmat: Tensor, betas: Tensor) -> tuple[Tensor, Tensor]:
        """Poses the whole mesh, from `rotmat` (..., 24, 3, 3) and `betas` (..., 10).

        Gives vertices (..., V, 3) and joints (..., 24, 3) [m], the rest pelvis as pivot, no `transl`.
        """
        rotations, positions, rest = self._kinematics(rotmat, betas)
        vertices = _skin(
            self._rest_vertices(self.v_template, self.shapedirs, self.posedirs, rotmat, betas),
            self.weights,
            rotations,
            _offsets(rotations, positions, rest),
        )
        return vertices, positions

    def _register(self, name: str, array: NDArray[np.floating]) -> None:
        tensor = torch.from_numpy(np.ascontiguousarray(array, np.float32))
        self.register_buffer(name, tensor, persistent=False)

    def _kinematics(self, rotmat: Tensor, betas: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Global rotations (..., 24, 3, 3), positions and rest positions (..., 24, 3)."""
        rest = self.rest_joints + torch.einsum("jcb,...b->...jc", self.joint_shapedirs, betas)
        bones = rest[..., 1:, :] - rest[..., _PARENTS_OF_ALL, :]
        rotation, position = rotmat[..., :1, :, :], rest[..., :1, :]
        rotations, positions = [rotation], [position]
        for level, slots in zip(_LEVELS, _PARENT_SLOTS, strict=True):
            above = rotation[..., slots, :, :]
            bone = bones[..., [joint - 1 for joint in level], :, None]
            position = position[..., slots, :] + (above @ bone)[..., 0]
            rotation = above @ rotmat[..., level, :, :]
            rotations.append(rotation)
            positions.append(position)
        return (
            torch.cat(rotations, dim=-3)[..., _FROM_LEVELS, :, :],
            torch.cat(positions, dim=-2)[..., _FROM_LEVELS, :],
            rest,
        )

    def _rest_vertices(
        self, template: Tensor, shapedirs: Tensor, posedirs: Tensor, rotmat: Tensor, betas: Tensor
    ) -> Tensor:
        vertices = template + torch.einsum("scb,...b->...sc", shapedirs, betas)
        if posedirs.shape[-1]:
            identity = torch.eye(3, dtype=rotmat.dtype, device=rotmat.device)
            feature = (rotmat[..., 1:, :, :] - identity).flatten(-3)
            vertices = vertices + torch.einsum("scp,...p->...sc", posedirs, feature)
        return vertices


def _offsets(rotations: Tensor, positions: Tensor, rest: Tensor) -> Tensor:
    return positions - (rotations @ rest[..., None])[..., 0]


def _skin(vertices: Tensor, weights: Tensor, rotations: Tensor, offsets: Tensor) -> Tensor:
    """(..., V, 3): each vertex moved by the weighted mean of the joints' motions."""
    motions = torch.cat([rotations.flatten(-2), offsets], dim=-1)
    blended = torch.matmul(weights, motions)
    turn = blended[..., :9].unflatten(-1, (3, 3))
    moved: Tensor = (turn * vertices[..., None, :]).sum(dim=-1) + blended[..., 9:]
    return moved
