"""Lets a slow sink write in its own thread, so that inference never waits for a disk."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, Self, TypeVar

from realtime_vibe.errors import OutputError, RealtimeVibeError
from realtime_vibe.system.closing import ClosedByWith
from realtime_vibe.system.threads import Worker

logger = logging.getLogger(__name__)

T = TypeVar("T")

_CLOSE_TIMEOUT_S = 60.0


class SinkThread(ClosedByWith, Generic[T]):
    """A bounded queue in front of a sink, emptied by one thread.

    Args:
        write: takes one item; runs in the thread.
        close: finishes the sink; runs in the thread after the last item, also after an error.
        lossless: when the queue is full, True makes `put` wait, False drops the item and counts it.

    The first error of `write` or `close` is raised by the next `put`, and once more by `close`.
    """

    def __init__(
        self,
        name: str,
        write: Callable[[T], None],
        close: Callable[[], None],
        *,
        capacity: int = 8,
        lossless: bool,
        close_timeout_s: float = _CLOSE_TIMEOUT_S,
    ) -> None:
        self._name = name
        self._write = write
        self._close_sink = close
        self._capacity = capacity
        self._lossless = lossless
        self._close_timeout_s = close_timeout_s
        self._queue: deque[T] = deque()
        self._changed = threading.Condition()
        self._ending = False
        self._error: BaseException | None = None
        self.dropped = 0
        """Items that were dropped because the sink was too slow; 0 when lossless."""
        self._started = False
        self._worker = Worker(name, self._run, self._finish)

    def start(self) -> Self:
        """Starts the thread."""
        self._started = True
        self._worker.start()
        return self

    def put(self, item: T, should_stop: Callable[[], bool] = lambda: False) -> None:
        """Hands over an item, which must not be changed afterwards.

        `should_stop`, asked ten times a second, ends the wait of a lossless `put`; the item is then dropped and counted.

        Raises:
            BaseException: whatever ended the sink.
        """
        with self._changed:
            while self._lossless and self._full and self._error is None and not should_stop():
                self._changed.wait(0.1)
            if self._error is not None:
                raise self._error
            if self._full or self._ending:
                self.dropped += 1
                return
            self._queue.append(item)
            self._changed.notify_all()

    def close(self) -> None:
        """Waits until everything is written and the sink is finished; may be called twice.

        Raises:
            OutputError: the sink did not finish in time.
            BaseException: whatever ended the sink.
        """
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        if not self._started:
            self._close_sink()
            return
        if not self._worker.join(self._close_timeout_s):
            raise OutputError(
                f"{self._name} is still busy after {self._close_timeout_s:g} s, "
                f"{len(self._queue)} items are not written: is the disk stuck?"
            )
        if self._error is not None:
            raise self._error

    def hurry(self, timeout_s: float) -> bool:
        """Finishes the sink without the items that wait, which are counted as dropped; whether it did in time."""
        with self._changed:
            self.dropped += len(self._queue)
            self._queue.clear()
            self._ending = True
            self._changed.notify_all()
        return self._worker.join(timeout_s)

    def __enter__(self) -> Self:
        return self.start()

    @property
    def _full(self) -> bool:
        return len(self._queue) >= self._capacity

    def _run(self) -> None:
        try:
            while (item := self._next()) is not None:
                self._write(item[0])
        except BaseException:
            try:
                self._close_sink()
            except RealtimeVibeError as later:
                logger.error("%s: %s", self._name, later)  # the first error is the one that travels
            raise
        self._close_sink()

    def _next(self) -> tuple[T] | None:
        """The next item in a tuple; None when there is none and there will be none."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._ending)
            if not self._queue:
                return None
            item = self._queue.popleft()
            self._changed.notify_all()
            return (item,)

    def _finish(self, error: BaseException | None) -> None:
        with self._changed:
            self._error = error
            self._ending = True
            self._changed.notify_all()
