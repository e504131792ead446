"""Covers what a run without a display leaves to look at."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from realtime_vibe.app.run import run
from realtime_vibe.app.settings import LiveConfig
from realtime_vibe.app.view_files import VIDEO_S, ViewFiles
from realtime_vibe.errors import OutputError
from realtime_vibe.packets import Frame, FrameResult


class Film:
    """Keeps the times of what was written."""

    def __init__(self) -> None:
        self.times_s: list[float] = []
        self.closed = 0

    def write(self, result: FrameResult) -> None:
        self.times_s.append(result.frame.captured_at_s)

    def close(self) -> None:
        self.closed += 1


def result_at(time_s: float, *people) -> FrameResult:
    frame = Frame(
        image_bgr=np.zeros((4, 4, 3), np.uint8), index=0, captured_at_s=time_s, grabbed_at_s=0.0
    )
    return FrameResult(frame=frame, people=people, stage_ms={}, focal_px=1.0)


def test_the_video_is_short_and_the_picture_shows_the_last_person(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    film, pictures = Film(), []
    files = ViewFiles(lambda _: film, lambda path, result: pictures.append((path, result)))
    somebody = object()
    for time_s in np.arange(5.0, 5.0 + 2 * VIDEO_S):
        people = (somebody,) if time_s < 30 else ()
        files.write(replace(result_at(time_s), people=people))
    files.close()
    files.close()
    assert film.times_s == list(np.arange(5.0, 6.0 + VIDEO_S))
    assert film.closed == 1
    ((path, shown),) = pictures
    assert path == files.picture
    assert shown.frame.captured_at_s == 29.0


def test_a_folder_that_cannot_be_written_is_refused_before_anything_starts(monkeypatch):
    def refuse(path, **_):
        raise OutputError(f"{path}: no")

    monkeypatch.setattr("realtime_vibe.app.view_files.check_output_path", refuse)
    with pytest.raises(OutputError, match=r"--view files: .*--view none"):
        ViewFiles(lambda _: Film(), lambda *_: None)


def test_both_files_are_there_after_a_run(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    caplog.set_level("INFO")
    assert run(LiveConfig(source="synthetic", view="files", max_frames=8)) == 0
    video, picture = sorted(Path().glob("view-*"))
    for path in (video, picture):
        assert path.name in caplog.text
    assert cv2.imread(str(picture)).shape[0] == 480
    frames = cv2.VideoCapture(str(video))
    assert frames.read()[0]
