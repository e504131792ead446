"""A regressor that looks at what it got wrong: the embedded engine's.

HMR's regressor (Kanazawa et al. 2018) sees the same features in every iteration. Here each iteration is
also given where the landmarks of its estimate project against where they were seen, so that it corrects
instead of guessing again (Song et al. 2020, "Human Body Model Fitting by Learned Gradient Descent"; Choutas
et al. 2022, "Learning to Fit Morphable Models"; Wang and Daniilidis 2023, "ReFit"). Each iteration corrects by the
mean of what it says of the person and of the mirrored person (`mirror`).

Legend: `...` any batch axes, E encoded features, F raw landmark features, K = 33 landmarks, 2 sides: as
seen, and as a mirror shows it.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from realtime_vibe.features.landmark_features import (
    CROP_CENTER,
    CROP_POINTS,
    CROP_SIDE,
    VISIBILITY,
    WORLD_POINTS,
)
from realtime_vibe.models.crop_camera import crop_points
from realtime_vibe.models.landmark_skeleton import LandmarkSkeleton, PosedSkeleton
from realtime_vibe.models.mirror import (
    ESTIMATE,
    LANDMARK_RESIDUALS,
    LANDMARK_VISIBILITY,
    SIDES,
    Mirror,
)
from realtime_vibe.models.precision import linear
from realtime_vibe.models.regressor import (
    CAMERA_SIZE,
    POSE_SIZE,
    SHAPE_SIZE,
    MeanParams,
    RegressorOutput,
    parameters,
)
from realtime_vibe.models.rotation import wide_rotmat_from_rot6d
from realtime_vibe.packets import NUM_LANDMARKS

ESTIMATE_SIZE = POSE_SIZE + SHAPE_SIZE + CAMERA_SIZE
RESIDUAL_SIZE = (2 + 3) * NUM_LANDMARKS
OBSERVED_SIZE = NUM_LANDMARKS + 1
"""Visibility of each landmark, and whether there are world landmarks at all."""
_GAIN = 5.0
"""A residual of a tenth of the crop, or of 20 cm, becomes 0.5 to 1."""
_LARGEST = 3.0
_LEAST_HALF_SIDE = 1e-3
_HIPS = (23, 24)


class Estimates(NamedTuple):
    """What every iteration says, for a loss on each."""

    early: tuple[RegressorOutput, ...]
    """Of all iterations but the last."""
    last: RegressorOutput
    posed: PosedSkeleton
    """Where the last one puts the body."""


class FeedbackRegressor(nn.Module):
    """Iterative regressor with projected landmarks fed back, of E encoded features.

    Where the iteration starts is stored as a buffer, so that checkpoints carry it.
    """

    init_estimate: Tensor

    def __init__(
        self,
        mean_params: MeanParams,
        skeleton: LandmarkSkeleton,
        encoded_size: int,
        hidden_size: int,
        *,
        num_iterations: int = 3,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.skeleton = skeleton
        self.fc_seen = nn.Linear(encoded_size + OBSERVED_SIZE, hidden_size)
        self.fc_estimate = nn.Linear(ESTIMATE_SIZE + RESIDUAL_SIZE, hidden_size, bias=False)
        self.fc2 = nn.Linear(hidden_size, hidden_size)
        self.head = nn.Linear(hidden_size, ESTIMATE_SIZE)
        nn.init.xavier_uniform_(self.head.weight, gain=0.01)
        self.num_iterations = num_iterations
        self.dropout = dropout
        self.mirror_estimate = Mirror(ESTIMATE)
        self.mirror_residual = Mirror(LANDMARK_RESIDUALS)
        self.mirror_visibility = Mirror(LANDMARK_VISIBILITY)
        start = [mean_params.pose, mean_params.shape, mean_params.camera]
        self.register_buffer("init_estimate", torch.cat([part.flatten() for part in start]))

    def forward(self, encoded: Tensor, features: Tensor) -> RegressorOutput:
        """The last iteration's parameters, from (..., 2 E), one side after the other, and raw features (..., F)."""
        estimate, seen, observed = self._begin(encoded, features)
        for _ in range(self.num_iterations):
            params = parameters(estimate)
            posed = self.skeleton(params.rotmat, params.betas)
            residual = observed.residual(params.weak_camera, posed.landmarks)
            estimate = self._corrected(estimate, seen, residual)
        return parameters(estimate)

    def iterations(self, encoded: Tensor, features: Tensor) -> Estimates:
        """The answer of every iteration; the last one is `forward`'s.

        Residuals carry no gradient (as in RAFT, Teed and Deng 2020): each iteration is trained to correct
        what it is given, and posing the skeleton backwards three times would take half of a step.
        """
        estimate, seen, observed = self._begin(encoded, features)
        answers = [_wide_parameters(estimate)]
        for _ in range(self.num_iterations):
            before = answers[-1]
            with torch.no_grad():
                landmarks = self.skeleton(before.rotmat, before.betas).landmarks
                residual = observed.residual(before.weak_camera, landmarks)
            estimate = self._corrected(estimate, seen, residual)
            answers.append(_wide_parameters(estimate))
        last = answers[-1]
        return Estimates(tuple(answers[1:-1]), last, self.skeleton(last.rotmat, last.betas))

    def _begin(self, encoded: Tensor, features: Tensor) -> tuple[Tensor, Tensor, "Observed"]:
        observed = Observed(features)
        sides = encoded.unflatten(-1, (SIDES, -1))
        has_world = observed.has_world[..., None, :].expand(*sides.shape[:-1], 1)
        visibility = self.mirror_visibility.both(observed.visibility)
        known = torch.cat([sides, visibility, has_world], dim=-1)
        seen = linear(known, self.fc_seen.weight, self.fc_seen.bias)
        # Mean parameters of recorded motion lean a little to one side.
        start = self.mirror_estimate.both(self.init_estimate).mean(-2)
        return start.expand(*encoded.shape[:-1], ESTIMATE_SIZE), seen, observed

    def _corrected(self, estimate: Tensor, seen: Tensor, residual: Tensor) -> Tensor:
        """(..., 157) after one iteration; `seen` is (..., 2, hidden)."""
        sides = self.mirror_estimate.both(estimate), self.mirror_residual.both(residual)
        x = torch.cat(sides, dim=-1)
        x = self._activated(seen + linear(x, self.fc_estimate.weight))
        x = self._activated(linear(x, self.fc2.weight, self.fc2.bias))
        change = linear(x, self.head.weight, self.head.bias)
        other: Tensor = self.mirror_estimate(change[..., 1, :])
        return estimate + 0.5 * (change[..., 0, :] + other)

    def _activated(self, x: Tensor) -> Tensor:
        return functional.dropout(functional.relu(x), self.dropout, self.training)


class Observed:
    """What the tracker saw of each frame, from features (..., F)."""

    def __init__(self, features: Tensor) -> None:
        self.crop_points = features[..., CROP_POINTS].unflatten(-1, (NUM_LANDMARKS, 2))
        self.visibility = features[..., VISIBILITY]
        world = features[..., WORLD_POINTS]
        self.has_world = (world.abs().sum(-1, keepdim=True) > 1e-6).to(features.dtype)
        """(..., 1): zeros mean that there are no world landmarks."""
        self._world = world.unflatten(-1, (NUM_LANDMARKS, 3))
        self._center = features[..., None, CROP_CENTER]
        # A crop without a size is nobody's; it must not become infinite depth.
        self._half_side = (0.5 * features[..., CROP_SIDE]).clamp_min(_LEAST_HALF_SIDE)

    def residual(self, weak_camera: Tensor, landmarks: Tensor) -> Tensor:
        """(..., 165): observed minus projected in half crop sides, then minus posed about the hips [m]; scaled."""
        projected = crop_points(landmarks, weak_camera, self._center, self._half_side)
        middle = 0.5 * (landmarks[..., _HIPS[0], None, :] + landmarks[..., _HIPS[1], None, :])
        world = (self._world - (landmarks - middle)) * self.has_world[..., None]
        both = [(self.crop_points - projected).flatten(-2), world.flatten(-2)]
        return (torch.cat(both, dim=-1) * _GAIN).clamp(-_LARGEST, _LARGEST)


def _wide_parameters(estimate: Tensor) -> RegressorOutput:
    """As `parameters`, quicker for wide batches."""
    pose, shape, camera = estimate.split([POSE_SIZE, SHAPE_SIZE, CAMERA_SIZE], dim=-1)
    rotmat = wide_rotmat_from_rot6d(pose.reshape(-1, POSE_SIZE))
    return RegressorOutput(rotmat.unflatten(0, pose.shape[:-1]), shape, camera)
