"""Camera set-up, explanations of failure, freshness, camera lists and pixel formats."""

from pathlib import Path

import cv2
import cv2_enumerate_cameras
import numpy as np
import pytest

from realtime_vibe.errors import ShapeError
from realtime_vibe.sources import webcam
from realtime_vibe.sources.cameras import CameraInfo, describe_cameras, list_cameras
from realtime_vibe.sources.opencv import plausible_count, plausible_fps, to_bgr8
from realtime_vibe.sources.webcam import (
    Freshness,
    explain_no_camera,
    set_up_camera,
)

BRIO = CameraInfo(index=2, name="BRIO", path="/dev/video2")


class Recorder:
    """Notes what is asked; delivers 1280x720 whatever that was."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, float]] = []

    def set(self, name: int, value: float) -> bool:
        self.asked.append((name, value))
        return True

    def get(self, name: int) -> float:
        return {cv2.CAP_PROP_FRAME_WIDTH: 1280.0, cv2.CAP_PROP_FRAME_HEIGHT: 720.0}[name]


@pytest.mark.parametrize(
    ("platform", "first"), [("linux", True), ("darwin", True), ("win32", False)]
)
def test_order_of_settings(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    platform: str,
    first: bool,
) -> None:
    monkeypatch.setattr(webcam.sys, "platform", platform)
    camera = Recorder()
    set_up_camera(camera, (800, 600), 60.0)  # type: ignore[arg-type]
    names = [name for name, _ in camera.asked]
    before_size = names.index(cv2.CAP_PROP_FOURCC) < names.index(cv2.CAP_PROP_FRAME_WIDTH)
    assert before_size == first
    asked = dict(camera.asked)
    assert asked[cv2.CAP_PROP_FRAME_WIDTH] == 800
    assert asked[cv2.CAP_PROP_FRAME_HEIGHT] == 600
    assert asked[cv2.CAP_PROP_FPS] == 60
    assert asked[cv2.CAP_PROP_BUFFERSIZE] == 1
    assert "delivers 1280x720 px, asked for 800x600" in caplog.text


def test_explanations_say_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    device = tmp_path / "video0"
    monkeypatch.setattr(webcam.sys, "platform", "linux")
    absent = explain_no_camera(str(device), (BRIO,))
    assert "there is no" in absent
    assert 'found: 2 "BRIO"' in absent
    device.touch()
    assert "close other programs" in explain_no_camera(str(device), ())
    monkeypatch.setattr(webcam.os, "access", lambda *_: False)
    assert "usermod -aG video" in explain_no_camera(str(device), ())
    monkeypatch.setattr(webcam.sys, "platform", "darwin")
    assert "Privacy" in explain_no_camera(2, (BRIO,))
    assert "no such camera" in explain_no_camera(0, (BRIO,))
    monkeypatch.setattr(webcam.sys, "platform", "win32")
    assert "close other programs" in explain_no_camera(2, (BRIO,))


def test_freshness() -> None:
    rng = np.random.default_rng(0)
    one, two = rng.integers(0, 255, (2, 48, 64, 3), dtype=np.uint8)
    is_fresh = Freshness()
    assert is_fresh(one)
    assert not is_fresh(one)
    assert is_fresh(two)
    assert is_fresh(one)
    assert not is_fresh(np.zeros_like(one))


def test_a_still_picture_of_a_camera_that_is_there_is_new() -> None:
    """OBS shows a slide; then the device file goes."""
    now_s, present = [0.0], [True]
    is_fresh = Freshness(lambda: present[0], clock=lambda: now_s[0])
    slide = np.full((48, 64, 3), 7, np.uint8)
    assert all(is_fresh(slide) for _ in range(5))
    assert is_fresh(np.zeros_like(slide))
    present[0] = False
    assert is_fresh(slide)
    now_s[0] += 2.0
    assert not is_fresh(slide)


def test_camera_list_is_ordered_and_described(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        cv2_enumerate_cameras.CameraInfo(4, "BRIO", "/dev/video4", None, None, 0),
        cv2_enumerate_cameras.CameraInfo(0, None, None, None, None, 0),
    ]
    monkeypatch.setattr(cv2_enumerate_cameras, "enumerate_cameras", lambda _: found)
    cameras = list_cameras()
    assert cameras == (
        CameraInfo(index=0, name="unnamed", path=""),
        CameraInfo(index=4, name="BRIO", path="/dev/video4"),
    )
    assert describe_cameras(cameras) == 'found: 0 "unnamed", 4 "BRIO"'
    assert describe_cameras(()) == "found no camera"


def test_real_camera_list_names_what_it_finds() -> None:
    for camera in list_cameras():
        assert camera.name
        assert camera.index >= 0


def test_any_picture_becomes_bgr8(subtests: pytest.Subtests) -> None:
    for image, expected in [
        (np.full((2, 3), 9, np.uint8), (9, 9, 9)),
        (np.full((2, 3, 1), 9, np.uint8), (9, 9, 9)),
        (np.full((2, 3, 4), (1, 2, 3, 0), np.uint8), (1, 2, 3)),
        (np.full((2, 3, 3), (256, 512, 65535), np.uint16), (1, 2, 255)),
        (np.full((2, 3, 3), (0.0, 1.0, np.nan), np.float32), (0, 255, 0)),
    ]:
        with subtests.test(expected=expected, image=image):
            got = to_bgr8(image)
            assert got is not None
            assert got.shape == (2, 3, 3)
            assert got.dtype == np.uint8
            assert tuple(got[0, 0]) == expected


def test_what_is_no_picture() -> None:
    assert to_bgr8(None) is None
    assert to_bgr8(np.zeros((0, 4, 3), np.uint8)) is None
    with pytest.raises(ShapeError, match="2 channels"):
        to_bgr8(np.zeros((4, 4, 2), np.uint8))


def test_believable_numbers_only() -> None:
    assert plausible_fps(29.97) == 30000 / 1001
    assert {plausible_fps(fps) for fps in (0.0, -1.0, float("nan"), 90000.0, float("inf"))} == {
        None
    }
    assert plausible_count(94.0) == 94
    assert {plausible_count(count) for count in (0.0, -2e17, float("nan"), 1e18)} == {None}
