"""Scores of hand-made runs: exact, blind to where the body stands, honest about lost frames."""

import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.accuracy_joints import choose_joint_set
from benchmarks.accuracy_run import ClipRun
from benchmarks.accuracy_scores import (
    accel_stride,
    gain_percent,
    mean_scores,
    score_clip,
    score_method,
)
from realtime_vibe.body.joints import SMPL_JOINT_NAMES

COMMON = choose_joint_set("common", SMPL_JOINT_NAMES)
SMPL24 = choose_joint_set("smpl24", SMPL_JOINT_NAMES)


@pytest.fixture
def truth():
    return np.random.default_rng(0).standard_normal((30, 12, 3))


def test_the_truth_has_no_error(truth):
    scores = score_method(truth, truth, COMMON, 60.0).scores
    assert scores.mpjpe_mm == pytest.approx(0, abs=1e-6)
    assert scores.pa_mpjpe_mm == pytest.approx(0, abs=1e-3)
    assert scores.accel_mm == pytest.approx(0, abs=1e-6)
    assert scores.pck_percent == 100
    assert scores.auc_percent == pytest.approx(100 * 30 / 31)
    assert scores.coverage == 1.0
    assert math.isnan(scores.pve_mm)


def test_where_the_body_stands_does_not_count(truth):
    wandering = truth + np.random.default_rng(1).standard_normal((30, 1, 3))
    scores = score_method(wandering, truth, COMMON, 60.0).scores
    assert scores.accel_mm == pytest.approx(0, abs=1e-6)
    assert scores.mpjpe_mm == pytest.approx(0, abs=1e-6)


def test_one_joint_off_shows_in_its_own_bar_and_in_the_mean():
    truth = np.random.default_rng(0).standard_normal((10, 24, 3))
    predicted = truth.copy()
    wrist = SMPL_JOINT_NAMES.index("left_wrist")
    predicted[:, wrist, 0] += 0.24  # the root is the pelvis alone, which is right
    result = score_method(predicted, truth, SMPL24, 30.0)
    assert result.joint_mm[wrist] == pytest.approx(240)
    assert np.delete(result.joint_mm, wrist).max() == pytest.approx(0, abs=1e-9)
    assert result.scores.mpjpe_mm == pytest.approx(10)
    assert result.scores.pck_percent == pytest.approx(100 * 23 / 24)
    # The alignment spreads the error over all joints.
    assert result.aligned_joint_mm.min() > 1
    assert result.aligned_joint_mm.max() == result.aligned_joint_mm[wrist] < 240


def test_a_root_that_is_not_scored_counts_as_root_only():
    h36m14 = choose_joint_set("h36m14", SMPL_JOINT_NAMES)
    truth = np.random.default_rng(0).standard_normal((10, 15, 3))
    predicted = truth.copy()
    predicted[:, -1, 1] += 0.1
    result = score_method(predicted, truth, h36m14, 30.0)
    np.testing.assert_allclose(result.joint_mm, 100)
    assert result.joint_mm.shape == (14,)
    assert result.scores.pa_mpjpe_mm == pytest.approx(0, abs=1e-3)


def test_lost_frames_count_in_the_coverage_only(truth):
    predicted = truth.copy()
    predicted[:15] = np.nan
    scores = score_method(predicted, truth, COMMON, 60.0).scores
    assert scores.coverage == 0.5
    assert scores.mpjpe_mm == pytest.approx(0, abs=1e-6)


def test_frames_of_unknown_truth_count_nowhere(truth):
    predicted = truth.copy()
    predicted[:6] = np.nan
    unknown = truth.copy()
    unknown[:10, 0] = np.nan
    result = score_method(predicted, unknown, COMMON, 30.0)
    assert result.scores.coverage == 1.0
    run = ClipRun(truth=unknown, ours=predicted, blazepose=None, vertex_errors_m=None)
    assert score_clip("x", run, COMMON, 30.0).num_frames == 20


def test_nobody_found(truth):
    result = score_method(np.full_like(truth, np.nan), truth, COMMON, 60.0)
    assert result.scores.coverage == 0
    assert math.isnan(result.scores.mpjpe_mm)
    assert np.isnan(result.joint_mm).all()


def test_two_found_frames_have_no_acceleration(truth):
    assert math.isnan(score_method(truth[:2], truth[:2], COMMON, 30.0).scores.accel_mm)


def test_accel_is_taken_at_about_30_frames_a_second(subtests):
    for fps, stride in [(12, 1), (25, 1), (30, 1), (44, 1), (50, 2), (60, 2), (120, 4)]:
        with subtests.test(stride=stride, fps=fps):
            assert accel_stride(fps) == stride


@pytest.mark.parametrize("fps", [30.0, 60.0])
def test_the_same_fall_has_the_same_accel_at_both_rates(fps):
    times_s = np.arange(30) / fps
    truth = np.zeros((30, 12, 3))
    truth[0, 0] = 1e-9
    predicted = truth.copy()
    # Joint 0 falls at 9 m/s^2: 10 mm/frame^2 at 30 fps; its twelfth moves the root of all.
    predicted[:, 0, 1] = 0.5 * 9.0 * times_s**2
    scores = score_method(predicted, truth, COMMON, fps).scores
    about_root = (10 * 11 / 12 + 11 * 10 / 12) / 12
    assert scores.accel_mm == pytest.approx(about_root, rel=1e-6)


def test_vertices_are_averaged_over_found_frames(truth):
    predicted = truth.copy()
    predicted[0] = np.nan
    vertex_errors = np.full(30, 0.05)
    vertex_errors[0] = np.nan
    scores = score_method(predicted, truth, COMMON, 30.0, vertex_errors).scores
    assert scores.pve_mm == pytest.approx(50)


def test_gains_are_positive_when_ours_is_better(truth):
    ours = score_method(truth, truth, COMMON, 30.0).scores
    ours = replace(ours, mpjpe_mm=60.0, pck_percent=90.0, pve_mm=float("nan"))
    theirs = replace(ours, mpjpe_mm=80.0, pck_percent=60.0)
    assert gain_percent(ours, theirs, "mpjpe_mm") == pytest.approx(25)
    assert gain_percent(theirs, ours, "mpjpe_mm") == pytest.approx(-100 / 3)
    assert gain_percent(ours, theirs, "pck_percent") == pytest.approx(50)
    assert math.isnan(gain_percent(ours, theirs, "pve_mm"))
    assert math.isnan(gain_percent(ours, replace(theirs, mpjpe_mm=0.0), "mpjpe_mm"))


def test_a_mean_over_a_clip_without_a_score_is_not_known(truth):
    found = score_method(truth, truth, COMMON, 30.0)
    lost = score_method(np.full_like(truth, np.nan), truth, COMMON, 30.0)
    mean = mean_scores([found, lost])
    assert math.isnan(mean.mpjpe_mm)
    assert mean.coverage == 0.5


def test_in_a_mean_over_frames_longer_clips_and_those_found_count_more(truth):
    method = score_method(truth, truth, COMMON, 30.0)
    clips = [
        replace(method, scores=replace(method.scores, mpjpe_mm=mpjpe_mm, coverage=coverage))
        for mpjpe_mm, coverage in ((50.0, 1.0), (80.0, 0.5), (math.nan, 0.0))
    ]
    mean = mean_scores(clips, [100, 400, 500])
    assert mean.mpjpe_mm == pytest.approx((100 * 50 + 200 * 80) / 300)
    assert mean.coverage == pytest.approx(0.3)
