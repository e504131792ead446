"""Draws motion from the pool: at random frame rates, mirrored, at another tempo, a little distorted; or as recorded.

Legend: S time, B streams, J = 24 joints. World frame: Z up [m].
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from realtime_vibe.body.joints import SMPL_MIRROR
from realtime_vibe.training.samples.motion import POOL_RATE_HZ, MotionPool

_JITTER_KNOT_FRAMES = 24
"""The added rotations change their course once in so many frames, also in short windows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSettings:
    """Ranges of what varies between streams of motion."""

    rate_hz: tuple[float, float] = (12.0, 60.0)
    pose_jitter_rad: tuple[float, float] = (0.04, 0.60)
    tempo: tuple[float, float] = (0.75, 1.3)


class Seeded:
    """Whose choices all come from one generator of NumPy's: its state decides what comes next."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def state_dict(self) -> dict[str, Any]:
        """State of the choices."""
        return {"rng": self._rng.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Puts back what `state_dict` gave."""
        self._rng.bit_generator.state = state["rng"]


class MotionDraw:
    """Draws streams from a pool; keeps no state but the generator it is given.

    Args:
        rng: source of NumPy's choices; torch's global generator draws the pose jitter.
    """

    def __init__(
        self, pool: MotionPool, settings: StreamSettings, rng: np.random.Generator
    ) -> None:
        self._quats = torch.from_numpy(pool.quats)
        self._trans = torch.from_numpy(pool.trans)
        self._settings = settings
        self._rng = rng

    def time_steps(self, num_frames: int, num_streams: int) -> Tensor:
        """(S, B) real time steps: each stream has a rate, some frames come late or are dropped."""
        low, high = np.log(self._settings.rate_hz)
        period = np.exp(-self._rng.uniform(low, high, (1, num_streams)))
        jitter = 1 + 0.05 * self._rng.standard_normal((num_frames, num_streams))
        chance = self._rng.uniform(0, 0.06, (1, num_streams))
        dropped = self._rng.random((num_frames, num_streams)) < chance
        steps = period * jitter.clip(0.7, 1.3) * (1 + dropped)
        return torch.from_numpy(steps.astype(np.float32))

    def motion(self, dt_s: Tensor) -> tuple[Tensor, Tensor]:
        """Quaternions (S, B, 24, 4) and pelvis (S, B, 3) sampled at the time steps (S, B)."""
        streams = dt_s.shape[1]
        tempo = self._rng.uniform(*self._settings.tempo, (1, streams)).astype(np.float32)
        position = torch.cumsum(dt_s * torch.from_numpy(tempo), 0) * POOL_RATE_HZ
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

    def jittered(self, quats: Tensor) -> Tensor:
        """Adds slow random rotations, mostly small, so that more poses are seen than recorded."""
        size, streams = quats.shape[:2]
        low, high = np.log(self._settings.pose_jitter_rad)
        level = torch.from_numpy(
            np.exp(self._rng.uniform(low, high, (1, streams, 1, 1))).astype(np.float32)
        )
        phase = torch.from_numpy(self._rng.uniform(0, 1, (1, streams)).astype(np.float32))
        position = phase + torch.arange(size)[:, None] / _JITTER_KNOT_FRAMES
        index, columns = position.long(), torch.arange(streams)[None]
        knots = torch.randn(size // _JITTER_KNOT_FRAMES + 3, streams, 24, 3)
        wander = torch.lerp(
            knots[index, columns],
            knots[index + 1, columns],
            (position - index)[..., None, None],
        )
        small = torch.cat([torch.ones_like(wander[..., :1]), 0.5 * level * wander], -1)
        return _quat_product(quats, small)


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
    return quats[:, :, list(SMPL_MIRROR)] * torch.tensor([1.0, 1.0, -1.0, -1.0])


class RealMotion(Seeded):
    """Draws windows of recorded motion at given time steps; the settings' pose jitter is not used.

    The steps are those of the generated windows: were the rates of the two sides different, the
    discriminator could tell them apart by tempo alone, which the generator has no say in. Mirror and
    tempo vary as in the generator's targets, but the poses stay as recorded: random turns, of hands
    above all, cannot be seen by any tracker, and the generator would be taught to make them up.
    """

    def __init__(self, pool: MotionPool, settings: StreamSettings, seed: int) -> None:
        super().__init__(seed)
        self._draw = MotionDraw(pool, settings, self._rng)

    @torch.no_grad()
    def sample(self, dt_s: Tensor) -> Tensor:
        """Rotations (T, P, 24, 3, 3), root in the motion's own world.

        Args:
            dt_s: (T, P) time since the frame before [s]; the first row only shifts the start. A step
                of 0, as of a person just found, is taken for the median of its window.
        """
        quats, _ = self._draw.motion(torch.where(dt_s > 0, dt_s, dt_s.median(0).values))
        return rotmat_from_quat(quats)
