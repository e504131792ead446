"""The threads of a live run: hand-over, counting, errors, and their close-down in every state; no networks."""

import threading
import time

import pytest

from realtime_vibe.app.live_run import LiveRun
from realtime_vibe.errors import SourceError
from realtime_vibe.outputs.stats import StatsCollector
from realtime_vibe.packets import Frame, FrameResult
from realtime_vibe.sources.base import FrameSource
from realtime_vibe.sources.synthetic import SyntheticSource
from realtime_vibe.sources.video_file import VideoFile, demo_clip_path
from realtime_vibe.system.threads import SlotClosed
from tests.sources.conftest import no_thread_left  # noqa: F401 - used by every test


class Nobody:
    """A pipeline that finds nobody, at once."""

    def step(self, frame: Frame) -> FrameResult:
        return FrameResult(frame=frame, people=(), stage_ms={}, focal_px=1.0)


def run_of(source: FrameSource, *, lossless: bool) -> LiveRun:
    return LiveRun(
        source,
        Nobody(),  # type: ignore[arg-type]
        StatsCollector(),
        every_frame=lossless,
        max_frames=None,
        every_result=lossless,
    )


def started(source: FrameSource, *, lossless: bool) -> LiveRun:
    live = run_of(source, lossless=lossless)
    live.start()
    return live


def indexes(live: LiveRun, pause_s: float = 0.0) -> list[int]:
    """Numbers of the frames of all results, one looked at every `pause_s`."""
    taken: list[int] = []
    while True:
        try:
            result = live.take(20.0)
        except SlotClosed:
            return taken
        assert result is not None
        taken.append(result.frame.index)
        time.sleep(pause_s)


def test_lossless_is_every_frame_in_order() -> None:
    live = started(VideoFile(demo_clip_path()), lossless=True)
    assert indexes(live) == list(range(94))
    assert (live.frames_grabbed, live.frames_processed, live.dropped) == (94, 94, 0)
    live.close()


def test_newest_wins() -> None:
    live = started(VideoFile(demo_clip_path()), lossless=False)
    taken = indexes(live, pause_s=0.02)
    assert taken == sorted(set(taken))
    assert taken[-1] == 93
    assert live.frames_grabbed == 94
    live.close()


def test_age_stays_bounded_behind_a_slow_consumer() -> None:
    """The newest result is of the last frame grabbed or the one before, however long the consumer lags."""
    live = started(SyntheticSource(size=(160, 120), fps=50.0), lossless=False)
    behind = []
    for _ in range(8):
        time.sleep(0.1)
        grabbed = live.frames_grabbed
        result = live.take(10.0)
        assert result is not None
        behind.append(grabbed - 1 - result.frame.index)
    assert max(behind) <= 2
    assert live.frames_grabbed > 8
    assert live.trouble == ""
    live.close()


def test_error_of_the_source_reaches_the_consumer() -> None:
    class Broken(VideoFile):
        def read(self, stop: threading.Event) -> Frame | None:
            frame = super().read(stop)
            if frame is not None and frame.index == 3:
                raise SourceError("camera 0: gone; replug it")
            return frame

    live = started(Broken(demo_clip_path()), lossless=True)
    with pytest.raises(SourceError, match="gone; replug it"):
        indexes(live)
    live.close()


def test_close_while_nobody_takes() -> None:
    live = started(VideoFile(demo_clip_path()), lossless=True)
    time.sleep(0.2)
    started_s = time.monotonic()
    live.close()
    assert time.monotonic() - started_s < 10.0  # promised: 2 s on an idle machine
    live.close()
    assert indexes(live) == [0]


def test_close_before_start() -> None:
    live = run_of(VideoFile(demo_clip_path()), lossless=True)
    live.close()
    with pytest.raises(SlotClosed):
        live.take(0.0)


def test_a_source_that_hangs_is_said_and_left_behind(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime_vibe.app.live_run._CAPTURE_JOIN_S", 0.2)
    release = threading.Event()

    class Deaf(VideoFile):
        def read(self, stop: threading.Event) -> Frame | None:
            release.wait(60)
            return None

    live = started(Deaf(demo_clip_path()), lossless=False)
    try:
        deadline_s = time.monotonic() + 20
        while not live.trouble.startswith("no signal"):
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
        live.close()
        assert "capture thread did not end" in caplog.text
        with pytest.raises(SlotClosed):
            live.take(0.0)
    finally:
        release.set()


def test_fifty_starts_and_stops() -> None:
    for _ in range(50):
        live = started(VideoFile(demo_clip_path(), loop=True), lossless=False)
        assert live.take(10.0) is not None
        live.close()
