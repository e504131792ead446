"""Lets a slow sink write in its own thread, so that inference never waits for a disk."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from realtime_vibe.errors import OutputError
from realtime_vibe.system.closing import ClosedByWith, run_all
from realtime_vibe.system.threads import Worker

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
        """Items that were dropped because the sink was too slow."""
        self._worker = Worker(name, self._run, self._end)
        self._worker.start()

    def put(self, item: T) -> None:
        """Hands over an item, which must not be changed afterwards.

        Raises:
            BaseException: whatever ended the sink.
        """
        with self._changed:
            if self._lossless:
                self._changed.wait_for(lambda: self._has_room or self._ending)
            if self._error is not None:
                raise self._error
            if self._has_room and not self._ending:
                self._queue.append(item)
                self._changed.notify_all()
            else:
                self.dropped += 1

    def close(self) -> None:
        """Waits until everything is written and the sink is finished; may be called twice.

        Raises:
            OutputError: the sink did not finish in time.
            BaseException: whatever ended the sink.
        """
        self._end(None)
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
        self._end(None)
        return self._worker.join(timeout_s)

    @property
    def _has_room(self) -> bool:
        return len(self._queue) < self._capacity

    def _run(self) -> None:
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._queue or self._ending)
                    if not self._queue:
                        break
                    item = self._queue.popleft()
                    self._changed.notify_all()
                self._write(item)
        finally:
            run_all(self._close_sink)  # the first error is the one that travels

    def _end(self, error: BaseException | None) -> None:
        with self._changed:
            self._error = self._error or error
            self._ending = True
            self._changed.notify_all()
