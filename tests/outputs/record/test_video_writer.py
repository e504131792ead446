"""Covers the video file: sizes, the frame-rate grid, refusals, and what a killed run leaves."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from realtime_vibe.errors import OutputError
from realtime_vibe.outputs.record.video_writer import VideoWriter, fit_into

resource = pytest.importorskip("resource", reason="this system has no limits on files")

ROOT = Path(__file__).resolve().parents[3]


def _picture(level: int, width: int = 64, height: int = 48) -> np.ndarray:
    # Levels step by 20 in the tests: the codec is lossy.
    return np.full((height, width, 3), level, np.uint8)


def _read(path: Path) -> list[np.ndarray]:
    capture = cv2.VideoCapture(str(path))
    pictures = []
    while True:
        found, picture = capture.read()
        if not found:
            break
        pictures.append(picture)
    capture.release()
    return pictures


def _levels(path: Path) -> list[int]:
    return [round(float(picture.mean()) / 20) * 20 for picture in _read(path)]


def test_every_picture_comes_back(tmp_path: Path, subtests: pytest.Subtests) -> None:
    for suffix in [".mkv", ".webm", ".mp4", ".avi"]:
        with subtests.test(suffix=suffix):
            path = tmp_path / f"o{suffix}"
            with VideoWriter(path, fps=25) as writer:
                for level in range(0, 200, 20):
                    writer.write(_picture(level))
            assert _levels(path) == list(range(0, 200, 20))
            assert writer.num_frames == 10
            capture = cv2.VideoCapture(str(path))
            assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(25)
            capture.release()


def test_a_name_with_a_colon_is_no_protocol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with VideoWriter(Path("12:30 %d.mkv"), fps=25) as writer:
        writer.write(_picture(0))
    assert Path("12:30 %d.mkv").is_file()


def test_odd_sizes_lose_no_pixel(tmp_path: Path) -> None:
    path = tmp_path / "o.mkv"
    with VideoWriter(path, fps=25) as writer:
        writer.write(_picture(200, 65, 47))
    (picture,) = _read(path)
    assert picture.shape == (48, 66, 3)
    assert picture[10:47, 10:65].mean() == pytest.approx(200, abs=4)


def test_a_change_of_size_is_letterboxed(tmp_path: Path) -> None:
    path = tmp_path / "o.mkv"
    with VideoWriter(path, fps=25) as writer:
        writer.write(_picture(200, 64, 48))
        writer.write(_picture(200, 48, 96))
    first, second = _read(path)
    assert first.shape == second.shape == (48, 64, 3)
    assert second[:, 26:38].mean() == pytest.approx(200, abs=6)
    assert second[:, :12].mean() < 20


def test_pictures_lie_where_their_time_says(tmp_path: Path) -> None:
    path = tmp_path / "o.mkv"
    with VideoWriter(path, fps=10) as writer:
        # 0.31: two places were missed; 0.33: too early for another one.
        for level, at_s in ((0, 100.0), (20, 100.11), (40, 100.39), (60, 100.42), (80, 100.5)):
            writer.write(_picture(level), at_s)
    assert _levels(path) == [0, 20, 40, 40, 40, 80]


def test_a_jittering_camera_keeps_its_frames(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    times_s = np.arange(120) / 30 + rng.uniform(-0.004, 0.004, 120)
    with VideoWriter(tmp_path / "o.mkv", fps=30) as writer:
        for at_s in times_s:
            writer.write(_picture(40), float(at_s))
    assert abs(writer.num_frames - 120) <= 1


def test_a_pause_is_cut_out(tmp_path: Path, subtests: pytest.Subtests) -> None:
    for jump_s in [600.0, -600.0]:
        with subtests.test(jump_s=jump_s):
            with VideoWriter(tmp_path / f"{jump_s}.mkv", fps=10) as writer:
                for at_s in (0.0, 0.1, jump_s, jump_s + 0.1):
                    writer.write(_picture(40), at_s)
            assert writer.num_frames == 4


def test_other_endings_and_existing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"ends in \.mkv or \.webm"):
        VideoWriter(tmp_path / "o.mov", fps=30)
    path = tmp_path / "o.mkv"
    path.write_bytes(b"old")
    with pytest.raises(OutputError, match="--overwrite"):
        VideoWriter(path, fps=30)
    with VideoWriter(path, fps=30, overwrite=True):
        pass
    assert path.read_bytes() == b"old"  # replaced only when the first picture comes


def test_two_videos_of_one_name_have_a_file_each(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "o.mkv"
    with VideoWriter(path, fps=10) as first, VideoWriter(path, fps=10) as second:
        for level in (20, 40):
            first.write(_picture(level))
            second.write(_picture(level + 100))
    assert "o-2.mkv" in caplog.text
    assert _levels(path) == [20, 40]
    assert _levels(tmp_path / "o-2.mkv") == [120, 140]


def test_a_video_that_was_cut_is_told(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "o.mkv", fps=30)
    rng = np.random.default_rng(0)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        for _ in range(20):
            writer.write(rng.integers(0, 255, (96, 128, 3), dtype=np.uint8))
        with pytest.raises(OutputError, match=r"holds \d+ of 20 frames"):
            writer.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.fault
def test_a_video_without_a_frame_is_no_file(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "o.mkv", fps=30)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        writer.write(_picture(20))
        with pytest.raises(OutputError, match="holds 0 of 1 frames"):
            writer.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_a_video_that_was_replaced_is_told(tmp_path: Path) -> None:
    path = tmp_path / "o.mkv"
    writer = VideoWriter(path, fps=30)
    writer.write(_picture(20))
    path.unlink()
    path.write_bytes(b"of somebody else")
    with pytest.raises(OutputError, match="removed or replaced"):
        writer.close()
    assert path.read_bytes() == b"of somebody else"


def test_a_folder_that_vanished_is_one_clear_error(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    writer = VideoWriter(folder / "o.mkv", fps=30)
    folder.rmdir()
    with pytest.raises(OutputError, match="cannot write"):
        writer.write(_picture(0))
    writer.close()


_KILLED = """
import os, sys
import numpy as np
from pathlib import Path
from realtime_vibe.outputs.record.video_writer import VideoWriter
writer = VideoWriter(Path(sys.argv[1]), fps=30)
rng = np.random.default_rng(0)
for _ in range(60):
    writer.write(rng.integers(0, 255, (240, 320, 3), dtype=np.uint8))
os._exit(9)
"""


def test_a_killed_run_leaves_a_readable_video(tmp_path: Path) -> None:
    path = tmp_path / "o.mkv"
    command = [sys.executable, "-c", _KILLED, str(path)]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 9
    assert len(_read(path)) > 40


def test_fit_into_always_has_the_wanted_size(subtests: pytest.Subtests) -> None:
    for shape in [(1, 1), (48, 64), (47, 64), (49, 65), (300, 2), (1, 900)]:
        with subtests.test(shape=shape):
            picture = np.full((*shape, 3), 90, np.uint8)
            fitted = fit_into(picture, (64, 48))
            assert fitted.shape == (48, 64, 3)
            assert fitted.max() == 90
