"""Sequences of equal length, cut out of tracks of any length and frame rate.

Legend: N frames of a track, S frames of a sequence, B sequences.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from realtime_vibe.training.samples.streams import Seeded

FloatArray = NDArray[np.float32]

MIN_FRAMES = 16
"""Shorter tracks are left out."""
_TOO_SHORT_TO_HALVE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One person over the frames in which they were seen."""

    frames: dict[str, NDArray[np.generic]]
    """Arrays (N, ...) by name; `dt_s` counts from the frame before [s]."""
    person: dict[str, NDArray[np.generic]]
    """What is the same in all frames, by name."""

    def __len__(self) -> int:
        return len(self.frames["dt_s"])


class CutTracks(NamedTuple):
    """Pieces of tracks, beside each other."""

    frames: dict[str, Tensor]
    """(S, B, ...) by name."""
    person: dict[str, Tensor]
    """(B, ...) by name."""
    weight: Tensor
    """(S, B) 1 for a frame, 0 where a track has ended and its last frame is only repeated."""


class TrackSource(Seeded):
    """Draws tracks by their length, each cut or filled up to S frames; what a `SequenceSource` makes batches of.

    Args:
        num_frames: S.
        num_streams: B.
        half_rate_chance: of a track to be seen at half its frame rate.
    """

    def __init__(
        self,
        tracks: Sequence[Track],
        *,
        num_frames: int,
        num_streams: int,
        half_rate_chance: float,
        seed: int,
    ) -> None:
        super().__init__(seed)
        self._tracks = tracks
        self._num_frames = num_frames
        self._num_streams = num_streams
        self._half_rate_chance = half_rate_chance
        lengths = np.array([len(track) for track in tracks], np.float64)
        self._chances = lengths / lengths.sum()

    def _cut_tracks(self) -> CutTracks:
        chosen = self._rng.choice(len(self._tracks), self._num_streams, p=self._chances)
        tracks = [self._tracks[index] for index in chosen]
        cuts = [
            random_cut(len(track), self._num_frames, self._half_rate_chance, self._rng)
            for track in tracks
        ]
        pairs = list(zip(tracks, cuts, strict=True))
        frames = {
            name: _stacked([track.frames[name][cut.rows] for track, cut in pairs], 1)
            for name in tracks[0].frames
        }
        steps = [time_steps(track.frames["dt_s"], cut.rows) for track, cut in pairs]
        frames["dt_s"] = _stacked(steps, 1)
        person = {
            name: _stacked([track.person[name] for track in tracks], 0) for name in tracks[0].person
        }
        return CutTracks(frames, person, _stacked([cut.weight for cut in cuts], 1))


def _stacked(arrays: Sequence[NDArray[np.generic]], axis: int) -> Tensor:
    return torch.from_numpy(np.stack(arrays, axis).astype(np.float32))


class Cut(NamedTuple):
    """A part of a track, filled up at its end."""

    rows: NDArray[np.intp]
    """(S,) frames of the track; the last one again and again where the track has ended."""
    weight: FloatArray
    """(S,) 1 for a frame, 0 where the last one is only repeated."""


def random_cut(
    length: int, num_frames: int, half_rate_chance: float, rng: np.random.Generator
) -> Cut:
    """Chooses where to cut.

    Args:
        length: N, above 0.
        num_frames: S.
        half_rate_chance: chance to take every other frame only; short tracks keep all.
    """
    is_halved = rng.random() < half_rate_chance and length > _TOO_SHORT_TO_HALVE
    step = 2 if is_halved else 1
    available = (length - 1) // step + 1
    start = int(rng.integers(0, max(1, available - num_frames + 1))) * step
    wanted = start + step * np.arange(num_frames)
    last = start + step * ((length - 1 - start) // step)
    return Cut(np.minimum(wanted, last), (wanted <= last).astype(np.float32))


def time_steps(dt_s: NDArray[np.generic], rows: NDArray[np.intp]) -> FloatArray:
    """(S,) time from frame to frame [s]: that of the frames in between is added up; 0 on the first.

    Args:
        dt_s: (N,) time of each frame since the one before [s].
        rows: (S,) which are kept, ascending.
    """
    times = np.cumsum(dt_s.astype(np.float64))[rows]
    return np.diff(times, prepend=times[0]).astype(np.float32)
