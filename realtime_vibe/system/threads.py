"""Hand-over between threads: newest wins, and an error travels to the consumer."""

import errno
import threading
import weakref
from collections.abc import Callable
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class SlotClosed(Exception):  # noqa: N818 - an end-of-stream signal, as StopIteration is
    """The producer closed the slot without an error and everything in it was taken."""


class LatestSlot(Generic[T]):
    """A one-item mailbox between two threads.

    `put` never blocks: an item that was not taken yet is replaced, so the age of what
    `take` returns never grows with time. With `lossless` it waits instead until the last item was taken.
    """

    def __init__(self, *, lossless: bool = False) -> None:
        self._lossless = lossless
        self._condition = threading.Condition()
        self._item: T | None = None
        self._full = False
        self._closed = False
        self._error: BaseException | None = None

    def put(self, item: T) -> None:
        """Offers `item`. Ignored after `close`, which ends a wait as well."""
        with self._condition:
            if self._lossless:
                self._condition.wait_for(lambda: not self._full or self._closed)
            if self._closed:
                return
            self._item, self._full = item, True
            self._condition.notify_all()

    def take(self, timeout_s: float | None = None) -> T | None:
        """Returns the newest item once; None when `timeout_s` passed without one.

        Raises:
            SlotClosed: the producer is done and nothing is left.
            BaseException: whatever error the producer closed the slot with.
        """
        with self._condition:
            self._condition.wait_for(lambda: self._full or self._closed, timeout_s)
            if self._full:
                item, self._item, self._full = self._item, None, False
                self._condition.notify_all()
                return item
            if self._error is not None:
                raise self._error
            if self._closed:
                raise SlotClosed
            return None

    def close(self, error: BaseException | None = None) -> None:
        """Ends the stream and wakes everyone; the first `error` is re-raised by `take`."""
        with self._condition:
            self._closed = True
            self._error = self._error or error
            self._condition.notify_all()


class Worker:
    """A named thread whose errors reach somebody.

    `on_exit` is called in the thread when `body` ended, with the error that ended it or None.
    """

    def __init__(
        self,
        name: str,
        body: Callable[[], None],
        on_exit: Callable[[BaseException | None], None],
    ) -> None:
        self._body = body
        self._on_exit = on_exit
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        _WORKERS.add(self)

    def start(self) -> Self:
        """Starts the thread."""
        self._thread.start()
        return self

    def join(self, timeout_s: float) -> bool:
        """Waits for the thread; True when it has ended (or never started)."""
        if self._thread.ident is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def is_running(self) -> bool:
        """Whether the thread was started and has not ended."""
        return self._thread.is_alive()

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            self._body()
        except BaseException as caught:  # noqa: BLE001 - carried to the consumer by on_exit
            error = caught
        self._on_exit(error)


_WORKERS: weakref.WeakSet[Worker] = weakref.WeakSet()


def waited_for(name: str, ask: Callable[[], T], limit_s: float) -> T:
    """What a call gives that may take half a minute and hears no Ctrl-C, as the look-up of a host's name does.

    Raises:
        TimeoutError: nothing came in time; its thread, called `name`, is left behind.
        BaseException: whatever the call raised.
    """
    found: list[T] = []
    errors: list[BaseException | None] = []
    worker = Worker(name, lambda: found.append(ask()), errors.append).start()
    if not worker.join(limit_s):
        raise TimeoutError(errno.ETIMEDOUT, f"no answer within {limit_s:g} s")
    for error in filter(None, errors):
        raise error
    return found[0]


def is_any_worker_running() -> bool:
    """Whether a thread is still at work, as inside a driver or a graph that never returns."""
    return any(worker.is_running for worker in list(_WORKERS))
