"""Cuts batches into training steps, and finds its place again after an interruption.

Legend: S time, B streams.
"""

from typing import Any, Literal, NamedTuple

import torch

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
        self._pieces: list[SequenceBatch] = []
        self._before = self._now()

    def next(self, stage: Stage) -> Piece:
        """The next piece; a new batch when the last is used up or was cut for another stage.

        Raises:
            ConfigError: the source's sequences are too short.
        """
        if stage != self._stage or self._index == len(self._pieces):
            self._draw(stage)
        piece = Piece(self._pieces[self._index], self._index == 0)
        self._index += 1
        return piece

    def state_dict(self) -> dict[str, Any]:
        """The state from before the batch in use, and the place in the batch."""
        before = self._before if self._pieces else self._now()
        return {"before": before, "stage": self._stage, "index": self._index}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Puts back what `state_dict` gave; moves torch's global generator while it does."""
        self._source.load_state_dict(state["before"]["source"])
        torch.set_rng_state(state["before"]["torch"])
        self._stage, self._pieces = None, []
        if state["stage"] is not None:
            self._draw(state["stage"])
            self._index = state["index"]

    def _draw(self, stage: Stage) -> None:
        self._before = self._now()
        batch = self._source.sample()
        if stage == "frames":
            self._pieces = _shuffled_frames(batch, self._frames_per_step)
        else:
            self._pieces = _chunks(batch, self._chunk_frames, self._min_frames)
        self._stage, self._index = stage, 0

    def _now(self) -> dict[str, Any]:
        return {"source": self._source.state_dict(), "torch": torch.get_rng_state()}


def _chunks(batch: SequenceBatch, size: int, min_frames: int) -> list[SequenceBatch]:
    """A batch cut along time; a rest that is too short is left out."""
    length = batch.features.shape[0]
    if length < min_frames:
        raise ConfigError(
            f"the training source gives sequences of {length} frames, expected {min_frames} or more"
        )
    starts = range(0, length - min_frames + 1, size)
    return [SequenceBatch(*(field[start : start + size] for field in batch)) for start in starts]


def _shuffled_frames(batch: SequenceBatch, size: int) -> list[SequenceBatch]:
    """A batch cut into pieces (1, size, ...) of unrelated frames."""
    flat = [field.flatten(0, 1) for field in batch]
    order = torch.randperm(len(flat[0]))
    size = min(size, len(order))
    parts = order[: len(order) // size * size].split(size)
    return [SequenceBatch(*(field[rows][None] for field in flat)) for rows in parts]
