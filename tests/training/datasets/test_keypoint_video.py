"""Labelled videos: read as they were stored, damage named or skipped."""

import numpy as np
import pytest

from realtime_vibe.errors import DatasetError
from realtime_vibe.training.datasets.keypoint_video import load_keypoint_video, load_keypoint_videos

FRAMES = 8


def _labels(rows=FRAMES, **changes):
    rng = np.random.default_rng(1)
    content = {
        "frame_index": np.arange(rows),
        "time_s": np.arange(rows) / 30,
        "dt_s": np.full(rows, 1 / 30),
        "track_id": np.arange(rows) // 5,
        "bbox_xyxy": rng.uniform(0, 400, (rows, 4)),
        "image_px": rng.uniform(0, 400, (rows, 33, 3)),
        "world_m": rng.normal(size=(rows, 33, 3)),
        "visibility": rng.uniform(0, 1, (rows, 33)),
        "presence": np.ones(rows),
        "size": np.array([640, 480]),
        "fps": 30.0,
        **changes,
    }
    return {key: value for key, value in content.items() if value is not None}


def _write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **content)
    return path


def test_labels_come_back_as_they_were_stored(tmp_path):
    for rows in (FRAMES, 0):
        content = _labels(rows)
        video = load_keypoint_video(_write(tmp_path / "a.npz", content))
        assert video.keys() == content.keys()
        for key, array in video.items():
            np.testing.assert_allclose(array, content[key], rtol=1e-6)


def test_a_wrong_file_is_named(tmp_path, subtests):
    for content, message in [
        ({"poses": np.zeros(3)}, "it lacks frame_index.*label the video again"),
        (_labels(world_m=None), "it lacks world_m.*label the video again"),
        (_labels(image_px=np.zeros((3, 33, 3))), r"image_px is .* \(3, 33, 3\), .*\(8, 33, 3\)"),
        (_labels(visibility=np.zeros((8, 33, 1))), r"visibility is float64 \(8, 33, 1\)"),
        (_labels(world_m=np.full((8, 33, 3), np.nan)), "world_m holds values that are not finite"),
        (_labels(size=np.array([640])), r"size is .*\(1,\), expected numbers \(2,\)"),
        (_labels(size=np.array([640, 0])), "size .*640, 0.*, expected width and height"),
        (_labels(fps=np.array("text")), "fps is <U4"),
        (_labels(fps=np.array(-1.0)), "fps -1.0, expected at most 1000"),
        (_labels(track_id=np.array([{}], object)), "track_id holds pickled objects"),
    ]:
        with subtests.test(message=message):
            path = _write(tmp_path / "bad.npz", content)
            with pytest.raises(DatasetError, match=rf"bad\.npz: .*{message}"):
                load_keypoint_video(path)


def test_a_folder_is_read_at_any_depth_and_bad_files_are_skipped(tmp_path, caplog):
    for name in ("deep/a", "b"):
        _write(tmp_path / f"{name}.npz", _labels())
    assert len(load_keypoint_videos(tmp_path)) == 2
    cut = _write(tmp_path / "c.npz", _labels())
    cut.write_bytes(cut.read_bytes()[:700])
    with pytest.raises(DatasetError, match=r"c\.npz: cannot be read"):
        load_keypoint_videos(tmp_path)
    assert len(load_keypoint_videos(tmp_path, skip_bad=True)) == 2
    assert "c.npz" in caplog.text


def test_an_empty_folder_is_said(tmp_path):
    with pytest.raises(DatasetError, match=r"no labelled videos .*label_videos"):
        load_keypoint_videos(tmp_path)
    with pytest.raises(DatasetError, match="no folder"):
        load_keypoint_videos(tmp_path / "none")
