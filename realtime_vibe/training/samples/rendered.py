"""Training batches from rendered frames that went through the real tracker (see `render`).

Legend: S time, B streams.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from realtime_vibe.body.joints import BLAZEPOSE_MIRROR, SMPL_MIRROR
from realtime_vibe.errors import DatasetError
from realtime_vibe.models.landmark_skeleton import LandmarkSkeleton, PosedSkeleton
from realtime_vibe.training.samples.cutting import MIN_FRAMES, Track, TrackSource, time_steps
from realtime_vibe.training.samples.sequences import (
    Observation,
    SequenceBatch,
    SequenceTruth,
    batch_of,
    posed_points,
    projected,
)
from realtime_vibe.training.samples.shards import PER_FRAME, PER_STREAM, load_shard, shard_paths

_ACROSS = torch.tensor([-1.0, 1.0, 1.0])
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


def load_streams(folder: Path) -> list[Track]:
    """Reads all shards in a folder, the files that `render` wrote: the streams in which the person was found.

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


def _streams_of(path: Path) -> list[Track]:
    """Those in which the person was found often enough."""
    arrays = load_shard(path)
    streams = []
    for row in range(arrays["found"].shape[1]):
        rows = np.flatnonzero(arrays["found"][:, row])
        if len(rows) < MIN_FRAMES:
            continue
        frames = {name: arrays[name][rows, row] for name in PER_FRAME}
        frames["dt_s"] = time_steps(arrays["dt_s"][:, row], rows)
        person = {name: arrays[name][row] for name in PER_STREAM}
        streams.append(Track(frames=frames, person=person))
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


class RenderedSource(TrackSource):
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
        streams: Sequence[Track],
        body: LandmarkSkeleton,
        *,
        num_frames: int = 128,
        num_streams: int = 48,
        seed: int = 0,
        variety: Variety = Variety(),
    ) -> None:
        super().__init__(
            streams,
            num_frames=num_frames,
            num_streams=num_streams,
            half_rate_chance=variety.half_rate_chance,
            seed=seed,
        )
        self._body = body
        self._variety = variety

    @torch.no_grad()
    def sample(self) -> SequenceBatch:
        """One batch of random streams, each cut or filled up to S frames."""
        cut = self._cut_tracks()
        known = cut.frames | cut.person
        truth = SequenceTruth(**{name: known[name] for name in SequenceTruth._fields})
        observation = Observation(**{name: known[name] for name in Observation._fields})
        flips = torch.from_numpy(self._rng.random(self._num_streams) < self._variety.mirror_chance)
        truth, observation = mirrored(truth, observation, flips)
        px_per_m = truth.true_focal / truth.transl[..., 2].mean(0)
        observation = self._shifted(observation, px_per_m)
        posed = posed_points(truth, self._body)
        batch = batch_of(truth, posed, observation)
        weight = cut.weight * _is_on_person(truth, posed, observation.image_px)
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


def _is_on_person(truth: SequenceTruth, posed: PosedSkeleton, image_px: Tensor) -> Tensor:
    """(S, B) 1 where the tracker looks at the person, 0 where it follows something else."""
    pixels = projected(posed.landmarks, truth)
    height = (pixels.amax(2) - pixels.amin(2)).amax(-1)
    error = (pixels - image_px).norm(dim=-1).median(dim=2).values
    is_near: Tensor = error < _WRONG_SHARE * height
    return is_near.float()
