"""Joint speeds of still people: exact on made tracks; held pictures; the command and its refusals."""

import json

import cv2
import numpy as np
import pytest

from benchmarks import stillness
from benchmarks.still_frames import find_sources, first_picture, held_still
from benchmarks.stillness import joint_speed, main
from realtime_vibe.app.settings import DEFAULT_SMOOTH
from realtime_vibe.errors import DatasetError


def test_speed_is_way_over_time():
    times_s = np.array([0.0, 0.1, 0.3])
    joints = np.zeros((3, 2, 3))
    joints[1, 0] = [0.003, 0.004, 0]  # 5 mm in 0.1 s, and back in 0.2 s; the other joint rests
    speed = joint_speed(joints, times_s)
    assert speed.mean_mm_s == pytest.approx((50 + 25) / 4)
    assert speed.p95_mm_s == pytest.approx(np.percentile([50, 25, 0, 0], 95))


def test_pairs_with_a_lost_frame_do_not_count():
    joints = np.zeros((5, 1, 3))
    joints[:, 0, 0] = [0, 0.001, np.nan, 7, 7.001]
    assert joint_speed(joints, np.arange(5.0)).mean_mm_s == pytest.approx(1.0)
    assert np.isnan(joint_speed(np.full((3, 1, 3), np.nan), np.arange(3.0)).mean_mm_s)


def test_a_held_picture_is_the_same_but_for_noise():
    rng = np.random.default_rng(0)
    image = cv2.GaussianBlur(rng.integers(0, 255, (90, 120, 3)).astype(np.uint8), (0, 0), 4)
    frames = np.stack(list(held_still(image, 2.0)))
    assert frames.shape == (60, 90, 120, 3)
    noise = frames.astype(float).std(axis=0)
    assert 0.5 < np.median(noise) < 4
    assert np.abs(frames.mean(axis=0) - image).mean() < 2
    again = np.stack(list(held_still(image, 2.0)))
    np.testing.assert_array_equal(frames, again)


def test_sources_are_a_video_or_the_clips_of_a_folder(empty_clip, tmp_path):
    (video,) = find_sources(empty_clip / "video.mp4")
    assert not video.held
    assert len(list(video.frames(99.0))) == 12
    (clip,) = find_sources(empty_clip.parent)
    assert clip.held
    assert clip.name == "empty"
    assert len(list(clip.frames(1.0))) == 30
    with pytest.raises(DatasetError, match="no video at"):
        find_sources(tmp_path / "absent")


def test_large_pictures_are_scaled_down_and_small_ones_are_not(tmp_path, write_clip):
    large = write_clip(tmp_path / "large", [np.zeros((1080, 1920, 3), np.uint8)])
    small = write_clip(tmp_path / "small", [np.zeros((48, 64, 3), np.uint8)])
    assert first_picture(large / "video.mp4").shape == (540, 960, 3)
    assert first_picture(small / "video.mp4").shape == (48, 64, 3)


@pytest.fixture
def short_warmup(monkeypatch):
    """Pictures need to be held for less than a second."""
    monkeypatch.setattr(stillness, "WARMUP_S", 0.5)


def test_a_held_person_is_measured_raw_and_smoothed(person_clip, tmp_path, capsys, short_warmup):
    path = tmp_path / "still.json"
    assert main([str(person_clip), "--seconds", "0.7", "--json", str(path)]) == 0
    assert "goal for placed: 15" in capsys.readouterr().out
    raw, smoothed = json.loads(path.read_text())["runs"]
    assert (raw["smooth"], smoothed["smooth"]) == (0.0, DEFAULT_SMOOTH)
    assert 0 < smoothed["placed"]["mean_mm_s"] < raw["placed"]["mean_mm_s"]
    assert smoothed["blazepose"] == raw["blazepose"]
    assert raw["placed"]["mean_mm_s"] < raw["placed"]["p95_mm_s"]
    assert raw["coverage"] == 1.0


def test_every_refusal_is_one_line(empty_clip, capsys, subtests, short_warmup):
    for arguments, message in [
        (["absent"], "no video at"),
        (["CLIP/video.mp4"], "expected more than the first 0.5 s"),
        (["CLIP", "--seconds", "0.6"], "nobody was found"),
        (["CLIP", "--seconds", "0.5"], "seconds is 0.5"),
        (["CLIP", "--smooth", "2"], "smooth is 2"),
        (["CLIP", "--engine", "absent"], "no engine"),
        (["CLIP/truth.npz"], "cannot be read as a video"),
    ]:
        with subtests.test(message=message, arguments=arguments):
            code = main([argument.replace("CLIP", str(empty_clip)) for argument in arguments])
            error = capsys.readouterr().err
            assert code == 2
            assert message in error
            assert error.count("\n") == 1
