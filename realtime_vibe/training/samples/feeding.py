"""Cuts batches into training steps, and finds its place again after an interruption.

Legend: S time, B streams.
"""

from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from realtime_vibe.errors import ConfigError
from realtime_vibe.training.samples.sequences import SequenceBatch, SequenceSource

Stage = Literal["frames", "sequence"]
"""Unrelated single frames, or pieces of sequences in their order."""


class Piece(NamedTuple):
    """What one training step looks at."""

    batch: SequenceBatch
    """(T, B, ...) in a sequence, (1, N, ...) single frames."""
    starts_streams: bool
    """Whether the streams are new ones: their state must not be that of the piece before."""


class Feeder:
    """Draws batches and hands out their pieces.

    A batch in use is not stored with a checkpoint: the state from before it was drawn is, and the
    batch is drawn again.

    Args:
        frames_per_step: N.
        chunk_frames: T.
        min_frames: a shorter rest of a sequence is left out.
    """

    def __init__(
        self, source: SequenceSource, frames_per_step: int, chunk_frames: int, min_frames: int
    ) -> None:
        self._source = source
        self._frames_per_step = frames_per_step
        self._chunk_frames = chunk_frames
        self._min_frames = min_frames
        self._stage: Stage | None = None
        self._index = 0
        self._pieces: _Pieces | None = None
        self._before = self._now()

    def next(self, stage: Stage) -> Piece:
        """The next piece; a new batch when the last is used up or was cut for another stage.

        Raises:
            ConfigError: the source's sequences are too short.
        """
        if self._pieces is None or stage != self._stage or self._index == len(self._pieces):
            self._draw(stage)
        assert self._pieces is not None
        piece = Piece(self._pieces.at(self._index), self._index == 0)
        self._index += 1
        return piece

    def state_dict(self) -> dict[str, Any]:
        """The state from before the batch in use, and the place in the batch."""
        before = self._now() if self._pieces is None else self._before
        return {"before": before, "stage": self._stage, "index": self._index}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Puts back what `state_dict` gave; moves torch's global generator while it does."""
        self._source.load_state_dict(state["before"]["source"])
        torch.set_rng_state(state["before"]["torch"])
        self._stage, self._pieces = None, None
        if state["stage"] is not None:
            self._draw(state["stage"])
            self._index = state["index"]

    def _draw(self, stage: Stage) -> None:
        self._before = self._now()
        batch = self._source.sample()
        if stage == "frames":
            self._pieces = _ShuffledFrames(batch, self._frames_per_step)
        else:
            self._pieces = _Chunks(batch, self._chunk_frames, self._min_frames)
        self._stage, self._index = stage, 0

    def _now(self) -> dict[str, Any]:
        return {"source": self._source.state_dict(), "torch": torch.get_rng_state()}


class _Chunks:
    """A batch cut along time."""

    def __init__(self, batch: SequenceBatch, size: int, min_frames: int) -> None:
        length = batch.features.shape[0]
        if length < min_frames:
            raise ConfigError(
                f"the training source gives sequences of {length} frames, expected {min_frames} or "
                "more"
            )
        self._batch = batch
        self._size = size
        self._starts = [start for start in range(0, length, size) if length - start >= min_frames]

    def __len__(self) -> int:
        return len(self._starts)

    def at(self, index: int) -> SequenceBatch:
        start = self._starts[index]
        return SequenceBatch(*(field[start : start + self._size] for field in self._batch))


class _ShuffledFrames:
    """A batch cut into pieces (1, size, ...) of unrelated frames."""

    def __init__(self, batch: SequenceBatch, size: int) -> None:
        self._flat = [field.flatten(0, 1) for field in batch]
        self._order: Tensor = torch.randperm(len(self._flat[0]))
        self._size = min(size, len(self._order))

    def __len__(self) -> int:
        return len(self._order) // self._size

    def at(self, index: int) -> SequenceBatch:
        rows = self._order[index * self._size : (index + 1) * self._size]
        return SequenceBatch(*(field[rows][None] for field in self._flat))


_Pieces = _Chunks | _ShuffledFrames
