"""Videos with 2D keypoints only, ours and others': read alike, damage and missing partners named."""

import numpy as np
import pytest

from realtime_vibe.errors import DatasetError
from realtime_vibe.training.datasets.keypoint_video import (
    load_keypoint_video,
    load_keypoint_videos,
    stored_arrays,
)

FRAMES = 8


def _others(frames=FRAMES, **changes):
    rng = np.random.default_rng(0)
    keypoints = np.concatenate(
        [rng.uniform(0, 400, (frames, 33, 2)), rng.uniform(0.1, 1, (frames, 33, 1))], -1
    )
    content = {"keypoints": keypoints, "fps": 25.0, "size": np.array([640, 480]), **changes}
    return {key: value for key, value in content.items() if value is not None}


def _ours(rows=FRAMES, **changes):
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


def test_keypoints_of_others_become_one_track(tmp_path):
    content = _others()
    content["keypoints"][3, :, 2] = 0.0  # nobody seen
    content["keypoints"][4, 0] = [-900, -900, 0]  # one point not seen
    path = _write(tmp_path / "walk.npz", content)
    (tmp_path / "walk.MP4").touch()
    with pytest.raises(DatasetError, match=r"walk\.npz: no video walk\.mp4"):
        load_keypoint_video(path)
    (tmp_path / "walk.mp4").touch()
    video = load_keypoint_video(path)
    assert (video.name, video.size, video.fps, video.world_m) == ("walk", (640, 480), 25.0, None)
    np.testing.assert_allclose(video.keypoints, content["keypoints"], rtol=1e-6)
    np.testing.assert_allclose(video.dt_s, [0, *[0.04] * (FRAMES - 1)], rtol=1e-6)
    np.testing.assert_array_equal(video.tracks()[0], np.arange(FRAMES))
    np.testing.assert_array_equal(video.bbox_xyxy[3], np.zeros(4))
    seen = content["keypoints"][4, 1:, :2]
    np.testing.assert_allclose(video.bbox_xyxy[4], [*seen.min(0), *seen.max(0)], rtol=1e-6)
    assert video.presence[3] == 0


def test_our_labels_come_back_as_they_were_stored(tmp_path):
    content = _ours()
    video = load_keypoint_video(_write(tmp_path / "a.npz", content))
    for key, array in stored_arrays(video).items():
        np.testing.assert_allclose(array, content[key], rtol=1e-6)
    assert [rows.tolist() for rows in video.tracks()] == [[0, 1, 2, 3, 4], [5, 6, 7]]
    np.testing.assert_allclose(video.keypoints[..., 2], content["visibility"], rtol=1e-6)
    again = load_keypoint_video(_write(tmp_path / "b.npz", stored_arrays(video)))
    np.testing.assert_array_equal(again.world_m, video.world_m)


def test_a_video_without_people_is_no_error(tmp_path):
    video = load_keypoint_video(_write(tmp_path / "a.npz", _ours(rows=0)))
    assert video.keypoints.shape == (0, 33, 3)
    assert video.tracks() == ()


def test_a_wrong_file_is_named(tmp_path, subtests):
    for content, message in [
        ({"poses": np.zeros(3)}, r"arrays \['poses'\], expected image_px"),
        (_ours(world_m=None), "no world_m; label the video again"),
        (
            _ours(image_px=np.zeros((3, 33, 3))),
            r"image_px has shape \(3, 33, 3\), expected \(8, 33, 3\)",
        ),
        (_ours(visibility=np.zeros((FRAMES, 33, 1))), r"visibility is float64 \(8, 33, 1\)"),
        (
            _ours(world_m=np.full((FRAMES, 33, 3), np.nan)),
            "world_m holds values that are not finite",
        ),
        (_ours(size=np.array([640])), "size .*640.*, expected width and height"),
        (_ours(fps=-1.0), "fps -1.0"),
        (_others(fps=None), "no fps, expected keypoints, size and fps"),
        (_others(fps=0.0), "fps 0.0, expected frames per second"),
        (_others(keypoints=np.zeros((4, 17, 3))), r"keypoints \(4, 17, 3\), expected \(N, 33, 3\)"),
        (_others(keypoints=np.array("text")), "keypoints is <U4"),
        (_others(keypoints=np.array([{}], object)), "cannot be read"),
    ]:
        with subtests.test(message=message, content=content):
            path = _write(tmp_path / "bad.npz", content)
            (tmp_path / "bad.mp4").touch()
            with pytest.raises(DatasetError, match=rf"bad\.npz: .*{message}"):
                load_keypoint_video(path)


def test_a_folder_holds_both_kinds_and_bad_ones_are_skipped(tmp_path):
    _write(tmp_path / "ours" / "a.npz", _ours())
    _write(tmp_path / "theirs" / "b.npz", _others())
    (tmp_path / "theirs" / "b.mov").touch()
    assert [video.name for video in load_keypoint_videos(tmp_path).videos] == ["a", "b"]
    cut = _write(tmp_path / "theirs" / "c.npz", _others())
    cut.write_bytes(cut.read_bytes()[:700])
    bare = tmp_path / "theirs" / "d.mp4"
    bare.touch()
    with pytest.raises(DatasetError, match=r"c\.npz: cannot be read"):
        load_keypoint_videos(tmp_path)
    found = load_keypoint_videos(tmp_path, skip_bad=True)
    assert [video.name for video in found.videos] == ["a", "b"]
    assert [skipped.path for skipped in found.skipped] == [cut, bare]
    assert "label_videos" in found.skipped[1].reason


def test_an_empty_folder_is_said(tmp_path):
    with pytest.raises(DatasetError, match="no labelled videos"):
        load_keypoint_videos(tmp_path)
    with pytest.raises(DatasetError, match="no folder"):
        load_keypoint_videos(tmp_path / "none")


def test_others_labels_are_not_stored_as_ours(tmp_path):
    path = _write(tmp_path / "a.npz", _others())
    (tmp_path / "a.mp4").touch()
    with pytest.raises(DatasetError, match="a: no world_m"):
        stored_arrays(load_keypoint_video(path))
