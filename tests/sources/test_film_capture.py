"""Films as players show them: square pixels, sizes that change on the way, damaged spots."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from realtime_vibe.errors import SourceError
from realtime_vibe.packets import Frame
from realtime_vibe.sources import film_capture, picture_shape
from realtime_vibe.sources.film_capture import decoded_jpeg
from realtime_vibe.sources.picture_shape import PictureShape, vpx_size
from realtime_vibe.sources.video_file import VideoFile
from realtime_vibe.sources.video_pipe import pipe_source

WriteClip = Callable[..., Path]


def frames_of(path: Path) -> list[Frame]:
    never = threading.Event()
    with VideoFile(path) as source:
        return list(iter(lambda: source.read(never), None))


def sizes(frames: list[Frame]) -> list[tuple[int, int]]:
    return [frame.image_bgr.shape[1::-1] for frame in frames]


def jpeg_of(size: tuple[int, int], pixel_aspect: tuple[int, int] = (1, 1)) -> bytes:
    picture = cv2.resize(np.random.default_rng(0).integers(0, 255, (6, 8, 3), np.uint8), size)
    data = bytearray(cv2.imencode(".jpg", picture)[1].tobytes())
    at = data.index(b"JFIF\0") + 7  # version, units, density across and down
    data[at : at + 5] = bytes([0, 0, pixel_aspect[0], 0, pixel_aspect[1]])
    return bytes(data)


def test_pixels_become_square(tmp_path: Path, subtests: pytest.Subtests) -> None:
    for aspect, shown in [
        ((4, 3), (64, 48)),
        ((2, 1), (96, 48)),
        ((1, 2), (48, 96)),
        ((1, 1), (48, 48)),
    ]:
        with subtests.test(aspect=aspect, shown=shown):
            path = tmp_path / "a.mjpeg"
            path.write_bytes(jpeg_of((48, 48), aspect) * 2)
            with VideoFile(path) as source:
                assert (source.info.width, source.info.height) == shown
            assert sizes(frames_of(path)) == [shown] * 2


def test_pixels_of_mpeg_become_square(ffmpeg: Callable[..., Path]) -> None:
    path = ffmpeg("a.mp4", "-f", "lavfi", "-i", "testsrc=s=48x64:d=0.1", "-vf", "setsar=2/1")
    assert set(sizes(frames_of(path))) == {(96, 64)}


def test_a_quarter_turn_swaps_the_sides_after_the_pixels_were_made_square() -> None:
    shape = PictureShape(width=48, height=64, pixel_aspect=2.0)
    assert shape.shown() == (96, 64)
    assert shape.shown(turned=True) == (64, 96)


@pytest.mark.parametrize("fourcc", ["MJPG", "MPG2"])
def test_sizes_may_change_on_the_way(write_clip: WriteClip, tmp_path: Path, fourcc: str) -> None:
    path = tmp_path / "joined.ts"
    if fourcc == "MJPG":
        path = path.with_suffix(".mjpeg")
        path.write_bytes(jpeg_of((64, 48)) * 13 + jpeg_of((48, 64)) * 13)
    else:
        pieces = [
            write_clip(f"{size[0]}.ts", 13, size, fourcc=fourcc) for size in [(64, 48), (48, 64)]
        ]
        path.write_bytes(b"".join(piece.read_bytes() for piece in pieces))
    found = sizes(frames_of(path))
    assert set(found) == {(64, 48), (48, 64)}
    assert abs(found.index((48, 64)) - 13) <= 1  # MPEG-2's last picture may be lost at the joint
    assert found == sorted(found, reverse=True)


def test_sizes_may_change_in_a_pipe(
    write_clip: WriteClip, tmp_path: Path, stop: threading.Event
) -> None:
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    pieces = [write_clip(f"{size[0]}.ts", 13, size, fourcc="MPG2") for size in [(64, 48), (48, 64)]]
    data = b"".join(piece.read_bytes() for piece in pieces)
    writer = threading.Thread(target=lambda: fifo.write_bytes(data))
    writer.start()
    with pipe_source(fifo) as source:
        found = sizes(list(iter(lambda: source.read(stop), None)))
    writer.join()
    assert abs(found.index((48, 64)) - 13) <= 1
    assert found == sorted(found, reverse=True)


def test_sizes_in_the_headers_of_vpx() -> None:
    vp8 = bytes.fromhex("909b029d012a00028002")
    vp9 = bytes.fromhex("82498342001ff027f6")
    assert vpx_size(vp8) == vpx_size(vp9) == (512, 640)
    for no_key in (b"", vp8[3:], bytes(20), vp9[1:], b"\0\0\1" * 5):
        assert vpx_size(no_key) is None


@pytest.mark.fault
def test_pictures_that_would_fill_the_memory_are_refused(
    demo_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (film_capture, picture_shape):
        monkeypatch.setattr(module, "MAX_FILM_PIXELS", 512 * 640 - 1)
    with pytest.raises(SourceError, match=rf"{demo_clip.name}: its pictures have 512x640 px"):
        VideoFile(demo_clip)
    picture = np.zeros((4, 6, 3), np.uint8)
    assert picture_shape.scaled_to(picture, (512, 640)) is picture


def test_scrambled_and_cut_jpegs_are_refused_without_a_word(
    capfd: pytest.CaptureFixture[str],
) -> None:
    whole = jpeg_of((64, 48))
    assert decoded_jpeg(whole) is not None
    middle = len(whole) - 200
    for broken in (
        whole[:middle],
        whole[:middle] + b"\xff\x13" + whole[middle + 2 :],
        whole[:100],
        b"",
    ):
        assert decoded_jpeg(broken) is None
    assert capfd.readouterr().err == ""


def damaged(data: bytes, at: float, length: int) -> bytes:
    start = int(len(data) * at)
    noise = np.random.default_rng(0).bytes(length)
    return data[:start] + noise + data[start + length :]


def test_a_damaged_spot_costs_the_frames_it_hits(
    demo_clip: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "spot.mp4"
    path.write_bytes(damaged(demo_clip.read_bytes(), 0.4, 5_000))
    frames = frames_of(path)
    assert 70 < len(frames) < 94
    assert frames[-1].captured_at_s == pytest.approx(93 / 30, abs=0.002)
    assert f"{94 - len(frames)} frames are damaged or missing" in caplog.text


def test_reading_goes_on_behind_a_spot_that_breaks_the_container(
    ffmpeg: Callable[..., Path], demo_clip: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = ffmpeg("a.mkv", "-i", str(demo_clip), "-c:v", "mpeg4", "-g", "8", "-bf", "0")
    data = bytearray(whole.read_bytes())
    at = data.index(b"\x1f\x43\xb6\x75", len(data) // 4)  # the next cluster's mark
    data[at : at + 8] = bytes(8)
    path = tmp_path / "spot.mkv"
    path.write_bytes(data)
    frames = frames_of(path)
    assert len(frames) > 40
    assert frames[-1].captured_at_s > 3.0
    assert len(frames) == 94 or "damaged or missing" in caplog.text


def test_a_pipe_goes_on_behind_damage_as_well(
    write_clip: WriteClip, tmp_path: Path, stop: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    whole = jpeg_of((64, 48))
    broken = whole[:-200] + b"\xff\x13" + whole[-198:]
    data = whole * 5 + broken + whole * 5
    writer = threading.Thread(target=lambda: fifo.write_bytes(data))
    writer.start()
    with pipe_source(fifo) as source:
        frames = list(iter(lambda: source.read(stop), None))
    writer.join()
    assert len(frames) == 10
    assert "1 frames are damaged or missing" in caplog.text
