"""The capture thread: hand-over, counting, errors, and its close-down in every state."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from realtime_vibe.errors import SourceError
from realtime_vibe.packets import Frame
from realtime_vibe.sources.base import FrameSource
from realtime_vibe.sources.capture import CaptureThread
from realtime_vibe.sources.stream_url import stream_source
from realtime_vibe.sources.synthetic import SyntheticSource
from realtime_vibe.sources.video_file import VideoFile
from realtime_vibe.system.threads import LatestSlot, SlotClosed


def start(source: FrameSource, *, lossless: bool) -> tuple[CaptureThread, LatestSlot[Frame]]:
    slot: LatestSlot[Frame] = LatestSlot()
    capture = CaptureThread(source, slot, lossless=lossless)
    capture.start()
    return capture, slot


def take_all(slot: LatestSlot[Frame]) -> list[Frame]:
    frames: list[Frame] = []
    while True:
        try:
            frame = slot.take(20.0)
        except SlotClosed:
            return frames
        assert frame is not None
        frames.append(frame)


def test_lossless_is_every_frame_in_order(demo_clip: Path) -> None:
    capture, slot = start(VideoFile(demo_clip), lossless=True)
    assert [frame.index for frame in take_all(slot)] == list(range(94))
    assert capture.grabbed == 94
    capture.close()


def test_newest_wins(demo_clip: Path) -> None:
    capture, slot = start(VideoFile(demo_clip), lossless=False)
    indexes = []
    for frame in iter(lambda: slot.take(20.0), None):
        indexes.append(frame.index)
        time.sleep(0.02)
        if frame.index == 93:
            break
    assert indexes == sorted(set(indexes))
    assert capture.grabbed == 94
    capture.close()


def test_age_stays_bounded_behind_a_slow_consumer() -> None:
    """The newest frame is the last one grabbed, however long the consumer lags."""
    source = SyntheticSource(size=(160, 120), fps=50.0)
    capture, slot = start(source, lossless=False)
    behind = []
    for _ in range(8):
        time.sleep(0.1)
        grabbed = capture.grabbed
        frame = slot.take(10.0)
        assert frame is not None
        behind.append(grabbed - 1 - frame.index)
    assert max(behind) <= 1
    assert capture.grabbed > 8
    assert capture.status == "ok"
    capture.close()
    assert capture.seconds_since_frame(time.perf_counter() + 5.0) >= 5.0


def test_error_of_the_source_reaches_the_consumer(demo_clip: Path) -> None:
    class Broken(VideoFile):
        def read(self, stop: threading.Event) -> Frame | None:
            frame = super().read(stop)
            if frame is not None and frame.index == 3:
                raise SourceError("camera 0: gone; replug it")
            return frame

    capture, slot = start(Broken(demo_clip), lossless=True)
    with pytest.raises(SourceError, match="gone; replug it"):
        take_all(slot)
    capture.close()


def test_close_while_nobody_takes(demo_clip: Path) -> None:
    capture, slot = start(VideoFile(demo_clip), lossless=True)
    time.sleep(0.2)
    started_s = time.monotonic()
    capture.close()
    assert time.monotonic() - started_s < 10.0  # promised: 2 s on an idle machine
    capture.close()
    assert [frame.index for frame in take_all(slot)] == [0]


def test_close_before_start(demo_clip: Path) -> None:
    slot: LatestSlot[Frame] = LatestSlot()
    CaptureThread(VideoFile(demo_clip), slot, lossless=True).close()
    with pytest.raises(SlotClosed):
        slot.take(0.0)


def test_watchdog_and_close_without_a_signal(new_server: Callable[..., Any]) -> None:
    server = new_server()
    capture, slot = start(stream_source(server.url), lossless=False)
    assert slot.take(10.0) is not None
    server.mode = "stall"
    deadline_s = time.monotonic() + 20
    while not capture.status.startswith("no signal"):
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    started_s = time.monotonic()
    capture.close()
    assert time.monotonic() - started_s < 10.0  # promised: 2 s on an idle machine


def test_a_thread_that_hangs_is_left_behind_loudly(
    demo_clip: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime_vibe.sources.capture.JOIN_S", 0.2)
    release = threading.Event()

    class Deaf(VideoFile):
        def read(self, stop: threading.Event) -> Frame | None:
            release.wait(60)
            return None

    capture, slot = start(Deaf(demo_clip), lossless=False)
    try:
        capture.close()
        assert "left behind" in caplog.text
        with pytest.raises(SlotClosed):
            slot.take(0.0)
    finally:
        release.set()


def test_fifty_starts_and_stops(demo_clip: Path) -> None:
    for _ in range(50):
        capture, slot = start(VideoFile(demo_clip, loop=True), lossless=False)
        assert slot.take(10.0) is not None
        capture.close()
