"""Training batches: motion seen by a random camera through a noisy landmark tracker.

Legend: S time, B streams, L = 33 landmarks. Sequences are time-first, as the encoder
wants them. Camera frame: x right, y down, z forward [m].
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from realtime_vibe.features.landmark_features import landmark_features
from realtime_vibe.geometry.camera import CROP_SCALE, nominal_focal_px
from realtime_vibe.geometry.rotation import rotmat_from_axis_angle
from realtime_vibe.models.landmark_skeleton import LandmarkSkeleton, PosedSkeleton
from realtime_vibe.training.samples.motion import MotionPool
from realtime_vibe.training.samples.streams import (
    MotionDraw,
    Seeded,
    StreamSettings,
    rotmat_from_quat,
)
from realtime_vibe.training.samples.tracker_noise import NoiseLevels, corrupt

_MIN_DEPTH_M = 0.6


class SequenceBatch(NamedTuple):
    """Noisy input and exact targets."""

    features: Tensor
    """(S, B, F)."""
    rotmat: Tensor
    """(S, B, 24, 3, 3), root in the camera frame."""
    betas: Tensor
    """(S, B, 10), constant along S."""
    weak_camera: Tensor
    """(S, B, 3) in the noisy crop, for the nominal focal length."""
    joints: Tensor
    """(S, B, 24, 3) [m], relative to the pelvis."""
    landmarks: Tensor
    """(S, B, 33, 3) [m], relative to the pelvis."""
    crop_points: Tensor
    """(S, B, 57, 2) joints and landmarks in the crop, -1 to 1."""
    view: Tensor
    """(S, B, 7) crop centre, side, principal point, nominal focal [px]; dt [s]."""
    body_weight: Tensor
    """(S, B) 1 where rotations, betas, camera, joints and landmarks are known, 0 where only 2D is."""
    point_weight: Tensor
    """(S, B, 57) confidence of each of `crop_points`, 0 to 1."""


class SequenceSource(Protocol):
    """Gives training batches without end, the same ones again after its state was put back."""

    def sample(self) -> SequenceBatch:
        """The next batch. May use torch's global CPU generator, which training saves as well."""

    def state_dict(self) -> dict[str, Any]:
        """All that decides the next batches: plain values and tensors, which a file can hold."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Puts back what `state_dict` gave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceSettings(StreamSettings):
    """Ranges of what varies between streams, and the size of a batch."""

    num_frames: int = 192
    num_streams: int = 48
    pitch_std_rad: float = 0.26
    roll_std_rad: float = 0.05
    betas_limit: float = 2.5
    span: tuple[float, float] = (0.2, 1.5)
    """How much of the image height a 1.7 m figure spans; above 1 it is cut off."""


class SequenceSampler(Seeded):
    """Draws batches of simulated tracker output; a `SequenceSource`.

    Args:
        seed: of NumPy's choices; torch's global generator draws the noise.
    """

    def __init__(
        self,
        pool: MotionPool,
        body: LandmarkSkeleton,
        settings: SequenceSettings,
        noise: NoiseLevels,
        seed: int,
    ) -> None:
        super().__init__(seed)
        self._body = body
        self._settings = settings
        self._noise = noise
        self._draw = MotionDraw(pool, settings, self._rng)

    @torch.no_grad()
    def sample(self) -> SequenceBatch:
        """One batch of new streams."""
        truth = self.draw()
        points = posed_points(truth, self._body)
        return batch_of(truth, points, self._observed(truth, points))

    @torch.no_grad()
    def draw(self) -> "SequenceTruth":
        """New streams as they are, before anybody looks at them."""
        dt_s = self._draw.time_steps(self._settings.num_frames, self._settings.num_streams)
        quats, trans = self._draw.motion(dt_s)
        rotmat = rotmat_from_quat(self._draw.jittered(quats))
        camera = self._camera_rotation()
        rotmat[:, :, 0] = camera @ rotmat[:, :, 0]
        trans = torch.einsum("bij,sbj->sbi", camera, trans)
        betas = torch.randn(rotmat.shape[1], 10).clamp(
            -self._settings.betas_limit, self._settings.betas_limit
        )
        rest_pelvis = self._body.bones[0] + betas @ self._body.bone_shapedirs[0].T
        position, lenses = self._placement(trans)
        return SequenceTruth(rotmat, betas, position - rest_pelvis, dt_s, *lenses)

    def _camera_rotation(self) -> Tensor:
        """(B, 3, 3) from the Z-up world to cameras of random heading, pitch and roll."""
        streams = self._settings.num_streams
        heading = self._rng.uniform(-np.pi, np.pi, streams)
        pitch = self._rng.standard_normal(streams) * self._settings.pitch_std_rad
        roll = self._rng.standard_normal(streams) * self._settings.roll_std_rad
        tumbled = self._rng.random(streams) < 0.03
        roll = np.where(tumbled, self._rng.uniform(-np.pi, np.pi, streams), roll)
        level = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], np.float64)
        turn = _about((0, 0, 1), heading)
        tilt = _about((0, 0, 1), roll) @ _about((1, 0, 0), pitch)
        return torch.from_numpy((tilt @ level @ turn).astype(np.float32))

    def _observed(self, truth: "SequenceTruth", points: PosedSkeleton) -> "Observation":
        """What a noisy tracker would say."""
        joints, landmarks = points
        metres_per_px = joints[:, :, 0, 2:] / truth.true_focal[:, None]
        pixels = projected(landmarks, truth)
        noisy = corrupt(
            pixels * metres_per_px[..., None],
            landmarks,
            (pixels.abs() < truth.principal[:, None]).all(-1),
            truth.dt_s,
            self._noise,
        )
        seen_dt = truth.dt_s.clone()
        seen_dt[0] = 0.0
        return Observation(
            image_px=noisy.image_m / metres_per_px[..., None],
            world_m=noisy.world_m,
            visibility=noisy.visibility,
            dt_s=seen_dt,
        )

    def _placement(self, trans: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Puts each stream somewhere in front of a random lens and lets it move from there.

        Returns:
            (S, B, 3) pelvis in the camera frame [m]; principal point, true and nominal focal length as in
            `SequenceTruth`.
        """
        streams = trans.shape[1]
        rng = self._rng
        portrait = rng.random(streams) < 0.3
        half = np.where(portrait[:, None], [[360.0, 480.0]], [[480.0, 360.0]])
        nominal = np.array([nominal_focal_px(*(2 * size)) for size in half])
        true = nominal * np.exp(rng.normal(0.0, 0.28, streams))
        low, high = np.log(self._settings.span)
        span = np.exp(rng.uniform(low, high, streams))
        depth = true * 1.7 / (2 * half[:, 1] * span)
        offset = rng.uniform(-0.7, 0.7, (streams, 2)) * half / true[:, None] * depth[:, None]
        offset *= np.clip(1.2 - span, 0.15, 1.0)[:, None]
        moves = rng.choice([0.0, 0.5, 1.0], streams, p=[0.15, 0.25, 0.6])
        start = np.concatenate([offset, depth[:, None]], -1).astype(np.float32)
        position = torch.from_numpy(start) + trans * torch.from_numpy(
            moves.astype(np.float32)
        ).reshape(-1, 1)
        nearest = torch.from_numpy((_MIN_DEPTH_M + 0.3 * depth).astype(np.float32))
        position[..., 2] = torch.maximum(position[..., 2], nearest)
        limit = (
            1.3 * position[..., 2:] * torch.from_numpy((half / true[:, None]).astype(np.float32))
        )
        position[..., :2] = torch.minimum(torch.maximum(position[..., :2], -limit), limit)
        lenses = (half, true, nominal)
        return position, [torch.from_numpy(each.astype(np.float32)) for each in lenses]


class SequenceTruth(NamedTuple):
    """Streams as they are: bodies before cameras."""

    rotmat: Tensor
    """(S, B, 24, 3, 3), root in the camera frame."""
    betas: Tensor
    """(B, 10)."""
    transl: Tensor
    """(S, B, 3) added after posing about the rest pelvis [m]."""
    dt_s: Tensor
    """(S, B) time since the frame before [s]."""
    principal: Tensor
    """(B, 2) [px]; also half the image size."""
    true_focal: Tensor
    """(B,) [px]."""
    nominal_focal: Tensor
    """(B,) what the live app assumes [px]."""


class Observation(NamedTuple):
    """What a tracker said about streams."""

    image_px: Tensor
    """(S, B, 33, 2) relative to the principal point."""
    world_m: Tensor
    """(S, B, 33, 3)."""
    visibility: Tensor
    """(S, B, 33)."""
    dt_s: Tensor
    """(S, B) time since the person was last seen [s]; 0 when new."""


def posed_points(truth: SequenceTruth, body: LandmarkSkeleton) -> PosedSkeleton:
    """Poses the truth's body where it is, camera frame [m]; as dear as the rest of a batch, so once for each truth."""
    betas = truth.betas.expand(len(truth.rotmat), -1, -1)
    joints, landmarks = body(truth.rotmat, betas)
    return PosedSkeleton(joints + truth.transl[:, :, None], landmarks + truth.transl[:, :, None])


def projected(points: Tensor, truth: SequenceTruth) -> Tensor:
    """Pixels (S, B, K, 2) relative to the principal point."""
    depth = points[..., 2:].clamp_min(0.2)
    return points[..., :2] / depth * truth.true_focal[:, None, None]


def observed(
    observation: Observation, principal: Tensor, nominal_focal: Tensor
) -> tuple[Tensor, Tensor]:
    """Features (S, B, F) and view (S, B, 7) of what a tracker said, as `SequenceBatch` has them.

    Args:
        principal: (B, 2) principal points [px].
        nominal_focal: (B,) [px].
    """
    image_px, dt_s = observation.image_px, observation.dt_s
    low, high = image_px.amin(2), image_px.amax(2)
    side = CROP_SCALE * (high - low).amax(-1, keepdim=True).clamp_min(1.0)
    principal = principal.expand(len(dt_s), -1, -1)
    focal = nominal_focal.expand(len(dt_s), -1)[..., None]
    center = 0.5 * (low + high) + principal
    view = torch.cat([center, side, principal, focal, dt_s[..., None]], -1)
    features = landmark_features(
        (image_px + principal[:, :, None]).numpy(),
        observation.world_m.numpy(),
        observation.visibility.numpy(),
        view.numpy(),
    )
    return torch.from_numpy(features), view


def in_crop(points_px: Tensor, principal: Tensor, view: Tensor) -> Tensor:
    """(S, B, K, 2) points relative to the principal points (B, 2) [px], -1 to 1 across the crops of a view."""
    center = view[..., :2] - principal
    return (points_px - center[:, :, None]) / (0.5 * view[..., None, 2:3])


def batch_of(truth: SequenceTruth, posed: PosedSkeleton, observation: Observation) -> SequenceBatch:
    """Features of what was observed, beside exact targets.

    The weak-perspective target puts the body at its depth times nominal over true focal length:
    what somebody who assumes the nominal one should get.
    """
    joints, landmarks = posed
    points = torch.cat([joints, landmarks], 2)
    dt_s = observation.dt_s
    features, view = observed(observation, truth.principal, truth.nominal_focal)
    center, side = view[..., :2] - truth.principal, view[..., 2]
    px_per_m = truth.true_focal / joints[:, :, 0, 2]
    weak = torch.stack(
        [
            2 * px_per_m / side,
            truth.transl[..., 0] - center[..., 0] / px_per_m,
            truth.transl[..., 1] - center[..., 1] / px_per_m,
        ],
        -1,
    )
    pelvis = joints[:, :, :1]
    return SequenceBatch(
        features=features,
        rotmat=truth.rotmat,
        betas=truth.betas.expand(len(dt_s), -1, -1),
        weak_camera=weak,
        joints=joints - pelvis,
        landmarks=landmarks - pelvis,
        crop_points=in_crop(projected(points, truth), truth.principal, view),
        view=view,
        body_weight=torch.ones_like(dt_s),
        point_weight=torch.ones(*dt_s.shape, points.shape[2]),
    )


def _about(axis: tuple[int, int, int], angle_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """(B, 3, 3) rotations about one axis."""
    return rotmat_from_axis_angle(angle_rad[:, None] * axis)
