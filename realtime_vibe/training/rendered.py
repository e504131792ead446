"""Training batches from rendered frames that went through the real tracker (see `render`).

Legend: S time, B streams, N frames in which a stream's person was found.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from realtime_vibe.errors import DatasetError
from realtime_vibe.models.smpl_layer import SmplLayer
from realtime_vibe.training.render import FORMAT_VERSION
from realtime_vibe.training.sequences import (
    Observation,
    SequenceBatch,
    SequenceTruth,
    batch_of,
    posed_points,
    projected,
)

FloatArray = NDArray[np.float32]

_PER_FRAME = ("rotmat", "transl", "dt_s", "image_px", "world_m", "visibility")
_PER_STREAM = ("betas", "principal", "true_focal", "nominal_focal")
_MIN_FRAMES = 16
_WRONG_SHARE = 0.3
"""A median error of more than this share of the person's height: the tracker saw something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedStream:
    """The frames of one stream in which the person was found."""

    frames: dict[str, NDArray[Any]]
    """Arrays (N, ...) by the names in `_PER_FRAME`; `dt_s` counts from the last found frame."""
    person: dict[str, FloatArray]
    """Arrays by the names in `_PER_STREAM`."""

    def __len__(self) -> int:
        return len(self.frames["dt_s"])


def load_streams(folder: Path, limit: int | None = None) -> list[RenderedStream]:
    """Reads all shards in a folder.

    Args:
        folder: with the files that `render` wrote.
        limit: number of shards to read; None reads all.

    Raises:
        DatasetError: there is none, or one is damaged or of another format.
    """
    paths = sorted(folder.glob("shard-*.npz"))[:limit]
    streams = [stream for path in paths for stream in _load_shard(path)]
    if not streams:
        raise DatasetError(
            f"no rendered streams in {folder}: make some with "
            f"python -m realtime_vibe.training.render --motion DIR --out {folder}"
        )
    return streams


def _load_shard(path: Path) -> list[RenderedStream]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            version = int(archive["format_version"])
            if version != FORMAT_VERSION:
                raise DatasetError(f"{path} has format {version}, expected {FORMAT_VERSION}")
            arrays = {name: archive[name] for name in (*_PER_FRAME, *_PER_STREAM, "found")}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DatasetError(
            f"{path} cannot be read ({error}): delete it and render again"
        ) from error
    streams = []
    for row in range(arrays["found"].shape[1]):
        rows = np.flatnonzero(arrays["found"][:, row])
        if len(rows) < _MIN_FRAMES:
            continue
        frames = {name: arrays[name][rows, row] for name in _PER_FRAME}
        frames["dt_s"] = _since_last(arrays["dt_s"][:, row], rows)
        person = {name: arrays[name][row] for name in _PER_STREAM}
        streams.append(RenderedStream(frames=frames, person=person))
    return streams


def _since_last(dt_s: FloatArray, rows: NDArray[np.intp]) -> FloatArray:
    """(N,) time from found frame to found frame."""
    times = np.cumsum(dt_s.astype(np.float64))[rows]
    return np.diff(times, prepend=times[0]).astype(np.float32)


class RenderedSource:
    """Draws batches of rendered streams; a `SequenceSource`.

    Args:
        streams: what to draw from.
        body: gives joints and landmarks of the truth.
        num_frames: S.
        num_streams: B.
        seed: of the choices.
        skip_chance: chance of a stream to be seen at half its frame rate.
    """

    def __init__(
        self,
        streams: list[RenderedStream],
        body: SmplLayer,
        *,
        num_frames: int = 128,
        num_streams: int = 48,
        seed: int = 0,
        skip_chance: float = 0.2,
    ) -> None:
        self._streams = streams
        self._body = body
        self._num_frames = num_frames
        self._num_streams = num_streams
        self._skip_chance = skip_chance
        self._rng = np.random.default_rng(seed)
        self._chances = np.array([len(stream) for stream in streams], np.float64)
        self._chances /= self._chances.sum()

    @torch.no_grad()
    def sample(self) -> SequenceBatch:
        """One batch of random streams, each cut or filled up to S frames."""
        chosen = self._rng.choice(len(self._streams), self._num_streams, p=self._chances)
        pieces = [self._piece(self._streams[index]) for index in chosen]
        weight = torch.stack([piece[1] for piece in pieces], 1)

        def frames(name: str) -> Tensor:
            stacked = np.stack([piece[0][name] for piece in pieces], 1)
            return torch.from_numpy(stacked.astype(np.float32))

        def person(name: str) -> Tensor:
            stacked = np.stack([self._streams[index].person[name] for index in chosen])
            return torch.from_numpy(stacked.astype(np.float32))

        dt_s = frames("dt_s")
        dt_s[0] = 0.0
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
        batch = batch_of(truth, self._body, observation)
        weight = weight * self._is_on_person(truth, observation.image_px)
        return batch._replace(
            body_weight=weight, point_weight=batch.point_weight * weight[..., None]
        )

    def state_dict(self) -> dict[str, Any]:
        """State of the choices."""
        return {"rng": self._rng.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Puts back what `state_dict` gave."""
        self._rng.bit_generator.state = state["rng"]

    def _piece(self, stream: RenderedStream) -> tuple[dict[str, NDArray[Any]], Tensor]:
        """S frames of a stream and their weight: 0 where the last frame is only repeated."""
        step = 2 if self._rng.random() < self._skip_chance and len(stream) > 2 * _MIN_FRAMES else 1
        available = (len(stream) - 1) // step + 1
        start = int(self._rng.integers(0, max(1, available - self._num_frames + 1))) * step
        order = start + step * np.arange(self._num_frames)
        is_new = order < len(stream)
        rows = np.minimum(order, start + step * ((len(stream) - 1 - start) // step))
        frames = {name: stream.frames[name][rows] for name in _PER_FRAME}
        times = np.cumsum(stream.frames["dt_s"].astype(np.float64))[rows]
        frames["dt_s"] = np.diff(times, prepend=times[0]).astype(np.float32)
        return frames, torch.from_numpy(is_new.astype(np.float32))

    def _is_on_person(self, truth: SequenceTruth, image_px: Tensor) -> Tensor:
        """(S, B) 1 where the tracker looks at the person, 0 where it follows something else."""
        pixels = projected(posed_points(truth, self._body)[1], truth)
        height = (pixels.amax(2) - pixels.amin(2)).amax(-1)
        error = (pixels - image_px).norm(dim=-1).median(dim=2).values
        return (error < _WRONG_SHARE * height).float()
