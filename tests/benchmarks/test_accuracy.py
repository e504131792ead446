"""Scores of the accuracy benchmark on hand-made joints."""

import numpy as np
import pytest

from benchmarks.accuracy import ClipTruth, as_table, joint_indices, load_truth, score
from realtime_vibe.body.joints import BLAZEPOSE_LANDMARK_NAMES, SMPL_JOINT_NAMES
from realtime_vibe.errors import DatasetError

NAMES = ("l_shoulder", "r_shoulder", "l_wrist", "r_ankle")


@pytest.fixture
def truth():
    joints = np.random.default_rng(0).standard_normal((30, 4, 3))
    return ClipTruth(joints=joints, names=NAMES, first_frame=0, fps=60.0)


def test_the_truth_has_no_error(truth):
    scores = score(truth.joints, truth)
    assert scores.mpjpe_mm == pytest.approx(0, abs=1e-6)
    assert scores.pa_mpjpe_mm == pytest.approx(0, abs=1e-3)
    assert scores.accel_mm == pytest.approx(0, abs=1e-6)
    assert scores.coverage == 1.0


def test_where_the_body_stands_does_not_count(truth):
    wandering = truth.joints + np.random.default_rng(1).standard_normal((30, 1, 3))
    assert score(wandering, truth).accel_mm == pytest.approx(0, abs=1e-6)


def test_missing_frames_count_in_the_coverage_only(truth):
    predicted = truth.joints.copy()
    predicted[:15] = np.nan
    scores = score(predicted, truth)
    assert scores.coverage == 0.5
    assert scores.mpjpe_mm == pytest.approx(0, abs=1e-6)


def test_nobody_found(truth):
    scores = score(np.full_like(truth.joints, np.nan), truth)
    assert scores.coverage == 0
    assert np.isnan(scores.mpjpe_mm)


def test_joint_names_of_both_bodies():
    assert [SMPL_JOINT_NAMES[i] for i in joint_indices(NAMES, SMPL_JOINT_NAMES)] == [
        "left_shoulder", "right_shoulder", "left_wrist", "right_ankle",
    ]  # fmt: skip
    assert joint_indices(NAMES, BLAZEPOSE_LANDMARK_NAMES) == [11, 12, 15, 28]
    with pytest.raises(DatasetError, match="unknown joints"):
        joint_indices(("tail",), SMPL_JOINT_NAMES)


def test_damaged_truth_is_named(tmp_path):
    (tmp_path / "truth.npz").write_bytes(b"PK\x03\x04broken")
    with pytest.raises(DatasetError, match=r"truth\.npz"):
        load_truth(tmp_path / "truth.npz")
    np.savez(tmp_path / "other.npz", joints_camera=np.zeros((1, 4, 3)))
    with pytest.raises(DatasetError, match="joint_names"):
        load_truth(tmp_path / "other.npz")


def test_the_table_has_a_mean(truth):
    by_method = {"ours": score(truth.joints, truth), "blazepose": score(truth.joints, truth)}
    assert "mean" in as_table({"clip": by_method})
