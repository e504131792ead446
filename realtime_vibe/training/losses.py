"""What the network is told to get right (Kocabas et al. 2020, eq. 1-3, without the adversary).

Every term is a mean over the items whose truth is known, so weights do not depend on the batch.
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from realtime_vibe.models.regressor import RegressorOutput
from realtime_vibe.training.sequences import SequenceBatch


@dataclass(frozen=True, slots=True, kw_only=True)
class LossWeights:
    """Factors of the terms in `LossTerms`."""

    joints: float = 12.0
    image: float = 8.0
    pose: float = 4.0
    shape: float = 0.01
    camera: float = 1.0
    velocity: float = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LossTerms:
    """The terms before weighting, each a scalar."""

    joints: Tensor
    """L_3D: distance of joints and landmarks, pelvis at the origin [m]."""
    image: Tensor
    """L_2D: distance in the crop [half sides]."""
    pose: Tensor
    """L_SMPL on rotation matrices: squared Frobenius distance."""
    shape: Tensor
    """L_SMPL on betas: squared distance."""
    camera: Tensor
    """Absolute error of s, tx, ty."""
    velocity: Tensor
    """Error of the joints' movement between frames [m], for smooth output; 0 for one frame."""

    def total(self, weights: LossWeights) -> Tensor:
        """The weighted sum."""
        return torch.stack(
            [getattr(self, term.name) * getattr(weights, term.name) for term in fields(self)]
        ).sum()


def image_points(points: Tensor, weak_camera: Tensor, view: Tensor) -> Tensor:
    """Projects points through the full-image camera into the crop.

    Args:
        points: (..., K, 3) posed about the rest pelvis [m].
        weak_camera: (..., 3).
        view: (..., 7) as in `SequenceBatch.view`.

    Returns:
        (..., K, 2), -1 to 1 across the crop.
    """
    scale = weak_camera[..., 0].clamp_min(0.05)
    side, focal = view[..., 2], view[..., 5]
    px_per_m = 0.5 * scale * side
    offset = (view[..., 0:2] - view[..., 3:5]) / px_per_m[..., None]
    x_y = points[..., :2] + (weak_camera[..., 1:] + offset)[..., None, :]
    depth = (points[..., 2] + (focal / px_per_m)[..., None]).clamp_min(0.2)
    pixels = x_y / depth[..., None] * focal[..., None, None]
    return (pixels - (view[..., 0:2] - view[..., 3:5])[..., None, :]) / (
        0.5 * side[..., None, None]
    )


def supervised_losses(
    predicted: RegressorOutput, joints: Tensor, landmarks: Tensor, truth: SequenceBatch
) -> LossTerms:
    """Compares a prediction with the truth.

    Args:
        predicted: parameters (S, B, ...).
        joints: (S, B, 24, 3) of the predicted body, posed about the rest pelvis [m].
        landmarks: (S, B, 33, 3) likewise.
        truth: targets.
    """
    points = torch.cat([joints, landmarks], dim=2)
    crop = image_points(points, predicted.weak_camera, truth.view)
    centered = points - joints[:, :, :1]
    target = torch.cat([truth.joints, truth.landmarks], dim=2)
    difference = centered - target
    known = truth.body_weight
    both = known[1:] * known[:-1]
    return LossTerms(
        joints=weighted_mean(_length(difference), known[..., None]),
        image=weighted_mean(_length(crop - truth.crop_points).clamp_max(1.0), truth.point_weight),
        pose=weighted_mean(
            (predicted.rotmat - truth.rotmat).square().sum((-1, -2)), known[..., None]
        ),
        shape=weighted_mean((predicted.betas - truth.betas).square(), known[..., None]),
        camera=weighted_mean(
            (predicted.weak_camera - truth.weak_camera).abs().clamp_max(2.0), known[..., None]
        ),
        velocity=weighted_mean(_length(difference[1:] - difference[:-1]), both[..., None]),
    )


def weighted_mean(values: Tensor, weight: Tensor) -> Tensor:
    """Mean of the values with weight; 0 where nothing has any.

    Args:
        values: any shape.
        weight: broadcasts to `values`, 0 to 1.
    """
    weight = weight.expand_as(values)
    return (values * weight).sum() / weight.sum().clamp_min(1e-6)


def _length(vectors: Tensor) -> Tensor:
    """Euclidean length with a finite gradient at zero."""
    return (vectors.square().sum(-1) + 1e-10).sqrt()
