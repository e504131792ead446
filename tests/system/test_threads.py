"""Hand-over between threads: newest wins, nothing is lost when asked, errors travel."""

import threading
import time
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from realtime_vibe.system.threads import LatestSlot, SlotClosed, Worker


class SlotMachine(RuleBasedStateMachine):
    """Any order of calls, against a model: one cell, an ending."""

    def __init__(self) -> None:
        super().__init__()
        self.slot: LatestSlot[int] = LatestSlot()
        self.cell: list[int] = []
        self.ending: BaseException | None = None

    @rule(item=st.integers())
    def put(self, item: int) -> None:
        self.slot.put(item)
        if self.ending is None:
            self.cell = [item]

    @rule()
    def take(self) -> None:
        if self.cell:
            assert self.slot.take(0.0) == self.cell.pop()
        elif self.ending is not None:
            with pytest.raises(type(self.ending)):
                self.slot.take(0.0)
        else:
            assert self.slot.take(0.0) is None

    @rule(fails=st.booleans())
    def close(self, fails: bool) -> None:
        error = ValueError("first") if fails else None
        self.slot.close(error)
        if self.ending is None or isinstance(self.ending, SlotClosed):
            self.ending = error or SlotClosed()


TestSlotMachine = SlotMachine.TestCase


def produce(slot: LatestSlot[int], count: int) -> Worker:
    def body() -> None:
        for item in range(count):
            slot.put(item)

    worker = Worker("producer", body, slot.close)
    worker.start()
    return worker


def consume(slot: LatestSlot[int]) -> list[int]:
    taken: list[int] = []
    while True:
        try:
            item = slot.take(10.0)
        except SlotClosed:
            return taken
        assert item is not None
        taken.append(item)


def test_lossless_hand_over_keeps_all_in_order() -> None:
    slot: LatestSlot[int] = LatestSlot(lossless=True)
    worker = produce(slot, 2000)
    assert consume(slot) == list(range(2000))
    assert worker.join(5.0)


def test_newest_wins_in_order() -> None:
    slot: LatestSlot[int] = LatestSlot()
    worker = produce(slot, 20_000)
    taken = consume(slot)
    assert taken == sorted(set(taken))
    assert taken[-1] == 19_999
    assert worker.join(5.0)


@given(items=st.lists(st.integers(), min_size=1, max_size=20))
def test_only_the_newest_is_seen(items: list[int]) -> None:
    slot: LatestSlot[int] = LatestSlot()
    deque(map(slot.put, items), maxlen=0)
    assert slot.take(0.0) == items[-1]
    assert slot.take(0.0) is None


def test_none_is_an_item_too() -> None:
    slot: LatestSlot[None] = LatestSlot()
    slot.put(None)
    slot.close()
    assert slot.take(0.0) is None
    with pytest.raises(SlotClosed):
        slot.take(0.0)


def test_take_waits_no_longer_than_asked() -> None:
    started_s = time.monotonic()
    assert LatestSlot[int]().take(0.05) is None
    assert time.monotonic() - started_s >= 0.05


def test_error_of_the_producer_reaches_the_consumer_after_the_last_item() -> None:
    slot: LatestSlot[int] = LatestSlot()

    def body() -> None:
        slot.put(7)
        raise RuntimeError("camera unplugged")

    worker = Worker("producer", body, slot.close)
    worker.start()
    assert worker.join(5.0)
    assert slot.take(5.0) == 7
    for _ in range(2):
        with pytest.raises(RuntimeError, match="camera unplugged"):
            slot.take(5.0)


def test_close_wakes_a_waiting_consumer_and_a_waiting_producer() -> None:
    empty: LatestSlot[int] = LatestSlot()
    full: LatestSlot[int] = LatestSlot(lossless=True)
    full.put(1)
    ended: list[str] = []

    def take() -> None:
        with pytest.raises(SlotClosed):
            empty.take()
        ended.append("consumer")

    def put() -> None:
        full.put(2)
        ended.append("producer")

    threads = [threading.Thread(target=take), threading.Thread(target=put)]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    empty.close()
    full.close()
    for thread in threads:
        thread.join(5.0)
    assert sorted(ended) == ["consumer", "producer"]
    assert full.take(0.0) == 1


def test_worker_reports_its_end_once() -> None:
    ends: list[BaseException | None] = []
    release = threading.Event()

    def wait_for_release() -> None:
        release.wait(10)

    worker = Worker("quiet", wait_for_release, ends.append)
    assert worker.join(0.0)  # never started
    worker.start()
    assert not worker.join(0.02)
    release.set()
    assert worker.join(5.0)
    assert ends == [None]


def test_worker_is_named_and_does_not_keep_the_program_alive() -> None:
    seen: list[tuple[str, bool]] = []

    def look() -> None:
        seen.append((threading.current_thread().name, threading.current_thread().daemon))

    worker = Worker("capture", look, lambda _: None)
    worker.start()
    assert worker.join(5.0)
    assert seen == [("capture", True)]
