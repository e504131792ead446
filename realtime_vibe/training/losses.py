"""What the network is trained to get right (Kocabas et al. 2020, eq. 1-5), term by term.

Legend: S time, B streams, K points, P motions.

Paper and released code differ. The paper writes L_3D, L_2D and L_SMPL as Euclidean norms; the code
minimises mean squared errors, and its weights belong to those. `squared_points`, `squared_rotations`,
`squared_betas` and the adversarial terms follow the code. `Objective` has both: the released form with
`PAPER_WEIGHTS`, and ours for the landmark engine, which takes the paper's norms (robust: a few joints
that a tracker lost do not rule the batch) and adds the camera and the movement between frames.
"""

from dataclasses import dataclass, field, fields
from typing import Literal

import torch
from torch import Tensor

from realtime_vibe.models.crop_camera import crop_points
from realtime_vibe.models.regressor import RegressorOutput
from realtime_vibe.training.samples.sequences import SequenceBatch

LossForm = Literal["landmark", "paper"]

LSP_JOINTS = (8, 5, 2, 1, 4, 7, 21, 19, 17, 16, 18, 20, 12, 15)
"""SMPL joints in the place of the 14 LSP joints that the released L_3D compares."""
_LSP_HIPS = (2, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class LossWeights:
    """Factors of the terms in `LossTerms` and of the adversarial term; defaults are ours."""

    joints: float = 12.0
    image: float = 8.0
    pose: float = 4.0
    shape: float = 0.01
    camera: float = 1.0
    velocity: float = 8.0
    adversarial: float = 0.1


PAPER_WEIGHTS = LossWeights(
    joints=300.0,
    image=300.0,
    pose=60.0,
    shape=0.06,
    camera=0.0,
    velocity=0.0,
    adversarial=0.5,
)
"""The released `configs/config.yaml`: KP_3D_W, KP_2D_W, POSE_W, SHAPE_W, D_MOTION_LOSS_W."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LossTerms:
    """The supervised terms before weighting, each a scalar."""

    joints: Tensor
    """L_3D: distance of joints and landmarks, pelvis at the origin [m]; squared in the paper form."""
    image: Tensor
    """L_2D: distance in the crop [half sides]; squared in the paper form."""
    pose: Tensor
    """L_SMPL on rotation matrices: squared Frobenius distance; its ninth in the paper form."""
    shape: Tensor
    """L_SMPL on betas: mean squared difference."""
    camera: Tensor
    """Absolute error of s, tx, ty; 0 in the paper form."""
    velocity: Tensor
    """Error of the joints' movement between frames [m]; 0 for one frame and in the paper form."""

    def total(self, weights: LossWeights) -> Tensor:
        """The weighted sum."""
        terms = self.by_name().items()
        return torch.stack([value * getattr(weights, name) for name, value in terms]).sum()

    def by_name(self) -> dict[str, Tensor]:
        """The terms as a dictionary."""
        return {term.name: getattr(self, term.name) for term in fields(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """Which form of the terms, and their weights."""

    form: LossForm = "landmark"
    weights: LossWeights = field(default_factory=LossWeights)


def squared_points(predicted: Tensor, truth: Tensor, confidence: Tensor) -> Tensor:
    """Released L_2D, and L_3D of centred points: squared error times confidence, mean over all.

    Args:
        predicted: (..., K, D).
        truth: (..., K, D).
        confidence: (..., K); points without any count in the mean as having no error.
    """
    return ((predicted - truth).square() * confidence[..., None]).mean()


def squared_rotations(predicted: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    """Released L_SMPL on pose: mean squared difference of entries (..., 24, 3, 3) where `known` (...) is 1."""
    return weighted_mean((predicted - truth).square(), known[..., None, None, None])


def squared_betas(predicted: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    """L_SMPL on shape: mean squared difference of (..., 10) where known (...)."""
    return weighted_mean((predicted - truth).square(), known[..., None])


def hip_centered(points: Tensor, left: int, right: int) -> Tensor:
    """Points (..., K, D) relative to the middle of two of them: the released L_3D's origin."""
    middle = 0.5 * (points[..., left, :] + points[..., right, :])
    return points - middle[..., None, :]


def adversarial_loss(fake_scores: Tensor) -> Tensor:
    """L_adv of the generator: mean of (D(fake) - 1)^2 over (P,), eq. 5's least squares."""
    return (fake_scores - 1.0).square().mean()


def discriminator_loss(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """L_D_M: mean of (D(real) - 1)^2 plus mean of D(fake)^2; the two need not be as many."""
    return (real_scores - 1.0).square().mean() + fake_scores.square().mean()


def image_points(points: Tensor, weak_camera: Tensor, view: Tensor) -> Tensor:
    """Projects points (..., K, 3) [m] about the rest pelvis to (..., K, 2), -1 to 1 across the crop.

    The full-image camera is `weak_camera` (..., 3) and `view` (..., 7) as in `SequenceBatch.view`.
    """
    focal = view[..., 5:6]
    center = (view[..., 0:2] - view[..., 3:5]) / focal
    return crop_points(points, weak_camera, center[..., None, :], 0.5 * view[..., 2:3] / focal)


def supervised_losses(
    predicted: RegressorOutput,
    joints: Tensor,
    landmarks: Tensor,
    truth: SequenceBatch,
    form: LossForm = "landmark",
) -> LossTerms:
    """Compares a prediction with the truth, as far as that is known.

    Args:
        predicted: parameters (S, B, ...).
        joints: (S, B, 24, 3) of the predicted body, posed about the rest pelvis [m].
        landmarks: (S, B, 33, 3) likewise.
    """
    points = torch.cat([joints, landmarks], dim=2)
    crop = image_points(points, predicted.weak_camera, truth.view)
    if form == "paper":
        return _paper_terms(predicted, joints, crop, truth)
    return _landmark_terms(predicted, points - joints[:, :, :1], crop, truth)


def parameter_loss(
    predicted: RegressorOutput, truth: SequenceBatch, objective: Objective
) -> Tensor:
    """L_SMPL and camera alone of parameters (S, B, ...), without posing a body: for iterations before the last."""
    known, weights = truth.body_weight, objective.weights
    shape = squared_betas(predicted.betas, truth.betas, known)
    if objective.form == "paper":
        pose = squared_rotations(predicted.rotmat, truth.rotmat, known)
        return weights.pose * pose + weights.shape * shape
    pose = weighted_mean(_rotation_distance(predicted, truth), known[..., None])
    camera = weighted_mean(_camera_distance(predicted, truth), known[..., None])
    return weights.pose * pose + weights.shape * shape + weights.camera * camera


def _rotation_distance(predicted: RegressorOutput, truth: SequenceBatch) -> Tensor:
    """(S, B, 24) squared Frobenius distances."""
    return (predicted.rotmat - truth.rotmat).square().sum((-1, -2))


def _camera_distance(predicted: RegressorOutput, truth: SequenceBatch) -> Tensor:
    """(S, B, 3)."""
    return (predicted.weak_camera - truth.weak_camera).abs().clamp_max(2.0)


def _landmark_terms(
    predicted: RegressorOutput, centered: Tensor, crop: Tensor, truth: SequenceBatch
) -> LossTerms:
    known = truth.body_weight
    both = known[1:] * known[:-1]
    difference = centered - torch.cat([truth.joints, truth.landmarks], dim=2)
    image = _length(crop - truth.crop_points).clamp_max(1.0)
    return LossTerms(
        joints=weighted_mean(_length(difference), known[..., None]),
        image=weighted_mean(image, truth.point_weight),
        pose=weighted_mean(_rotation_distance(predicted, truth), known[..., None]),
        shape=squared_betas(predicted.betas, truth.betas, known),
        camera=weighted_mean(_camera_distance(predicted, truth), known[..., None]),
        velocity=weighted_mean(_length(difference[1:] - difference[:-1]), both[..., None]),
    )


def _paper_terms(
    predicted: RegressorOutput, joints: Tensor, crop: Tensor, truth: SequenceBatch
) -> LossTerms:
    known = truth.body_weight
    found = hip_centered(joints[..., LSP_JOINTS, :], *_LSP_HIPS)
    wanted = hip_centered(truth.joints[..., LSP_JOINTS, :], *_LSP_HIPS)
    nothing = joints.new_zeros(())
    return LossTerms(
        # The released L_3D leaves unknown samples out, L_2D counts unknown points as right.
        joints=weighted_mean((found - wanted).square(), known[..., None, None]),
        image=squared_points(crop, truth.crop_points, truth.point_weight),
        pose=squared_rotations(predicted.rotmat, truth.rotmat, known),
        shape=squared_betas(predicted.betas, truth.betas, known),
        camera=nothing,
        velocity=nothing,
    )


def weighted_mean(values: Tensor, weight: Tensor) -> Tensor:
    """Mean of the values with weight, 0 to 1, broadcast; 0 where nothing has any."""
    weight = weight.expand_as(values)
    return (values * weight).sum() / weight.sum().clamp_min(1e-6)


def _length(vectors: Tensor) -> Tensor:
    """Euclidean length with a finite gradient at zero."""
    return (vectors.square().sum(-1) + 1e-10).sqrt()
