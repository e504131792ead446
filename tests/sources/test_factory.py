"""From what the user types to the right source, or to one clear line."""

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from realtime_vibe.errors import SourceError
from realtime_vibe.sources import factory
from realtime_vibe.sources.cameras import CameraInfo, list_cameras
from realtime_vibe.sources.factory import auto_source, open_source
from realtime_vibe.sources.webcam import webcam_source


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "1.png"
    path.write_bytes(cv2.imencode(".png", np.full((30, 40), 9, np.uint8))[1].tobytes())
    return path


def test_each_spelling_finds_its_source(
    image: Path, demo_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")
    expected = {
        "auto": "auto_source",
        "0": "webcam_source",
        "12": "webcam_source",
        "/dev/video0": "webcam_source",
        "synthetic": "SyntheticSource",
        "http://127.0.0.1/live": "stream_source",
        "rtsp://user:pw@127.0.0.1:554/live": "stream_source",
        str(demo_clip): "VideoFile",
        demo_clip.as_uri(): "VideoFile",
        "no/such/file.mp4": "VideoFile",
        str(image): "ImageFolder",
        str(image.parent): "folder_source",
        f"{image.parent}/*.png": "glob_source",
        str(tmp_path / "pipe"): "pipe_source",
    }
    for name in set(expected.values()):
        monkeypatch.setattr(factory, name, lambda *_, name=name, **__: name)
    for spec, name in expected.items():
        assert open_source(spec, paced=False) == name, spec


def test_brackets_in_an_existing_name_are_no_pattern(
    demo_clip: Path, tmp_path: Path, stop: threading.Event
) -> None:
    path = tmp_path / "take [1]*.mp4"
    path.write_bytes(demo_clip.read_bytes())
    with open_source(str(path), paced=False) as source:
        assert source.read(stop) is not None


def test_nothing_is_piped_into_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(factory, "_STANDARD_INPUT", tmp_path)
    with pytest.raises(SourceError, match=r"ffmpeg .* matroska"):  # as at a terminal
        open_source("-", paced=False)


def test_file_url_with_escapes(demo_clip: Path, tmp_path: Path, stop: threading.Event) -> None:
    path = tmp_path / "mit Leerzeichen ü.mp4"
    path.write_bytes(demo_clip.read_bytes())
    with open_source(path.as_uri(), paced=False) as source:
        assert source.read(stop) is not None


def test_one_clear_line_for_nonsense(subtests: pytest.Subtests) -> None:
    for spec in [
        "",
        "  ",
        "ask",
        "nope.mp4",
        "nope/*.png",
        "nope/img_%03d.png",
        "ftp://host/x",
        "-1",
        "webcam",
        "²",
        "a\0b",
        "file://[",
        "file:///a%00b.mkv",
        "n" * 300,
    ]:
        with subtests.test(spec=spec):
            with pytest.raises(SourceError) as caught:
                open_source(spec, paced=False)
            assert "\n" not in str(caught.value)
            assert "expected" in str(caught.value) or "give" in str(caught.value)


def test_requests_reach_the_source(image: Path, stop: threading.Event) -> None:
    with open_source("synthetic", paced=False, size=(320, 200), fps=12.0) as source:
        assert (source.info.width, source.info.height, source.info.fps) == (320, 200, 12.0)
    with open_source(str(image), paced=False, fps=5.0) as source:
        assert source.info.fps == 5.0
        assert source.info.frame_count == 1


def test_requests_that_do_not_apply_are_said_so(
    demo_clip: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with open_source(str(demo_clip), paced=False, size=(640, 480), fps=5.0):
        pass
    assert "size can only be asked of cameras" in caplog.text
    assert "its own frame rate" in caplog.text


CAMERAS = (
    CameraInfo(index=0, name="Broken", path="/dev/video0"),
    CameraInfo(index=2, name="BRIO", path="/dev/video2"),
)


def test_auto_takes_the_first_camera_that_delivers(
    new_camera: Callable[..., object], stop: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    cameras = {0: new_camera(opens=lambda _: False), 2: new_camera()}
    caplog.set_level(logging.INFO)
    auto = auto_source(
        lambda index: webcam_source(index, new_capture=cameras[index]),  # type: ignore[arg-type]
        paced=True,
        cameras=lambda: CAMERAS,
    )
    with auto:
        assert auto.info.name == "camera 2"
        assert auto.read(stop) is not None
        assert auto.status == "ok"
    assert "camera 0" in caplog.text
    assert "BRIO" in caplog.text


def test_auto_says_how_to_take_another_camera(
    new_camera: Callable[..., object], caplog: pytest.LogCaptureFixture
) -> None:
    def open_auto(cameras: tuple[CameraInfo, ...]) -> str:
        caplog.clear()
        auto = auto_source(
            lambda index: webcam_source(index, new_capture=new_camera()),  # type: ignore[arg-type]
            paced=True,
            cameras=lambda: cameras,
        )
        with auto:
            return caplog.messages[-1]

    caplog.set_level(logging.INFO)
    assert open_auto(CAMERAS[1:]) == 'using camera 2 "BRIO"'
    notice = open_auto(CAMERAS)
    assert notice.startswith('using camera 0 "Broken"; also found: 2 "BRIO"')
    assert "--source 2" in notice
    assert "--source ask" in notice


@pytest.mark.parametrize("paced", [False, True])
def test_auto_without_a_camera_plays_the_clip_and_says_so(
    stop: threading.Event, caplog: pytest.LogCaptureFixture, paced: bool
) -> None:
    auto = auto_source(webcam_source, paced=paced, cameras=tuple)
    with auto:
        assert auto.info.name == "demo.mp4"
        assert auto.info.frame_count == (None if paced else 94)
        assert auto.read(stop) is not None
    assert "no camera found: playing the bundled demo clip" in caplog.text


def test_absent_camera_is_one_clear_line(capfd: pytest.CaptureFixture[str]) -> None:
    taken = {camera.index for camera in list_cameras()}
    index = next(number for number in range(50, 100) if number not in taken)
    with pytest.raises(SourceError, match=f"camera {index}") as caught:
        open_source(str(index), paced=False)
    assert "\n" not in str(caught.value)
    assert "found" in str(caught.value)
    assert capfd.readouterr() == ("", "")
