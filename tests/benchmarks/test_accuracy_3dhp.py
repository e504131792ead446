"""MPI-INF-3DHP's test set, written in its owner's layout, scored by the command line."""

import cv2
import h5py
import numpy as np
import pytest

from benchmarks.accuracy import main
from benchmarks.accuracy_3dhp import find_3dhp_clips
from benchmarks.accuracy_joints import choose_joint_set
from realtime_vibe.sources.video_file import demo_clip_path

FRAMES = 8


@pytest.fixture
def folder(tmp_path):
    """The demo clip as `TS1`: its joints are a guess, all in one row at 3 m."""
    images = tmp_path / "TS1" / "imageSequence"
    images.mkdir(parents=True)
    clip = cv2.VideoCapture(str(demo_clip_path()))
    for number in range(1, FRAMES + 1):
        assert cv2.imwrite(str(images / f"img_{number:06d}.jpg"), clip.read()[1])
    joints = np.zeros((FRAMES, 1, 17, 3))
    joints[..., 0] = np.arange(17) * 50.0
    joints[..., 2] = 3000.0
    with h5py.File(tmp_path / "TS1" / "annot_data.mat", "w", userblock_size=512) as file:
        file["annot2"], file["annot3"] = joints[..., :2], joints
        file["valid_frame"] = np.array([[0] + [1] * (FRAMES - 1)], float).T
    return tmp_path


def test_the_owners_frames_and_joints_are_scored(folder):
    (clip,) = find_3dhp_clips(folder)
    assert clip.name == "TS1"
    assert np.isnan(clip.truth.joints[0]).all()
    np.testing.assert_allclose(clip.truth.joints[1, 3], [0.15, 0, 3], atol=1e-6)
    assert [frame.index for frame in clip.open_frames()] == list(range(FRAMES))
    assert len(choose_joint_set("mpi17", clip.truth.names).joints) == 17


def test_the_command_scores_it(folder, capsys):
    assert main([str(folder), "--dataset", "mpi-inf-3dhp", "--joints", "mpi17"]) == 0
    assert "TS1" in capsys.readouterr().out


def test_a_missing_picture_ends_it(folder, capsys):
    (folder / "TS1" / "imageSequence" / "img_000003.jpg").unlink()
    assert main([str(folder), "--dataset", "mpi-inf-3dhp", "--joints", "mpi17"]) == 2
    assert "img_000003.jpg" in capsys.readouterr().err
