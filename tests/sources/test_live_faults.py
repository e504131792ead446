"""Scripted camera faults: what a `LiveSource` hands out, says, and leaves behind."""

import itertools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from realtime_vibe.errors import SourceError
from realtime_vibe.packets import Frame
from realtime_vibe.sources import webcam
from realtime_vibe.sources.live import LiveDevice, LiveSource
from realtime_vibe.sources.webcam import CameraOpener, Freshness
from tests.sources.silent_reads import close_while_read

pytestmark = pytest.mark.fault
MakeCamera = Callable[..., Any]


def source_of(camera: Any, **changes: Any) -> LiveSource:
    """The source the webcam module makes, less patient so that the tests are quick."""
    opener = CameraOpener(0, (64, 48), 30.0, camera)
    device = LiveDevice(
        name="camera 0",
        open_capture=opener.open,
        open_limit_s=5.0,
        patience_s=0.1,
        stuck_s=0.5,
        is_fresh=Freshness(),
    )
    return LiveSource(replace(device, **changes))


def read(source: LiveSource, count: int, stop: threading.Event) -> list[Frame]:
    frames = []
    for _ in range(count):
        frame = source.read(stop)
        assert frame is not None
        frames.append(frame)
    return frames


def assert_sound(frames: list[Frame]) -> None:
    """Real, new pictures with rising indexes and times."""
    for frame in frames:
        assert frame.image_bgr.dtype == np.uint8
        assert frame.image_bgr.any()
    for before, after in itertools.pairwise(frames):
        assert after.index > before.index
        assert after.captured_at_s > before.captured_at_s
        assert not np.array_equal(before.image_bgr, after.image_bgr)


def test_frames_are_new_and_stamped(new_camera: MakeCamera, stop: threading.Event) -> None:
    camera = new_camera()
    started_s = time.perf_counter()
    with source_of(camera) as source:
        frames = read(source, 20, stop)
        assert_sound(frames)
        assert all(started_s < f.grabbed_at_s == f.captured_at_s for f in frames)
        assert (source.info.width, source.info.height, source.info.fps) == (64, 48, 30.0)
        assert source.info.is_live
        assert source.status == "ok"
    assert camera.open_now == 0


def test_slow_reader_gets_the_newest(new_camera: MakeCamera, stop: threading.Event) -> None:
    with source_of(new_camera()) as source:
        first = read(source, 1, stop)[0]
        time.sleep(0.6)
        second = read(source, 1, stop)[0]
        assert second.index > first.index + 1
        assert second.grabbed_at_s - first.grabbed_at_s > 0.5


def test_closing_a_healthy_camera_is_no_loss(
    new_camera: MakeCamera, stop: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(20):
        source = source_of(new_camera(lambda _: time.sleep(0.05) or "new"))
        reader = threading.Thread(target=lambda s=source: list(iter(lambda: s.read(stop), None)))
        reader.start()
        source.close()
        reader.join(5)
        assert not reader.is_alive()
    assert "lost" not in caplog.text
    assert "does not return" not in caplog.text


def test_camera_that_never_opens(new_camera: MakeCamera) -> None:
    with pytest.raises(SourceError, match="camera 0") as caught:
        source_of(new_camera(opens=lambda _: False))
    assert "\n" not in str(caught.value)


def test_opens_but_delivers_nothing(new_camera: MakeCamera) -> None:
    camera = new_camera(lambda _: None)
    with pytest.raises(SourceError, match="no picture came"):
        source_of(camera)
    assert camera.open_now == 0


def test_first_reads_may_fail(new_camera: MakeCamera, stop: threading.Event) -> None:
    with source_of(new_camera(lambda n: None if n < 5 else "new"), patience_s=5.0) as source:
        assert_sound(read(source, 5, stop))


@pytest.mark.parametrize(
    "hiccup",
    [None, cv2.error("broken"), "nothing", np.zeros((0, 0, 3), np.uint8)],
    ids=["false", "cv2.error", "none", "empty"],
)
def test_one_bad_read_changes_nothing(
    new_camera: MakeCamera, stop: threading.Event, hiccup: Any
) -> None:
    camera = new_camera(lambda n: hiccup if n % 5 == 3 else "new")
    with source_of(camera, patience_s=5.0) as source:
        assert_sound(read(source, 20, stop))
        assert source.status == "ok"
    assert camera.open_count == 1


@pytest.mark.parametrize(
    "failure",
    [None, cv2.error("gone"), np.zeros((48, 64, 3), np.uint8), np.full((48, 64, 3), 7, np.uint8)],
    ids=["false", "cv2.error", "black", "frozen"],
)
def test_lost_camera_comes_back(
    new_camera: MakeCamera,
    stop: threading.Event,
    caplog: pytest.LogCaptureFixture,
    failure: Any,
) -> None:
    """The driver fails in any of its ways until it is opened for the fourth time."""
    camera = new_camera(
        lambda n: failure if n >= 10 and camera.open_count < 4 else "new",
        opens=lambda count: count not in {2, 3},
    )
    caplog.set_level(logging.WARNING)
    with source_of(camera) as source:
        frames = []
        while camera.open_count < 4 or len(frames) < 15:
            frames += read(source, 1, stop)
        frames += read(source, 5, stop)
        assert_sound([f for f in frames if not (f.image_bgr == 7).all()])
        assert sum(bool((f.image_bgr == 7).all()) for f in frames) <= 1  # the first of the frozen
        assert source.status == "ok"
    messages = [record.message for record in caplog.records]
    assert sum("signal is lost" in text for text in messages) == 1
    assert sum("signal is back" in text for text in messages) == 1
    assert camera.open_now == 0


def test_status_says_how_long(new_camera: MakeCamera, stop: threading.Event) -> None:
    camera = new_camera(lambda n: "new" if n < 5 else None)
    with source_of(camera) as source:
        reader = threading.Thread(
            target=lambda: [None for _ in iter(lambda: source.read(stop), None)]
        )
        reader.start()
        deadline_s = time.monotonic() + 20
        while "no signal" not in source.status or "reopening" not in source.status:
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
        stop.set()
        reader.join(5)
        assert not reader.is_alive()


def test_blocked_read_does_not_hang_anything(
    new_camera: MakeCamera, stop: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    """A driver that never returns is left behind, loudly, and the camera is opened again."""
    release = threading.Event()

    def script(number: int) -> Any:
        if number == 5:
            release.wait(60)
            return None
        return "new"

    camera = new_camera(script)
    try:
        with source_of(camera) as source:
            frames = read(source, 1, stop)
            while camera.open_count < 2:
                frames += read(source, 1, stop)
            frames += read(source, 5, stop)
            assert_sound(frames)
        assert "does not return" in caplog.text
    finally:
        release.set()


@pytest.mark.parametrize("blocks_in", ["open", "read"])
def test_close_is_quick_while_the_driver_hangs(
    new_camera: MakeCamera, stop: threading.Event, blocks_in: str
) -> None:
    release = threading.Event()
    hang = lambda *_: release.wait(60) and None  # noqa: E731
    if blocks_in == "read":
        camera = new_camera(lambda n: "new" if n < 3 else hang())
    else:
        camera = new_camera(
            lambda n: "new" if n < 3 else None, opens=lambda n: n == 1 or bool(hang())
        )
    source = source_of(camera, stuck_s=100.0)
    try:
        close_while_read(source, stop, after_s=0.8)
        source.close()
    finally:
        release.set()


def test_picture_formats_and_sizes_may_change(
    new_camera: MakeCamera, stop: threading.Event
) -> None:
    rng = np.random.default_rng(1)
    shapes = [(48, 64), (48, 64, 1), (48, 64, 4), (31, 17, 3), (1080, 1920, 3)]

    def script(number: int) -> Any:
        shape = shapes[number % len(shapes)]
        if number % 2:
            return rng.integers(256, 65535, shape, dtype=np.uint16)
        return rng.integers(1, 255, shape, dtype=np.uint8)

    with source_of(new_camera(script)) as source:
        frames = read(source, 15, stop)
    assert {frame.image_bgr.shape[2] for frame in frames} == {3}
    assert len({frame.image_bgr.shape for frame in frames}) > 1


def test_clock_that_stands_still_or_jumps(
    new_camera: MakeCamera, stop: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    opener = CameraOpener(0, (640, 480), 30.0, new_camera())
    device = LiveDevice(
        name="x", open_capture=opener.open, open_limit_s=5.0, patience_s=9.0, stuck_s=9.0
    )
    with LiveSource(device, clock=lambda: 1.0) as source:
        assert_sound(read(source, 5, stop))
    stopped_s = [0.0]

    def go_on_later(number: int) -> str:  # as after Ctrl-Z and fg in the middle of a read
        if number == 5:
            time.sleep(0.1)
            stopped_s[0] = 3600.0
            time.sleep(0.2)
        return "new"

    camera = new_camera(go_on_later)
    device = replace(device, open_capture=CameraOpener(0, (640, 480), 30.0, camera).open)
    with LiveSource(device, clock=lambda: time.perf_counter() + stopped_s[0]) as source:
        assert_sound(read(source, 10, stop))
    assert camera.open_count == 1
    assert "lost" not in caplog.text


def test_renumbered_camera_is_found_by_its_name(
    new_camera: MakeCamera, stop: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = webcam.CameraInfo(index=0, name="BRIO", path="/dev/video0")
    there = [(info,)]
    monkeypatch.setattr(webcam, "list_cameras", lambda: there[0])
    camera = new_camera(lambda n: None if n >= 5 and camera.open_count == 1 else "new")
    with source_of(camera) as source:
        read(source, 1, stop)
        there[0] = (replace(info, index=3, path="/dev/video3"),)
        while camera.open_count < 2:
            read(source, 1, stop)
    assert [target for target, _ in camera.targets][:2] == [0, 3]


def test_a_hundred_times(new_camera: MakeCamera, stop: threading.Event) -> None:
    camera = new_camera()
    for _ in range(100):
        with source_of(camera) as source:
            read(source, 1, stop)
    assert camera.open_now == 0
    assert camera.open_count == 100
