"""Reading clip folders: what a truth must look like, and which clips a folder has."""

import numpy as np
import pytest

from benchmarks.accuracy_clips import find_clips, load_truth, video_frames
from realtime_vibe.errors import DatasetError

POSE = {
    "global_orient": np.zeros((12, 3)),
    "body_pose": np.zeros((12, 69)),
    "betas": np.zeros(10),
}


def test_a_truth_comes_back_as_it_was_written(empty_clip):
    truth = load_truth(empty_clip / "truth.npz")
    assert truth.joints.shape == (12, 12, 3)
    assert truth.names[:2] == ("left_shoulder", "right_shoulder")
    assert (truth.first_frame, truth.fps, truth.pose) == (0, 30.0, None)


def test_pose_parameters_come_along(tmp_path, write_clip):
    images = [np.zeros((32, 32, 3), np.uint8)] * 12
    folder = write_clip(tmp_path / "posed", images, **POSE, transl=np.zeros((12, 3)))
    pose = load_truth(folder / "truth.npz").pose
    assert pose is not None
    assert (pose.global_orient.shape, pose.body_pose.shape, pose.betas.shape) == (
        (12, 3), (12, 69), (10,),
    )  # fmt: skip


def test_a_wrong_truth_is_refused_by_name(tmp_path, write_clip, subtests):
    cases = [
        ({"joints_camera": np.zeros((12, 5, 3))}, r"shape \(12, 5, 3\)"),
        ({"joints_camera": np.zeros((0, 12, 3))}, "joints_camera has shape"),
        ({"joints_camera": np.full((12, 12, 3), np.nan)}, "no frame without NaN"),
        ({"joint_names": np.array(["l_hip"] * 12)}, "a name twice"),
        ({"joint_names": np.array([f"tail{n}" for n in range(12)])}, "unknown joints tail0"),
        ({"fps": 0.0}, "fps is 0"),
        ({"fps": np.zeros(2)}, r"truth\.npz"),
        ({"first_frame": -1}, "first_frame is -1"),
        ({"betas": np.zeros(10)}, "has betas but lacks global_orient, body_pose"),
        ({**POSE, "body_pose": np.zeros((12, 63))}, r"body_pose has shape \(12, 63\)"),
        ({**POSE, "betas": np.zeros(16)}, r"betas has shape \(16,\)"),
    ]
    for number, (change, message) in enumerate(cases):
        with subtests.test(message=message, change=change):
            images = [np.zeros((32, 32, 3), np.uint8)] * 12
            folder = write_clip(tmp_path / str(number), images, **change)
            with pytest.raises(DatasetError, match=message) as caught:
                load_truth(folder / "truth.npz")
            assert "truth.npz" in str(caught.value)
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04broken", b"text"])
def test_a_damaged_truth_is_named(tmp_path, content):
    path = tmp_path / "truth.npz"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"truth\.npz: cannot be read"):
        load_truth(path)


def test_a_truth_with_pickled_objects_or_without_keys_is_refused(tmp_path):
    np.savez(tmp_path / "objects.npz", joints_camera=np.array([{}], object))
    np.savez(tmp_path / "lacks.npz", joints_camera=np.zeros((1, 4, 3)))
    with (tmp_path / "single.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    for name, message in (
        ("objects", "cannot be read"),
        ("lacks", "lacks joint_names, first_frame, fps"),
        ("single", "cannot be read"),
        ("absent", "cannot be read"),
    ):
        with pytest.raises(DatasetError, match=message):
            load_truth(tmp_path / f"{name}.npz")


def test_clips_are_found_by_name_and_one_folder_is_enough(empty_clip, write_clip):
    write_clip(empty_clip.parent / "another", [np.zeros((32, 32, 3), np.uint8)] * 2)
    assert [clip.name for clip in find_clips(empty_clip.parent)] == ["another", "empty"]
    assert [clip.name for clip in find_clips(empty_clip)] == ["empty"]


def test_folders_without_clips_and_half_clips_are_refused(tmp_path, empty_clip):
    with pytest.raises(DatasetError, match="no folder at"):
        find_clips(tmp_path / "absent")
    (tmp_path / "bare" / "sub").mkdir(parents=True)
    with pytest.raises(DatasetError, match="no clips in"):
        find_clips(tmp_path / "bare")
    (empty_clip / "truth.npz").unlink()
    with pytest.raises(DatasetError, match=r"has no truth\.npz"):
        find_clips(empty_clip.parent)


def test_frames_can_be_started_over_and_carry_their_times(empty_clip):
    (clip,) = find_clips(empty_clip)
    for _ in range(2):
        frames = list(clip.open_frames())
        assert [frame.index for frame in frames] == list(range(12))
        assert frames[6].captured_at_s == pytest.approx(0.2)


def test_what_is_no_video_is_refused(tmp_path):
    (tmp_path / "video.mp4").write_bytes(b"no video")
    with pytest.raises(DatasetError, match="cannot be opened as a video"):
        list(video_frames(tmp_path / "video.mp4", 30.0))
