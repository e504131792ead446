"""Named pipes: whole videos, writers that never come, fall silent or write rubbish."""

import itertools
import os
import threading
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from realtime_vibe.errors import SourceError
from realtime_vibe.sources.video_pipe import is_pipe, pipe_source
from tests.sources.conftest import mirrored, number_of
from tests.sources.silent_reads import close_while_read

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "pipe.mjpeg"
    os.mkfifo(path)
    return path


@pytest.fixture
def jpegs(pictures: list[np.ndarray]) -> list[bytes]:
    return [cv2.imencode(".jpg", picture)[1].tobytes() for picture in pictures]


def write_in_thread(path: Path, write: Callable[[int], None]) -> threading.Thread:
    def run() -> None:
        handle = os.open(path, os.O_WRONLY)
        try:
            write(handle)
        except BrokenPipeError:
            pass
        finally:
            os.close(handle)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def write_fully(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]


@pytest.mark.parametrize("count", [1, 40])
def test_whole_video(fifo: Path, jpegs: list[bytes], stop: threading.Event, count: int) -> None:
    assert is_pipe(fifo)
    data = b"".join(jpegs[:count])
    writer = write_in_thread(fifo, lambda handle: write_fully(handle, data))
    with pipe_source(fifo) as source:
        frames = list(iter(lambda: source.read(stop), None))
        assert source.info.frame_count is None
        assert not source.info.is_live
        assert source.status == "at its end"
    writer.join(5)
    assert [number_of(frame.image_bgr) for frame in frames] == list(range(count))
    assert [frame.index for frame in frames] == list(range(count))
    assert all(a.captured_at_s < b.captured_at_s for a, b in itertools.pairwise(frames))


def test_streamable_containers(
    fifo: Path, ffmpeg: Callable[..., Path], stop: threading.Event, demo_clip: Path
) -> None:
    for name in ("a.mkv", "a.ts"):
        data = ffmpeg(name, "-i", str(demo_clip), "-c", "copy").read_bytes()
        writer = write_in_thread(fifo, lambda handle, data=data: write_fully(handle, data))
        with pipe_source(fifo) as source:
            frames = list(iter(lambda: source.read(stop), None))
        writer.join(5)
        assert len(frames) == 94
        times = [frame.captured_at_s - frames[0].captured_at_s for frame in frames]
        np.testing.assert_allclose(times, np.arange(94) / 30, atol=3e-3)
    data = mirrored(demo_clip.read_bytes())  # whose index comes first
    writer = write_in_thread(fifo, lambda handle: write_fully(handle, data))
    with pipe_source(fifo) as source:
        others = list(iter(lambda: source.read(stop), None))
    writer.join(5)
    other_way = others[0].image_bgr[:, ::-1].astype(int)
    assert np.abs(other_way - frames[0].image_bgr).mean() < 3


def test_early_close_frees_the_writer(
    fifo: Path, jpegs: list[bytes], stop: threading.Event
) -> None:
    writer = write_in_thread(fifo, lambda handle: write_fully(handle, b"".join(jpegs) * 50))
    with pipe_source(fifo) as source:
        assert source.read(stop) is not None
    writer.join(5)
    assert not writer.is_alive()


def test_writer_that_falls_silent(
    fifo: Path, write_clip: Callable[..., Path], stop: threading.Event
) -> None:
    data = write_clip("a.avi", 60, (320, 240)).read_bytes()
    done = threading.Event()

    def write(handle: int) -> None:
        write_fully(handle, data[: len(data) // 2])
        done.wait(60)

    writer = write_in_thread(fifo, write)
    source = pipe_source(fifo)
    try:
        close_while_read(source, stop, after_s=0.5)
    finally:
        done.set()
        writer.join(5)


def test_writer_that_never_comes(fifo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime_vibe.sources.film.OPEN_LIMIT_S", 0.3)
    with pytest.raises(SourceError, match=r"no frame came within 0 s; start the program .* MKV"):
        pipe_source(fifo)


def test_rubbish(fifo: Path, capfd: pytest.CaptureFixture[str]) -> None:
    writer = write_in_thread(fifo, lambda handle: write_fully(handle, bytes(200_000)))
    with pytest.raises(SourceError, match="no streamable video"):
        pipe_source(fifo)
    writer.join(5)
    assert not writer.is_alive()
    assert capfd.readouterr() == ("", "")


def test_no_descriptor_is_left_open(fifo: Path, jpegs: list[bytes], stop: threading.Event) -> None:
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("no /proc here to count descriptors with")
    counts = []
    for _ in range(4):
        writer = write_in_thread(fifo, lambda handle: write_fully(handle, b"".join(jpegs)))
        with pipe_source(fifo) as source:
            source.read(stop)
        writer.join(5)
        for thread in threading.enumerate():  # on a busy machine some outlive `close` by a moment
            if thread.name.startswith(("read", "pump", "copy")):
                thread.join(10)
        counts.append(len(list(Path("/proc/self/fd").iterdir())))
    assert counts[1] == counts[-1]


def test_what_is_no_pipe(tmp_path: Path) -> None:
    assert not is_pipe(tmp_path)
    assert not is_pipe(tmp_path / "absent")
