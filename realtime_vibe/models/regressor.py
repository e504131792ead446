"""SMPL parameters from features by iterative error feedback (Kanazawa et al. 2018, HMR).

Starting from mean parameters, the same layers look three times at (features, current estimate) and
add a correction. Pose is 24 rotations in 6D, shape is 10 betas, the camera is weak perspective.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from realtime_vibe.models.precision import linear
from realtime_vibe.models.rotation import rotmat_from_rot6d

POSE_SIZE = 144
"""24 joints, 6 numbers each."""
SHAPE_SIZE = 10
CAMERA_SIZE = 3


class MeanParams(NamedTuple):
    """Where the iteration starts."""

    pose: Tensor
    """(144,) 6D rotations."""
    shape: Tensor
    """(10,) betas."""
    camera: Tensor
    """(3,) s, tx, ty."""


class RegressorOutput(NamedTuple):
    """Parameters after the last iteration; leading shape as the features."""

    rotmat: Tensor
    """(..., 24, 3, 3); the first is the root, rest frame to camera."""
    betas: Tensor
    """(..., 10)."""
    weak_camera: Tensor
    """(..., 3) s, tx, ty."""


class Regressor(nn.Module):
    """Layer names are the released checkpoints' (fc1, fc2, decpose, decshape, deccam, init_*).

    Where the iteration starts is stored as buffers, so that checkpoints carry it.
    """

    init_pose: Tensor
    init_shape: Tensor
    init_cam: Tensor

    def __init__(
        self,
        mean_params: MeanParams,
        feature_size: int = 2048,
        hidden_size: int = 1024,
        *,
        num_iterations: int = 3,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        estimate_size = POSE_SIZE + SHAPE_SIZE + CAMERA_SIZE
        self.fc1 = nn.Linear(feature_size + estimate_size, hidden_size)
        self.fc2 = nn.Linear(hidden_size, hidden_size)
        self.decpose = nn.Linear(hidden_size, POSE_SIZE)
        self.decshape = nn.Linear(hidden_size, SHAPE_SIZE)
        self.deccam = nn.Linear(hidden_size, CAMERA_SIZE)
        for head in (self.decpose, self.decshape, self.deccam):
            nn.init.xavier_uniform_(head.weight, gain=0.01)
        self.num_iterations = num_iterations
        self.dropout = dropout
        self.register_buffer("init_pose", mean_params.pose.reshape(1, POSE_SIZE))
        self.register_buffer("init_shape", mean_params.shape.reshape(1, SHAPE_SIZE))
        self.register_buffer("init_cam", mean_params.camera.reshape(1, CAMERA_SIZE))

    def forward(self, features: Tensor) -> RegressorOutput:
        """Regresses every item of (..., F) on its own.

        The part of fc1 that looks at the features is the same in every iteration and is computed
        once, and the three heads run as one product: the same sums in another order, a third fewer
        operations in the exported graph.
        """
        lead = features.shape[:-1]
        estimate = self._start().expand(*lead, POSE_SIZE + SHAPE_SIZE + CAMERA_SIZE)
        of_features, of_estimate = self.fc1.weight.tensor_split([features.shape[-1]], dim=-1)
        seen = linear(features, of_features, self.fc1.bias)
        weight, bias = self._heads()
        for _ in range(self.num_iterations):
            x = self._dropped(seen + linear(estimate, of_estimate))
            x = self._dropped(linear(x, self.fc2.weight, self.fc2.bias))
            estimate = estimate + linear(x, weight, bias)
        return parameters(estimate)

    @torch.no_grad()
    def as_affine(self) -> tuple[Tensor, Tensor]:
        """All iterations as one affine map: weight (157, F) and bias (157,), float64.

        The released network has no activations, so that every layer is linear, and so is iterating them: with the
        correction of an estimate x as C x + D f + e, three times x + C x + D f + e is linear in f. Exact for the
        network as it runs, without dropout.
        """
        head, head_bias = (part.double() for part in self._heads())
        size = len(head)
        fc1, fc2 = self.fc1.weight.double(), self.fc2.weight.double()
        of_features, of_estimate = (head @ fc2 @ fc1).tensor_split([fc1.shape[1] - size], dim=1)
        constant = head @ (fc2 @ self.fc1.bias.double() + self.fc2.bias.double()) + head_bias
        weight, bias = torch.zeros_like(of_features), self._start().double()
        for _ in range(self.num_iterations):
            weight = weight + of_estimate @ weight + of_features
            bias = bias + of_estimate @ bias + constant
        return weight, bias

    def _start(self) -> Tensor:
        """(157,) where the iteration begins."""
        return torch.cat([self.init_pose, self.init_shape, self.init_cam], dim=-1).squeeze(0)

    def _heads(self) -> tuple[Tensor, Tensor]:
        """The three heads as one product: weight (157, H) and bias (157,)."""
        heads = (self.decpose, self.decshape, self.deccam)
        return torch.cat([head.weight for head in heads]), torch.cat([head.bias for head in heads])

    def _dropped(self, x: Tensor) -> Tensor:
        return functional.dropout(x, self.dropout, self.training)


def parameters(estimate: Tensor) -> RegressorOutput:
    """Takes (..., 157) apart and makes the rotations orthonormal."""
    pose, shape, camera = estimate.split([POSE_SIZE, SHAPE_SIZE, CAMERA_SIZE], dim=-1)
    return RegressorOutput(rotmat_from_rot6d(pose.unflatten(-1, (24, 6))), shape, camera)
