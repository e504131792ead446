"""Covers the writer thread: order, back-pressure, drops, errors, and that no thread is left behind."""

import threading
import time

import pytest

from realtime_vibe.errors import OutputError
from realtime_vibe.outputs.sink_thread import SinkThread


class _SlowSink:
    """Keeps what it gets; waits for `gate` before each item; can be made to fail."""

    def __init__(self, fail_at: int | None = None, fail_on_close: bool = False) -> None:
        self.items: list[int] = []
        self.num_closed = 0
        self.gate = threading.Event()
        self._fail_at = fail_at
        self._fail_on_close = fail_on_close

    def write(self, item: int) -> None:
        self.gate.wait()
        if item == self._fail_at:
            raise OutputError(f"full at {item}")
        self.items.append(item)

    def close(self) -> None:
        self.num_closed += 1
        if self._fail_on_close:
            raise OutputError("cannot finish")


def _names() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


def test_lossless_keeps_everything_in_order() -> None:
    sink = _SlowSink()
    sink.gate.set()
    with SinkThread("writer-a", sink.write, sink.close, capacity=3, lossless=True) as thread:
        for item in range(500):
            thread.put(item)
    assert sink.items == list(range(500))
    assert thread.dropped == 0
    assert sink.num_closed == 1
    assert "writer-a" not in _names()


def test_a_slow_sink_never_stalls_live_frames_and_drops_are_counted() -> None:
    sink = _SlowSink()
    with SinkThread("writer-b", sink.write, sink.close, capacity=4, lossless=False) as thread:
        started_s = time.perf_counter()
        for item in range(100):
            thread.put(item)
        assert time.perf_counter() - started_s < 5.0  # who waits for the sink waits for ever
        sink.gate.set()
    # Four wait in the queue, a fifth may be in the hands of the sink.
    assert len(sink.items) in (4, 5)
    assert thread.dropped == 100 - len(sink.items)
    assert sink.items == sorted(sink.items)


def test_a_lossless_put_waits_until_the_hurry() -> None:
    sink = _SlowSink()
    thread = SinkThread("writer-c", sink.write, sink.close, capacity=1, lossless=True)
    thread.put(0)
    threading.Timer(0.3, lambda: thread.hurry(0.0)).start()
    started_s = time.perf_counter()
    thread.put(1)
    thread.put(2)
    assert time.perf_counter() - started_s > 0.2
    assert thread.dropped == 2
    sink.gate.set()
    thread.close()
    assert sink.items == [0]


def test_an_error_reaches_the_next_put_and_close() -> None:
    sink = _SlowSink(fail_at=2)
    sink.gate.set()
    thread = SinkThread("writer-d", sink.write, sink.close, capacity=2, lossless=True)

    def put_for_ever() -> None:
        while True:
            thread.put(2)

    with pytest.raises(OutputError, match="full at 2"):
        put_for_ever()
    with pytest.raises(OutputError, match="full at 2"):
        thread.close()
    assert sink.num_closed == 1
    assert "writer-d" not in _names()


def test_an_error_while_finishing_reaches_close() -> None:
    sink = _SlowSink(fail_on_close=True)
    sink.gate.set()
    thread = SinkThread("writer-e", sink.write, sink.close, lossless=True)
    thread.put(1)
    with pytest.raises(OutputError, match="cannot finish"):
        thread.close()


def test_the_first_of_two_errors_is_the_one_that_travels() -> None:
    sink = _SlowSink(fail_at=1, fail_on_close=True)
    sink.gate.set()
    thread = SinkThread("writer-f", sink.write, sink.close, lossless=True)
    thread.put(1)
    with pytest.raises(OutputError, match="full at 1"):
        thread.close()


def test_a_stuck_sink_is_reported_not_waited_for() -> None:
    sink = _SlowSink()
    thread = SinkThread("writer-g", sink.write, sink.close, lossless=True, close_timeout_s=0.2)
    thread.put(1)
    with pytest.raises(OutputError, match=r"writer-g is still busy after 0\.2 s"):
        thread.close()
    sink.gate.set()
    thread.close()
    assert sink.items == [1]


def test_closing_twice_is_fine() -> None:
    sink = _SlowSink()
    thread = SinkThread("writer-h", sink.write, sink.close, lossless=True)
    thread.close()
    thread.close()
    assert sink.num_closed == 1
