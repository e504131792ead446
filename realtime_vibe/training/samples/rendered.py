"""Training batches from rendered frames that went through the real tracker (see `render`).

Legend: S time, B streams, N frames in which a stream's person was found.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from realtime_vibe.body.joints import BLAZEPOSE_MIRROR, SMPL_MIRROR
from realtime_vibe.errors import DatasetError
from realtime_vibe.models.landmark_skeleton import LandmarkSkeleton
from realtime_vibe.training.samples.cutting import Cut, random_cut, time_steps
from realtime_vibe.training.samples.sequences import (
    Observation,
    PosedPoints,
    SequenceBatch,
    SequenceTruth,
    batch_of,
    posed_points,
    projected,
)
from realtime_vibe.training.samples.shards import PER_FRAME, PER_STREAM, load_shard, shard_paths
from realtime_vibe.training.samples.streams import Seeded

_ACROSS = torch.tensor([-1.0, 1.0, 1.0])
_MIN_FRAMES = 16
_WRONG_SHARE = 0.3
"""A median error of more than this share of the person's height: the tracker saw something else."""


def mirrored(
    truth: SequenceTruth, observation: Observation, where: Tensor
) -> tuple[SequenceTruth, Observation]:
    """Mirrors the streams `where` (B,) is true left to right, about the camera's vertical plane.

    What a tracker says of a mirrored picture is, to it, as likely as what it said of the picture. The bodies must be mirror-symmetric for every shape, as the default one is.
    """
    joints, landmarks = list(SMPL_MIRROR), list(BLAZEPOSE_MIRROR)
    flip = _ACROSS[:, None] * _ACROSS  # M R M for the mirror M
    turned = truth.rotmat[:, :, joints] * flip
    return (
        truth._replace(
            rotmat=_chosen(where, turned, truth.rotmat),
            transl=_chosen(where, truth.transl * _ACROSS, truth.transl),
        ),
        observation._replace(
            image_px=_chosen(
                where, observation.image_px[:, :, landmarks] * _ACROSS[:2], observation.image_px
            ),
            world_m=_chosen(
                where, observation.world_m[:, :, landmarks] * _ACROSS, observation.world_m
            ),
            visibility=_chosen(
                where, observation.visibility[:, :, landmarks], observation.visibility
            ),
        ),
    )


def _chosen(where: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    """`yes` for the chosen streams of (S, B, ...)."""
    return torch.where(where.reshape(1, -1, *[1] * (yes.ndim - 2)), yes, no)


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedStream:
    """The frames of one stream in which the person was found."""

    frames: dict[str, NDArray[np.generic]]
    """Arrays (N, ...) by the names in `PER_FRAME`; `dt_s` counts from the last found frame."""
    person: dict[str, NDArray[np.generic]]
    """Arrays by the names in `PER_STREAM`."""

    def __len__(self) -> int:
        return len(self.frames["dt_s"])


def load_streams(folder: Path) -> list[RenderedStream]:
    """Reads all shards in a folder, the files that `render` wrote.

    Raises:
        DatasetError: there is none, or one is damaged or of another format.
    """
    streams = [stream for path in shard_paths(folder) for stream in _streams_of(path)]
    if not streams:
        raise DatasetError(
            f"no rendered streams in {folder}: make some with "
            f"python -m realtime_vibe.training.render --motion DIR --out {folder}"
        )
    return streams


def _streams_of(path: Path) -> list[RenderedStream]:
    """Those in which the person was found often enough."""
    arrays = load_shard(path)
    streams = []
    for row in range(arrays["found"].shape[1]):
        rows = np.flatnonzero(arrays["found"][:, row])
        if len(rows) < _MIN_FRAMES:
            continue
        frames = {name: arrays[name][rows, row] for name in PER_FRAME}
        frames["dt_s"] = time_steps(arrays["dt_s"][:, row].astype(np.float32), rows)
        person = {name: arrays[name][row] for name in PER_STREAM}
        streams.append(RenderedStream(frames=frames, person=person))
    return streams


@dataclass(frozen=True, slots=True, kw_only=True)
class Variety:
    """How streams are changed each time they are drawn.

    A few thousand streams are seen a hundred times each: unchanged, the network learns them by heart.
    """

    half_rate_chance: float = 0.2
    """Of a stream to be seen at half its frame rate."""
    mirror_chance: float = 0.5
    shift_m: float = 0.008
    """Standard deviation of a constant error added to each landmark of a stream."""


class RenderedSource(Seeded):
    """Draws batches of rendered streams; a `SequenceSource`.

    Args:
        streams: what to draw from.
        body: gives joints and landmarks of the truth.
        num_frames: S.
        num_streams: B.
        seed: of the choices.
        variety: changes to what the tracker said.
    """

    def __init__(
        self,
        streams: list[RenderedStream],
        body: LandmarkSkeleton,
        *,
        num_frames: int = 128,
        num_streams: int = 48,
        seed: int = 0,
        variety: Variety = Variety(),
    ) -> None:
        super().__init__(seed)
        self._streams = streams
        self._body = body
        self._num_frames = num_frames
        self._num_streams = num_streams
        self._variety = variety
        self._chances = np.array([len(stream) for stream in streams], np.float64)
        self._chances /= self._chances.sum()

    @torch.no_grad()
    def sample(self) -> SequenceBatch:
        """One batch of random streams, each cut or filled up to S frames."""
        chosen = self._rng.choice(len(self._streams), self._num_streams, p=self._chances)
        streams = [self._streams[index] for index in chosen]
        cuts = [self._cut(stream) for stream in streams]
        weight = torch.from_numpy(np.stack([cut.weight for cut in cuts], 1))

        def frames(name: str) -> Tensor:
            parts = [
                stream.frames[name][cut.rows] for stream, cut in zip(streams, cuts, strict=True)
            ]
            return torch.from_numpy(np.stack(parts, 1).astype(np.float32))

        def person(name: str) -> Tensor:
            stacked = np.stack([stream.person[name] for stream in streams])
            return torch.from_numpy(stacked.astype(np.float32))

        steps = [
            time_steps(stream.frames["dt_s"].astype(np.float32), cut.rows)
            for stream, cut in zip(streams, cuts, strict=True)
        ]
        dt_s = torch.from_numpy(np.stack(steps, 1))
        truth = SequenceTruth(
            rotmat=frames("rotmat"),
            betas=person("betas"),
            transl=frames("transl"),
            dt_s=dt_s,
            principal=person("principal"),
            true_focal=person("true_focal"),
            nominal_focal=person("nominal_focal"),
        )
        observation = Observation(
            image_px=frames("image_px"),
            world_m=frames("world_m"),
            visibility=frames("visibility"),
            dt_s=dt_s,
        )
        flips = torch.from_numpy(self._rng.random(self._num_streams) < self._variety.mirror_chance)
        truth, observation = mirrored(truth, observation, flips)
        px_per_m = truth.true_focal / truth.transl[..., 2].mean(0)
        observation = self._shifted(observation, px_per_m)
        posed = posed_points(truth, self._body)
        batch = batch_of(truth, posed, observation)
        weight = weight * _is_on_person(truth, posed, observation.image_px)
        return batch._replace(
            body_weight=weight, point_weight=batch.point_weight * weight[..., None]
        )

    def _shifted(self, observation: Observation, px_per_m: Tensor) -> Observation:
        """Adds a small constant error to each landmark of each stream.

        Args:
            observation: of all streams.
            px_per_m: (B,) at the person's depth.
        """

        def draw(size: int) -> Tensor:
            noise = self._rng.standard_normal((1, self._num_streams, 33, size), np.float32)
            return torch.from_numpy(np.float32(self._variety.shift_m) * noise)

        return observation._replace(
            image_px=observation.image_px + draw(2) * px_per_m[None, :, None, None],
            world_m=observation.world_m + draw(3),
        )

    def _cut(self, stream: RenderedStream) -> Cut:
        return random_cut(len(stream), self._num_frames, self._variety.half_rate_chance, self._rng)


def _is_on_person(truth: SequenceTruth, posed: PosedPoints, image_px: Tensor) -> Tensor:
    """(S, B) 1 where the tracker looks at the person, 0 where it follows something else."""
    pixels = projected(posed.landmarks, truth)
    height = (pixels.amax(2) - pixels.amin(2)).amax(-1)
    error = (pixels - image_px).norm(dim=-1).median(dim=2).values
    is_near: Tensor = error < _WRONG_SHARE * height
    return is_near.float()
