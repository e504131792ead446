"""Video files: times, odd shapes, damage, pacing, looping, closing from another thread."""

import itertools
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from realtime_vibe.errors import SourceError
from realtime_vibe.packets import Frame
from realtime_vibe.sources.video_file import VideoFile

WriteClip = Callable[..., Path]


def read_all(source: VideoFile, stop: threading.Event) -> list[Frame]:
    frames = []
    while (frame := source.read(stop)) is not None:
        frames.append(frame)
    return frames


def error_of(path: Path) -> str:
    with pytest.raises(SourceError) as caught:
        VideoFile(path)
    assert "\n" not in str(caught.value)
    assert path.name in str(caught.value)
    return str(caught.value)


def test_every_frame_with_its_time(demo_clip: Path, stop: threading.Event) -> None:
    with VideoFile(demo_clip) as source:
        frames = read_all(source, stop)
        info = source.info
        assert source.read(stop) is None
        assert source.status == "at its end"
    assert (info.name, info.width, info.height) == ("demo.mp4", 512, 640)
    assert (info.fps, info.frame_count, info.is_live) == (30.0, 94, False)
    assert [frame.index for frame in frames] == list(range(94))
    np.testing.assert_allclose([f.captured_at_s for f in frames], np.arange(94) / 30, atol=2e-3)


def test_variable_frame_rate(
    ffmpeg: Callable[..., Path], stop: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    """Half a second is missing after the tenth frame; the times say so."""
    path = ffmpeg(
        "vfr.mkv", "-f", "lavfi", "-i", "testsrc=s=160x120:r=25:d=1",
        "-vf", "setpts='(N*0.04+if(gt(N,9),0.5,0))/TB'", "-fps_mode", "vfr", "-c:v", "mpeg4",
    )  # fmt: skip
    with VideoFile(path) as source:
        steps = np.diff([frame.captured_at_s for frame in read_all(source, stop)])
    assert steps[9] == pytest.approx(0.54, abs=0.03)
    np.testing.assert_allclose(np.delete(steps, 9), 0.04, atol=0.01)
    assert "cut off" not in caplog.text  # the frame count guessed from the mean rate is too high


def test_any_length_and_shape(
    tmp_path: Path, stop: threading.Event, subtests: pytest.Subtests
) -> None:
    """A bare series of JPEGs: no frame rate, no frame count, no times."""
    for count, size in [(1, (64, 48)), (3, (641, 479)), (3, (120, 200)), (2, (3840, 2160))]:
        with subtests.test(size=size, count=count):
            picture = np.full((size[1], size[0], 3), 90, np.uint8)
            path = tmp_path / "a.mjpeg"
            path.write_bytes(cv2.imencode(".jpg", picture)[1].tobytes() * count)
            with VideoFile(path) as source:
                frames = read_all(source, stop)
                assert (source.info.width, source.info.height) == size
            assert [frame.image_bgr.shape for frame in frames] == [(size[1], size[0], 3)] * count
            assert all(a.captured_at_s < b.captured_at_s for a, b in itertools.pairwise(frames))


def test_grey_video(ffmpeg: Callable[..., Path], stop: threading.Event) -> None:
    path = ffmpeg(
        "g.avi", "-f", "lavfi", "-i", "testsrc=s=64x48:d=0.2", "-pix_fmt", "gray", "-c:v", "ffv1"
    )
    with VideoFile(path) as source:
        assert {frame.image_bgr.shape for frame in read_all(source, stop)} == {(48, 64, 3)}


def test_a_film_without_a_rate_promises_no_number_of_frames(
    ffmpeg: Callable[..., Path], stop: threading.Event
) -> None:
    source = "testsrc=s=720x576:r=25:d=0.1"
    path = ffmpeg("a.dv", "-f", "lavfi", "-i", source, "-pix_fmt", "yuv420p")
    with VideoFile(path) as film:
        assert (film.info.fps, film.info.frame_count) == (None, None)  # OpenCV says 7200
        assert len(read_all(film, stop)) >= 2


def test_cut_off_file_plays_what_it_has(
    demo_clip: Path, tmp_path: Path, stop: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    data = demo_clip.read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(data[: len(data) // 2])
    caplog.set_level(logging.WARNING)
    with VideoFile(path) as source:
        count = len(read_all(source, stop))
    assert 10 < count < 90
    assert f"{count} of 94 frames could be read" in caplog.text


def test_whole_or_stopped_files_warn_of_nothing(
    demo_clip: Path, stop: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    with VideoFile(demo_clip) as source:
        read_all(source, stop)
    with VideoFile(demo_clip) as source:
        source.read(stop)
        stop.set()
        assert source.read(stop) is None
    assert not caplog.records


def test_cut_off_before_the_first_frame(demo_clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "stump.mp4"
    for length in (100, 3000):
        path.write_bytes(demo_clip.read_bytes()[:length])
        assert "cut off" in error_of(path)


def test_what_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    assert "No such file" in error_of(path)
    path.write_bytes(b"")
    assert "empty" in error_of(path)
    path.write_text("Dear diary,\n" * 100)
    assert "text file" in error_of(path)
    path.write_bytes(np.random.default_rng(0).bytes(5000))
    assert "cannot be opened as a video" in error_of(path)
    assert "folder" in error_of(tmp_path)


def test_nothing_is_printed_for_a_bad_file(
    tmp_path: Path, demo_clip: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.mp4"
    for data in (bytes(5000), demo_clip.read_bytes()[:3000]):
        path.write_bytes(data)
        error_of(path)
    assert capfd.readouterr() == ("", "")


def test_names_that_ffmpeg_would_take_for_protocols(
    demo_clip: Path, tmp_path: Path, stop: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("concat:a.mp4", "clip %03d ü.mp4"):
        Path(name).write_bytes(demo_clip.read_bytes())
        with VideoFile(Path(name)) as source:
            assert source.read(stop) is not None


def test_paced_takes_as_long_as_the_media(write_clip: WriteClip, stop: threading.Event) -> None:
    path = write_clip("a.avi", 16, (64, 48), fps=30.0)
    with VideoFile(path, paced=True) as source:
        started_s = time.perf_counter()
        frames = read_all(source, stop)
        took_s = time.perf_counter() - started_s
    assert 0.45 < took_s < 20.0
    for frame in frames:  # never early
        assert frame.grabbed_at_s - frames[0].grabbed_at_s > frame.captured_at_s - 0.005
    with VideoFile(write_clip("minute.avi", 31, (64, 48), fps=0.5)) as source:
        started_s = time.perf_counter()
        assert len(read_all(source, stop)) == 31
        assert time.perf_counter() - started_s < 30.0  # of 60


def test_loop_goes_on_for_ever(write_clip: WriteClip, stop: threading.Event) -> None:
    with VideoFile(write_clip("a.avi", 4, (64, 48)), loop=True) as source:
        assert source.info.frame_count is None
        frames = [source.read(stop) for _ in range(10)]
    assert [frame.index for frame in frames if frame] == list(range(10))
    np.testing.assert_allclose(
        np.diff([frame.captured_at_s for frame in frames if frame]), 1 / 30, atol=2e-3
    )
    assert frames[0]
    assert frames[8]
    np.testing.assert_array_equal(frames[0].image_bgr, frames[8].image_bgr)


def test_close_and_stop_end_a_paced_wait(write_clip: WriteClip) -> None:
    path = write_clip("slow.avi", 3, (64, 48), fps=0.05)
    for end in ("close", "stop"):
        stop = threading.Event()
        source = VideoFile(path, paced=True)
        assert source.read(stop) is not None
        got: list[Frame | None] = []
        reader = threading.Thread(target=lambda got=got, s=source, e=stop: got.append(s.read(e)))
        reader.start()
        time.sleep(0.2)
        started_s = time.monotonic()
        source.close() if end == "close" else stop.set()
        reader.join(15)
        assert time.monotonic() - started_s < 10.0  # of 20
        assert got == [None]
        source.close()


def test_close_under_a_reader(demo_clip: Path, stop: threading.Event) -> None:
    """Releasing a capture during a decode crashes; closing must not."""
    for _ in range(10):
        source = VideoFile(demo_clip, loop=True)
        reader = threading.Thread(target=read_all, args=(source, stop))
        reader.start()
        time.sleep(0.02)
        source.close()
        reader.join(5)
        assert not reader.is_alive()
        source.close()
