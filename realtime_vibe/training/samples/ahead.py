"""Draws the next batches in a process of its own, while the network learns from the last one.

Sampling costs a third of a step, and small tensors do not fill a second core by themselves.
"""

import signal
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any

import torch
from torch.multiprocessing import get_context

from realtime_vibe.errors import TrainingError
from realtime_vibe.training.samples.sequences import SequenceBatch, SequenceSource

_BATCHES_AHEAD = 2

_State = dict[str, Any]
"""Of source and generator: what decides the next batch."""


class SampledAhead:
    """A source whose batches are drawn ahead; a `SequenceSource` that can be resumed to the bit.

    The process is forked at the first batch, so that motion is shared and not copied. It has a generator
    of its own: what the trainer draws in between does not matter.
    """

    def __init__(self, source: SequenceSource, seed: int) -> None:
        self._source = source
        generator = torch.Generator().manual_seed(seed)
        self._state: _State = {"source": source.state_dict(), "torch": generator.get_state()}
        self._process: ProcessPoolExecutor | None = None
        self._waiting: deque[Future[tuple[SequenceBatch, _State]]] = deque()

    def sample(self) -> SequenceBatch:
        """The next batch.

        Raises:
            TrainingError: the process failed or was killed.
        """
        if self._process is None:
            self._process = ProcessPoolExecutor(
                1, get_context("fork"), initializer=_begin, initargs=(self._source, self._state)
            )
        try:
            while len(self._waiting) <= _BATCHES_AHEAD:
                self._waiting.append(self._process.submit(_draw))
            batch, self._state = self._waiting.popleft().result()
        except Exception as error:
            self.close()
            raise TrainingError(
                f"drawing a training batch failed: {type(error).__name__}: {error}"
            ) from error
        return batch

    def state_dict(self) -> _State:
        """What decides the next batch `sample` gives, not the next one drawn."""
        return self._state

    def load_state_dict(self, state: _State) -> None:
        """Puts back what `state_dict` gave; batches drawn ahead are thrown away."""
        self.close()
        self._state = state

    def close(self) -> None:
        """Ends the process; the next `sample` starts another."""
        if self._process is not None:
            self._process.shutdown(cancel_futures=True)
            self._process = None
            self._waiting.clear()


_source: SequenceSource
"""The process's own."""


def _begin(source: SequenceSource, state: _State) -> None:
    """The process's first work."""
    global _source  # noqa: PLW0603 - what `concurrent.futures` has for what a process keeps
    # Ctrl-C goes to the whole group; the trainer saves first and then ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    torch.set_num_threads(1)
    torch.set_rng_state(state["torch"])
    source.load_state_dict(state["source"])
    _source = source


def _draw() -> tuple[SequenceBatch, _State]:
    """The next batch, and the state after it."""
    batch = _source.sample()
    return batch, {"source": _source.state_dict(), "torch": torch.get_rng_state()}
