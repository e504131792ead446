"""How often to draw, so that watching does not slow down what is watched."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from realtime_vibe.system.timing import Clock


class DrawingPace:
    """After each drawing, a pause as long as the drawing took.

    Drawing holds Python's lock for much of its time, and inference runs in another thread of the same
    process: 1 ms on a graphics card never matters, 40 ms without one would halve the frame rate.
    """

    def __init__(self, clock: Clock = time.perf_counter) -> None:
        self._clock = clock
        self._due_s = float("-inf")

    def is_due(self) -> bool:
        """Whether the pause after the last drawing is over."""
        return self._clock() >= self._due_s

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """Times what happens inside the `with` block."""
        started_s = self._clock()
        try:
            yield
        finally:
            now_s = self._clock()
            self._due_s = now_s + (now_s - started_s)
