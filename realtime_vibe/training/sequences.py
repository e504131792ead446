"""Training batches: motion seen by a random camera through a noisy landmark tracker.

Legend: S time, B streams, J = 24 joints, L = 33 landmarks. Sequences are time-first, as the encoder
wants them. Camera frame: x right, y down, z forward [m].
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from realtime_vibe.body.joints import SMPL_JOINT_NAMES
from realtime_vibe.features.landmark_features import landmark_features
from realtime_vibe.geometry.boxes import CROP_SCALE
from realtime_vibe.models.smpl_layer import SmplLayer
from realtime_vibe.training.motion import POOL_RATE_HZ, MotionPool
from realtime_vibe.training.tracker_noise import NoiseLevels, corrupt

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


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceSettings:
    """Ranges of what varies between streams."""

    num_frames: int = 192
    num_streams: int = 48
    rate_hz: tuple[float, float] = (12.0, 60.0)
    pitch_std_rad: float = 0.26
    roll_std_rad: float = 0.05
    pose_jitter_rad: tuple[float, float] = (0.04, 0.60)
    betas_limit: float = 2.5


class SequenceSampler:
    """Draws batches without end.

    Args:
        pool: long motion sequences.
        body: gives joints and landmarks.
        settings: ranges.
        noise: tracker errors.
        seed: of NumPy's choices; torch's global generator draws the noise.
    """

    def __init__(
        self,
        pool: MotionPool,
        body: SmplLayer,
        settings: SequenceSettings,
        noise: NoiseLevels,
        seed: int,
    ) -> None:
        self._quats = torch.from_numpy(pool.quats)
        self._trans = torch.from_numpy(pool.trans)
        self._body = body
        self._settings = settings
        self._noise = noise
        self._rng = np.random.default_rng(seed)

    @torch.no_grad()
    def sample(self) -> SequenceBatch:
        """One batch of new streams."""
        dt_s = self._time_steps()
        quats, trans = self._motion(dt_s)
        rotmat = rotmat_from_quat(self._jittered(quats, dt_s))
        camera = self._camera_rotation()
        rotmat[:, :, 0] = camera @ rotmat[:, :, 0]
        trans = torch.einsum("bij,sbj->sbi", camera, trans)
        betas = torch.randn(1, rotmat.shape[1], 10).clamp(
            -self._settings.betas_limit, self._settings.betas_limit
        )
        betas = betas.expand(len(rotmat), -1, -1)
        joints, landmarks = self._body.light(rotmat, betas)
        return self._seen(rotmat, betas, joints, landmarks, trans, dt_s)

    def _time_steps(self) -> Tensor:
        """(S, B) real time steps: each stream has a rate, some frames come late or are dropped."""
        size, streams = self._settings.num_frames, self._settings.num_streams
        low, high = np.log(self._settings.rate_hz)
        period = np.exp(-self._rng.uniform(low, high, (1, streams)))
        jitter = 1 + 0.05 * self._rng.standard_normal((size, streams))
        dropped = self._rng.random((size, streams)) < self._rng.uniform(0, 0.06, (1, streams))
        steps = period * jitter.clip(0.7, 1.3) * (1 + dropped)
        return torch.from_numpy(steps.astype(np.float32))

    def _motion(self, dt_s: Tensor) -> tuple[Tensor, Tensor]:
        """Quaternions (S, B, 24, 4) and pelvis (S, B, 3), Z up, sampled at the time steps."""
        streams = dt_s.shape[1]
        tempo = torch.from_numpy(self._rng.uniform(0.75, 1.3, (1, streams)).astype(np.float32))
        position = torch.cumsum(dt_s * tempo, 0) * POOL_RATE_HZ
        length = self._quats.shape[1]
        spare = (length - 2 - position[-1]).clamp_min(0).numpy()
        start = self._rng.uniform(0, 1, streams) * spare
        position = (position + torch.from_numpy(start.astype(np.float32))).clamp_max(length - 2)
        rows = torch.from_numpy(self._rng.integers(0, len(self._quats), streams))[None]
        index = position.long()
        share = (position - index)[..., None]
        quats = torch.lerp(self._quats[rows, index], self._quats[rows, index + 1], share[..., None])
        trans = torch.lerp(self._trans[rows, index], self._trans[rows, index + 1], share)
        mirrored = torch.from_numpy(self._rng.random(streams) < 0.5)
        quats = torch.where(mirrored[None, :, None, None], _mirror_quats(quats), quats)
        flip = torch.where(mirrored[:, None], torch.tensor([-1.0, 1.0, 1.0]), torch.ones(3))
        return quats, (trans - trans.mean(0)) * flip

    def _jittered(self, quats: Tensor, dt_s: Tensor) -> Tensor:
        """Adds slow random rotations, mostly small, so that more poses are seen than recorded."""
        size, streams = dt_s.shape
        low, high = np.log(self._settings.pose_jitter_rad)
        level = torch.from_numpy(
            np.exp(self._rng.uniform(low, high, (1, streams, 1, 1))).astype(np.float32)
        )
        knots = torch.randn(max(2, size // 24 + 2), streams * 72)
        wander = torch.nn.functional.interpolate(
            knots.T[None], size=size, mode="linear", align_corners=True
        )[0].T.reshape(size, streams, 24, 3)
        small = torch.cat([torch.ones_like(wander[..., :1]), 0.5 * level * wander], -1)
        return _quat_product(quats, small)

    def _camera_rotation(self) -> Tensor:
        """(B, 3, 3) from the Z-up world to cameras of random heading, pitch and roll."""
        streams = self._settings.num_streams
        heading = self._rng.uniform(-np.pi, np.pi, streams)
        pitch = self._rng.standard_normal(streams) * self._settings.pitch_std_rad
        roll = self._rng.standard_normal(streams) * self._settings.roll_std_rad
        tumbled = self._rng.random(streams) < 0.03
        roll = np.where(tumbled, self._rng.uniform(-np.pi, np.pi, streams), roll)
        level = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], np.float64)
        turn = _about("z", heading)
        return torch.from_numpy(
            (_about("z", roll) @ _about("x", pitch) @ level @ turn).astype(np.float32)
        )

    def _seen(
        self,
        rotmat: Tensor,
        betas: Tensor,
        joints: Tensor,
        landmarks: Tensor,
        trans: Tensor,
        dt_s: Tensor,
    ) -> SequenceBatch:
        placement = self._placement(trans)
        pelvis = joints[:, :, :1]
        transl = placement.position - pelvis[:, :, 0]
        points = torch.cat([joints, landmarks], 2) + transl[:, :, None]
        # As a body at depth z * nominal / true focal: what a user of the nominal focal should get.
        depth = points[..., 2:].clamp_min(0.2)
        pixels = points[..., :2] / depth * placement.true_focal[..., None, None]
        body_depth = placement.position[..., 2:]
        metres_per_px = body_depth / placement.true_focal[..., None]
        inside = (pixels[:, :, 24:].abs() < placement.principal[:, None]).all(-1)
        noisy = corrupt(
            pixels[:, :, 24:] * metres_per_px[..., None],
            points[:, :, 24:],
            inside,
            dt_s,
            self._noise,
        )
        image_px = noisy.image_m / metres_per_px[..., None]
        low, high = image_px.amin(2), image_px.amax(2)
        side = CROP_SCALE * (high - low).amax(-1).clamp_min(1.0)
        center = 0.5 * (low + high)
        seen_dt = dt_s.clone()
        seen_dt[0] = 0.0
        principal = placement.principal.expand(len(dt_s), -1, -1)
        focal = placement.nominal_focal.expand(len(dt_s), -1)
        view = torch.cat(
            [center + principal, side[..., None], principal, focal[..., None], seen_dt[..., None]],
            -1,
        )
        features = landmark_features(
            (image_px + principal[:, :, None]).numpy(),
            noisy.world_m.numpy(),
            noisy.visibility.numpy(),
            view.numpy(),
        )
        px_per_m = 1.0 / metres_per_px[..., 0]
        weak = torch.stack(
            [
                2 * px_per_m / side,
                transl[..., 0] - center[..., 0] / px_per_m,
                transl[..., 1] - center[..., 1] / px_per_m,
            ],
            -1,
        )
        crop_points = (pixels - center[:, :, None]) / (0.5 * side[..., None, None])
        return SequenceBatch(
            features=torch.from_numpy(features),
            rotmat=rotmat,
            betas=betas,
            weak_camera=weak,
            joints=joints - pelvis,
            landmarks=landmarks - pelvis,
            crop_points=crop_points,
            view=view,
            body_weight=torch.ones(crop_points.shape[:2]),
            point_weight=torch.ones(crop_points.shape[:3]),
        )

    def _placement(self, trans: Tensor) -> "_Placement":
        """Puts each stream somewhere in front of a random lens and lets it move from there."""
        streams = trans.shape[1]
        rng = self._rng
        portrait = rng.random(streams) < 0.3
        half = np.where(portrait[:, None], [[360.0, 480.0]], [[480.0, 360.0]])
        nominal = 2 * np.linalg.norm(half, axis=1)
        true = nominal * np.exp(rng.normal(0.0, 0.28, streams))
        # How much of the image height a 1.7 m figure spans; above 1 it is cut off.
        span = np.exp(rng.uniform(np.log(0.2), np.log(1.5), streams))
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
        return _Placement(
            position=position,
            principal=torch.from_numpy(half.astype(np.float32)),
            true_focal=torch.from_numpy(true.astype(np.float32)).expand(len(trans), -1),
            nominal_focal=torch.from_numpy(nominal.astype(np.float32)),
        )


class _Placement(NamedTuple):
    position: Tensor
    """(S, B, 3) pelvis in the camera frame [m]."""
    principal: Tensor
    """(B, 2) [px]; also half the image size."""
    true_focal: Tensor
    """(S, B) [px]."""
    nominal_focal: Tensor
    """(B,) what the live app will assume [px]."""


def rotmat_from_quat(quats: Tensor) -> Tensor:
    """Rotation matrices (..., 3, 3) of quaternions (..., 4), wxyz, of any length but zero."""
    w, x, y, z = torch.nn.functional.normalize(quats, dim=-1).unbind(-1)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return torch.stack(rows, -1).reshape(*w.shape, 3, 3)


def _quat_product(a: Tensor, b: Tensor) -> Tensor:
    aw, av = a[..., :1], a[..., 1:]
    bw, bv = b[..., :1], b[..., 1:]
    scalar = aw * bw - (av * bv).sum(-1, keepdim=True)
    return torch.cat([scalar, aw * bv + bw * av + torch.linalg.cross(av, bv)], -1)


def _mirror_quats(quats: Tensor) -> Tensor:
    """The motion seen in a mirror across the sagittal (x = 0) plane."""
    order = [_mirrored_name(name) for name in SMPL_JOINT_NAMES]
    swapped = quats[:, :, [SMPL_JOINT_NAMES.index(name) for name in order]]
    return swapped * torch.tensor([1.0, 1.0, -1.0, -1.0])


def _mirrored_name(name: str) -> str:
    if name.startswith("left_"):
        return "right_" + name.removeprefix("left_")
    if name.startswith("right_"):
        return "left_" + name.removeprefix("right_")
    return name


def _about(axis: str, angle: np.ndarray) -> np.ndarray:
    """(B, 3, 3) rotations about one axis."""
    cos, sin, zero, one = np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)
    if axis == "x":
        rows = [one, zero, zero, zero, cos, -sin, zero, sin, cos]
    else:
        rows = [cos, -sin, zero, sin, cos, zero, zero, zero, one]
    return np.stack(rows, -1).reshape(-1, 3, 3)
