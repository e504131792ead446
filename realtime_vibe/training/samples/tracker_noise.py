"""How a landmark tracker errs, as a random process on exact landmarks.

BlazePose is precise in the image and vague in depth. Its errors last: a misjudged depth stays
misjudged while the pose lasts. White noise alone would teach a network to average, which does
nothing against that, so most of the error here is a bias that holds over a sequence and a drift that
changes within tenths of seconds; in depth it turns whole bones (`bone_noise`). Hidden landmarks err several times more, limbs are swapped now and
then, and the image landmarks lag or lead by some milliseconds.

Legend: S time, B streams, L = 33 landmarks. All maths in torch, batched.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from realtime_vibe.body.joints import BLAZEPOSE_MIRROR
from realtime_vibe.geometry.camera import sight_from_camera
from realtime_vibe.training.samples.bone_noise import (
    NUM_BONES,
    BoneTurns,
    bone_errors,
    bone_of_landmark,
    facing,
    slopes,
    turn_bones,
)

_ARMS_LEFT, _ARMS_RIGHT = (13, 15, 17, 19, 21), (14, 16, 18, 20, 22)
_LEGS_LEFT, _LEGS_RIGHT = (25, 27, 29, 31), (26, 28, 30, 32)
_SHOULDERS, _HIPS = (11, 12), (23, 24)
_LEAST_DEPTH_M = 0.2
_FAR = (15, 16, 17, 18, 19, 20, 21, 22, 27, 28, 29, 30, 31, 32)
"""Hands and feet: at the end of a chain errors add up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseLevels:
    """Standard deviations; lengths in metres on a body of average size."""

    image_white_m: float = 0.005
    image_drift_m: float = 0.013
    image_bias_m: float = 0.015
    world_white_m: float = 0.004
    world_drift_m: float = 0.015
    world_bias_m: float = 0.012
    elevation_white_rad: float = 0.02
    elevation_drift_factor: float = 2.0
    elevation_bias_factor: float = 1.2
    """On the drift and bias of `bone_errors`: more than measured, so that depths are trusted less. Simulated
    motion is more varied than people before a camera are, and makes depths worth more than they are there."""
    intercept_spread: float = 0.4
    """Deviation of the share of each stream's intercepts; 1 on average."""
    length_spread: float = 0.05
    azimuth_drift_rad: float = 0.06
    azimuth_bias_rad: float = 0.06
    tilt_bias_rad: float = 0.05
    tilt_drift_rad: float = 0.04
    slope_spread: float = 0.16
    hidden_factor: float = 2.5
    swaps_per_s: float = 0.05
    turns_per_s: float = 0.12
    shift_s: float = 0.008
    no_world_share: float = 0.4
    """Of the streams, how many have no world landmarks: zeros, the sign that there are none."""


class NoisyLandmarks(NamedTuple):
    """What a tracker would have said."""

    image_m: Tensor
    """(S, B, 33, 2) image position, as metres at the body's depth."""
    world_m: Tensor
    """(S, B, 33, 3) relative to the hips' middle, axes of the line of sight to it."""
    visibility: Tensor
    """(S, B, 33)."""


def corrupt(
    image_m: Tensor, landmarks: Tensor, in_frame: Tensor, dt_s: Tensor, levels: NoiseLevels
) -> NoisyLandmarks:
    """Applies the whole error process.

    Args:
        image_m: (S, B, 33, 2) exact image position times depth over focal length [m].
        landmarks: (S, B, 33, 3) exact, camera axes [m].
        in_frame: (S, B, 33) bool.
        dt_s: (S, B) time since the frame before [s].
        levels: strengths.
    """
    size, streams = dt_s.shape
    landmarks = _as_looked_at(landmarks)
    # Some sequences are clean, some terrible: the network must judge for itself.
    strength = torch.exp(0.3 * torch.randn(1, streams, 1, 1))
    hidden = _hidden(landmarks) | ~in_frame
    softened = _smoothed(hidden.float(), dt_s, tau_s=0.1)
    grow = strength * (1 + (levels.hidden_factor - 1) * softened[..., None]) * _reach()[..., None]

    image_m, landmarks = _swap_limbs(image_m, landmarks, dt_s, levels.swaps_per_s)
    image_m, landmarks = _turn_about(image_m, landmarks, dt_s, levels.turns_per_s)
    middle = landmarks[:, :, _HIPS].mean(2, keepdim=True)
    relative = landmarks - middle

    image = _shifted_in_time(image_m, dt_s, levels.shift_s)
    image = image + grow * _error(
        (size, streams, 33, 2),
        dt_s,
        levels.image_white_m,
        levels.image_drift_m,
        levels.image_bias_m,
    )
    world = _misjudged(relative, softened, dt_s, strength, levels)
    world = world + grow * _error(
        (size, streams, 33, 3),
        dt_s,
        levels.world_white_m,
        levels.world_drift_m,
        levels.world_bias_m,
    )
    # World landmarks are those of an average person: true size is mostly lost.
    world = world * 0.97 * _around_one(streams, 0.06)
    world = world - world[:, :, _HIPS].mean(2, keepdim=True)
    world = world * (torch.rand(1, streams, 1, 1) >= levels.no_world_share)
    return NoisyLandmarks(image, world, _visibility(softened, in_frame, dt_s))


def _as_looked_at(landmarks: Tensor) -> Tensor:
    """(S, B, 33, 3) in the axes of the line of sight to the hips' middle: all a crop can show."""
    middle = landmarks[:, :, _HIPS].mean(2)
    center = middle[..., :2] / middle[..., 2:].clamp_min(_LEAST_DEPTH_M)
    return torch.from_numpy(sight_from_camera(landmarks.numpy(), center.numpy()))


def _visibility(hidden: Tensor, in_frame: Tensor, dt_s: Tensor) -> Tensor:
    """(S, B, 33) as BlazePose reports it.

    It calls the face, shoulders and hips visible whenever they are in the picture, also from behind,
    so visibility says nothing about which way a person faces.
    """
    streams = hidden.shape[1]
    torso = torch.zeros(33)
    torso[:13] = 1.0
    torso[23:25] = 1.0
    outside = _smoothed((~in_frame).float(), dt_s, tau_s=0.1)
    unseen = torch.maximum(hidden * (1 - torso), outside)
    visible = 0.995 - unseen * (0.1 + 0.7 * torch.rand(1, streams, 33))
    wobble = (0.01 + 0.09 * unseen) * torch.randn_like(visible)
    limbs = wobble - 0.4 * torch.rand(1, streams, 33) ** 3
    return torch.clamp(visible + limbs * (1 - torso), 0.0, 1.0)


def _hidden(landmarks: Tensor) -> Tensor:
    """(S, B, 33) whether the torso or the head hides a landmark from the camera.

    The torso is taken as a capsule from the shoulders' to the hips' middle.
    """
    top = landmarks[:, :, _SHOULDERS].mean(2)
    bottom = landmarks[:, :, _HIPS].mean(2)
    axis = bottom - top
    width = (landmarks[:, :, 11, :2] - landmarks[:, :, 12, :2]).norm(dim=-1)
    along = ((landmarks - top[:, :, None]) * axis[:, :, None]).sum(-1)
    along = along / axis.square().sum(-1, keepdim=True).clamp_min(1e-4)
    nearest = top[:, :, None] + along.clamp(0, 1)[..., None] * axis[:, :, None]
    beside = (landmarks[..., :2] - nearest[..., :2]).norm(dim=-1)
    radius = (0.5 * width).clamp(0.10, 0.2)[..., None]
    behind = landmarks[..., 2] - nearest[..., 2] > 0.07
    hidden: Tensor = behind & (beside < radius)
    hidden[..., 11:13] = False
    hidden[..., 23:25] = False
    # The face is seen only when the nose points towards the camera.
    ears = landmarks[:, :, 7:9].mean(2)
    turned_away = landmarks[:, :, 0, 2] - ears[..., 2] > 0.03
    hidden[..., 0:11] |= turned_away[..., None]
    return hidden


def _swap_limbs(
    image_m: Tensor, landmarks: Tensor, dt_s: Tensor, per_s: float
) -> tuple[Tensor, Tensor]:
    """Exchanges left and right arms or legs for a few frames now and then."""
    image_m, landmarks = image_m.clone(), landmarks.clone()
    for left, right, share in (
        (_ARMS_LEFT, _ARMS_RIGHT, 0.5),
        (_LEGS_LEFT, _LEGS_RIGHT, 0.5),
    ):
        starts = torch.rand_like(dt_s) < dt_s * per_s * share
        on = torch.zeros_like(starts)
        for offset in range(int(torch.randint(2, 9, ()))):
            on |= torch.roll(starts, offset, 0)
        both, other = list(left + right), list(right + left)
        for points in (image_m, landmarks):
            points[:, :, both] = torch.where(
                on[..., None, None], points[:, :, other], points[:, :, both]
            )
    return image_m, landmarks


def _turn_about(
    image_m: Tensor, landmarks: Tensor, dt_s: Tensor, per_s: float
) -> tuple[Tensor, Tensor]:
    """Takes the person for one who faces the other way, in bursts of flickering frames.

    A front and a back view have nearly the same outline; where the face is hard to see BlazePose
    decides anew every frame. The image points stay, left and right change names, and depth is
    mirrored, which is again a possible body.
    """
    size, streams = dt_s.shape
    starts = torch.rand_like(dt_s) < dt_s * per_s
    length_s = 0.2 + 1.3 * torch.rand(streams)
    left_s = torch.zeros(streams)
    active = torch.empty(size, streams, dtype=torch.bool)
    for step in range(size):
        left_s = torch.where(starts[step], length_s, left_s - dt_s[step])
        active[step] = left_s > 0
    flicker = torch.rand(size, streams) < 0.15 + 0.75 * torch.rand(1, streams)
    on = (active & flicker)[..., None, None]
    order = list(BLAZEPOSE_MIRROR)
    mirrored = landmarks[:, :, order].clone()
    middle = mirrored[:, :, _HIPS, 2].mean(2, keepdim=True)
    mirrored[..., 2] = 2 * middle - mirrored[..., 2]
    return torch.where(on, image_m[:, :, order], image_m), torch.where(on, mirrored, landmarks)


def _misjudged(
    relative: Tensor, hidden: Tensor, dt_s: Tensor, strength: Tensor, levels: NoiseLevels
) -> Tensor:
    """Turns every bone by its own error, then the whole body by a common one."""
    size, streams = dt_s.shape
    shape = (size, streams, NUM_BONES)
    grow = strength[..., 0] * (1 + 0.7 * bone_of_landmark(hidden))
    errors = bone_errors()
    elevation = grow * _error(
        shape,
        dt_s,
        levels.elevation_white_rad,
        levels.elevation_drift_factor * errors.drift_deg.deg2rad(),
        levels.elevation_bias_factor * errors.bias_deg.deg2rad(),
    )
    share = 1 + levels.intercept_spread * torch.randn(1, streams)
    towards = facing(relative)
    crouch = (share * towards)[..., None] * errors.intercept_deg.deg2rad()
    azimuth = (
        errors.azimuth
        * grow
        * _error(shape, dt_s, 0.01, levels.azimuth_drift_rad, levels.azimuth_bias_rad)
    )
    slope = slopes(towards) + levels.slope_spread * torch.randn(1, streams, NUM_BONES)
    length = errors.length + levels.length_spread * torch.randn(1, streams, NUM_BONES)
    turns = BoneTurns(elevation + crouch, azimuth, slope, length.expand(shape))
    return _tilted(turn_bones(relative, turns), dt_s, strength, levels)


def _tilted(relative: Tensor, dt_s: Tensor, strength: Tensor, levels: NoiseLevels) -> Tensor:
    """Leans and turns the whole body."""
    size, streams = dt_s.shape
    angles = _error((size, streams, 2), dt_s, 0.0, levels.tilt_drift_rad, levels.tilt_bias_rad)
    angles = angles * strength[..., 0]
    lean, turn = angles[..., 0, None], angles[..., 1, None]
    x, y, z = relative.unbind(-1)
    y, z = y * lean.cos() - z * lean.sin(), y * lean.sin() + z * lean.cos()
    x, z = x * turn.cos() + z * turn.sin(), z * turn.cos() - x * turn.sin()
    return torch.stack([x, y, z], -1)


def _shifted_in_time(points: Tensor, dt_s: Tensor, shift_s: float) -> Tensor:
    velocity = torch.zeros_like(points)
    velocity[1:] = (points[1:] - points[:-1]) / dt_s[1:, :, None, None].clamp_min(1e-3)
    return points + velocity * shift_s * torch.randn(*dt_s.shape, 1, 1)


def _error(
    shape: tuple[int, ...],
    dt_s: Tensor,
    white: float,
    drift: float | Tensor,
    bias: float | Tensor,
) -> Tensor:
    """White noise + two Ornstein-Uhlenbeck drifts + a constant, each of the given deviation."""
    fast = _smoothed(torch.randn(shape), dt_s, 0.08, unit_variance=True)
    slow = _smoothed(torch.randn(shape), dt_s, 0.6, unit_variance=True)
    constant = torch.randn(1, *shape[1:])
    return white * torch.randn(shape) + drift * (0.6 * fast + 0.8 * slow) + bias * constant


def _smoothed(values: Tensor, dt_s: Tensor, tau_s: float, *, unit_variance: bool = False) -> Tensor:
    """First-order low pass with real time steps; with unit variance it is an OU process."""
    keep = torch.exp(-dt_s / tau_s).reshape(*dt_s.shape, *([1] * (values.ndim - 2)))
    gain = (1 - keep.square()).sqrt() if unit_variance else 1 - keep
    out = torch.empty_like(values)
    current = values[0]
    out[0] = current
    for step in range(1, len(values)):
        current = keep[step] * current + gain[step] * values[step]
        out[step] = current
    return out


def _around_one(streams: int, spread: float) -> Tensor:
    return torch.exp(spread * torch.randn(1, streams, 1, 1))


def _reach() -> Tensor:
    """(33,) how much more than the torso each landmark errs."""
    factor = torch.ones(33)
    factor[list(_FAR)] = 1.4
    return factor
