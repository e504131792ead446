"""Labelling videos: every frame is looked at, files are whole or absent, finished ones stay."""

import cv2
import numpy as np
import pytest

from realtime_vibe.errors import DatasetError, OutputError, SourceError
from realtime_vibe.packets import PoseLandmarks, TrackedPerson
from realtime_vibe.training.datasets.keypoint_video import load_keypoint_video, load_keypoint_videos
from realtime_vibe.training.samples.label_videos import label_folder, label_video, main


class OddFrames:
    """A tracker that sees a person in odd frames; landmarks carry the picture's brightness."""

    saw_cut = False

    def __init__(self):
        self.videos = 0
        self.failure = None

    def update(self, frame):
        if self.failure is not None:
            raise self.failure
        if frame.index % 2 == 0:
            return ()
        value = np.float32(frame.image_bgr.mean())
        landmarks = PoseLandmarks(
            image_px=np.full((33, 3), value, np.float32),
            world_m=np.full((33, 3), 0.5, np.float32),
            visibility=np.full(33, 0.75, np.float32),
            presence=0.9,
        )
        box = np.array([1, 2, 3, 4], np.float32)
        return (
            TrackedPerson(
                track_id=self.videos, bbox_xyxy=box, score=0.9, dt_s=0.1, landmarks=landmarks
            ),
        )

    def reset(self):
        self.videos += 1

    def close(self):
        pass


def _write_video(path, images, fps=20.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = images[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, (width, height))
    for image in images:
        writer.write(image)
    writer.release()
    return path


def _grey(count=6):
    return [np.full((48, 64, 3), 20 * index, np.uint8) for index in range(count)]


def test_every_frame_is_looked_at(tmp_path):
    video = label_video(_write_video(tmp_path / "a.avi", _grey()), OddFrames())
    assert (video["size"].tolist(), video["fps"]) == ([64, 48], 20.0)
    np.testing.assert_array_equal(video["frame_index"], [1, 3, 5])
    np.testing.assert_allclose(video["time_s"], [0.05, 0.15, 0.25], atol=1e-3)
    np.testing.assert_allclose(video["image_px"][:, 0, 0], [20, 60, 100], atol=2)
    np.testing.assert_allclose(video["visibility"], 0.75)
    np.testing.assert_allclose(video["bbox_xyxy"], [[1, 2, 3, 4]] * 3)


def test_the_tree_is_repeated_and_finished_files_stay(tmp_path):
    tracker, out = OddFrames(), tmp_path / "labels"
    first = _write_video(tmp_path / "in" / "a.avi", _grey())
    second = _write_video(tmp_path / "in" / "deep" / "b.avi", _grey(1))
    report = label_folder(first.parent, out, tracker)
    assert report.labelled == (out / "a.npz", out / "deep" / "b.npz")
    stored = load_keypoint_video(out / "a.npz")
    fresh = label_video(first, tracker)
    np.testing.assert_array_equal(stored["image_px"], fresh["image_px"])
    assert stored["world_m"].shape == (3, 33, 3)
    assert load_keypoint_video(out / "deep" / "b.npz")["image_px"].shape == (0, 33, 3)

    before = (out / "a.npz").stat().st_mtime_ns
    (out / "deep" / "b.npz").unlink()
    report = label_folder(first.parent, out, tracker)
    assert report.labelled == (out / "deep" / "b.npz",)
    assert report.finished == (out / "a.npz",)
    assert (out / "a.npz").stat().st_mtime_ns == before
    assert second.exists()


def test_what_ends_the_job_leaves_no_half_file(tmp_path):
    tracker, out = OddFrames(), tmp_path / "labels"
    _write_video(tmp_path / "in" / "a.avi", _grey())
    tracker.failure = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        label_folder(tmp_path / "in", out, tracker)
    assert not list(tmp_path.glob("labels/**/*"))
    # A disk that cannot be written to is no bad video: nothing is skipped for it.
    tracker.failure = OutputError("disk full")
    with pytest.raises(OutputError):
        label_folder(tmp_path / "in", out, tracker, skip_bad=True)


def test_a_bad_video_is_named_or_skipped(tmp_path):
    tracker, out = OddFrames(), tmp_path / "labels"
    _write_video(tmp_path / "in" / "b.avi", _grey())
    bad = tmp_path / "in" / "a.mp4"
    bad.write_bytes(b"\x00" * 100)
    with pytest.raises(SourceError, match=r"a\.mp4: cannot be opened as a video"):
        label_folder(tmp_path / "in", out, tracker)
    report = label_folder(tmp_path / "in", out, tracker, skip_bad=True)
    assert report.labelled == (out / "b.npz",)
    assert [reason.partition(": ")[0] for reason in report.skipped] == [str(bad)]


def test_two_videos_of_one_name_and_none_at_all_are_said(tmp_path):
    with pytest.raises(DatasetError, match="no videos in"):
        label_folder(tmp_path, tmp_path, OddFrames())
    for suffix in (".avi", ".mkv"):
        (tmp_path / f"a{suffix}").touch()
    with pytest.raises(DatasetError, match=r"a\.mkv: another video has this name"):
        label_folder(tmp_path, tmp_path, OddFrames())


def test_the_command_ends_with_one_line_and_two(tmp_path, capsys):
    assert main([str(tmp_path), "--out", str(tmp_path / "labels")]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "no videos in" in err


def test_the_command_labels_a_real_video(tmp_path, shared_data, capsys):
    reader = cv2.VideoCapture(str(shared_data / "video" / "tfjs_pose_squats.mp4"))
    images = [reader.read()[1] for _ in range(8)]
    reader.release()
    _write_video(tmp_path / "in" / "squats.avi", images, fps=5.0)
    words = [str(tmp_path / "in"), "--out", str(tmp_path / "labels")]
    assert main(words) == 0
    assert "1 videos labelled, 0 were already, 0 skipped" in capsys.readouterr().out
    (video,) = load_keypoint_videos(tmp_path / "labels")
    assert len(video["frame_index"]) >= 6
    assert tuple(video["size"]) == images[0].shape[1::-1]
    points = video["image_px"][..., :2]
    inside = (points > 0) & (points < video["size"])
    assert inside.mean() > 0.9
    nose, hips = points[:, 0, 1], points[:, 23:25, 1].mean(1)
    assert (nose < hips).all()  # y points down
    assert main(words) == 0
    assert "0 videos labelled, 1 were already" in capsys.readouterr().out
