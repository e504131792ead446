"""Draws the next batches in a process of its own, while the network learns from the last one.

Sampling costs a third of a step, and small tensors do not fill a second core by themselves.
"""

import queue as queues
import signal
from contextlib import suppress
from multiprocessing.process import BaseProcess
from multiprocessing.queues import Queue
from typing import Any, NamedTuple

import torch
from torch.multiprocessing import get_context

from realtime_vibe.errors import TrainingError
from realtime_vibe.training.samples.sequences import SequenceBatch, SequenceSource

_BATCHES_AHEAD = 2
_PATIENCE_S = 5.0


class _Drawn(NamedTuple):
    batch: SequenceBatch | None
    """None when drawing failed."""
    state: dict[str, Any]
    """Of source and generator after the batch: what decides the next one."""
    error: str


class SampledAhead:
    """A source whose batches are drawn ahead; a `SequenceSource` that can be resumed to the bit.

    The process is forked at the first batch, so that motion is shared and not copied. It has a generator
    of its own: what the trainer draws in between does not matter.
    """

    def __init__(self, source: SequenceSource, seed: int) -> None:
        self._source = source
        generator = torch.Generator().manual_seed(seed)
        self._state = {"source": source.state_dict(), "torch": generator.get_state()}
        self._process: BaseProcess | None = None
        self._queue: Queue[_Drawn] | None = None

    def sample(self) -> SequenceBatch:
        """The next batch.

        Raises:
            TrainingError: the process failed or was killed.
        """
        if self._process is None:
            self._start()
        drawn = self._next()
        if drawn.batch is None:
            self.close()
            raise TrainingError(f"drawing a training batch failed: {drawn.error}")
        self._state = drawn.state
        return drawn.batch

    def state_dict(self) -> dict[str, Any]:
        """What decides the next batch `sample` gives, not the next one drawn."""
        return self._state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Puts back what `state_dict` gave; batches drawn ahead are thrown away."""
        self.close()
        self._state = state

    def close(self) -> None:
        """Ends the process; the next `sample` starts another."""
        if self._process is not None:
            self._process.terminate()
            self._process.join()
            self._process, self._queue = None, None

    def _start(self) -> None:
        context = get_context("fork")
        self._queue = context.Queue(_BATCHES_AHEAD)
        self._process = context.Process(
            target=_draw, args=(self._source, self._state, self._queue), daemon=True
        )
        self._process.start()

    def _next(self) -> _Drawn:
        assert self._queue is not None
        assert self._process is not None
        while True:
            with suppress(queues.Empty):
                return self._queue.get(timeout=_PATIENCE_S)
            if not self._process.is_alive():
                status = self._process.exitcode
                self.close()
                raise TrainingError(f"the process that draws batches ended with status {status}")


def _draw(source: SequenceSource, state: dict[str, Any], queue: "Queue[_Drawn]") -> None:
    """The process's work, until it is ended from outside."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    torch.set_num_threads(1)
    torch.set_rng_state(state["torch"])
    source.load_state_dict(state["source"])
    while True:
        try:
            batch = source.sample()
        except Exception as error:  # noqa: BLE001 - whatever it is, the trainer must hear of it
            # No tensors in this one: they would die with this process before they are read.
            queue.put(_Drawn(None, {}, f"{type(error).__name__}: {error}"))
            return
        after = {"source": source.state_dict(), "torch": torch.get_rng_state()}
        queue.put(_Drawn(batch, after, ""))
