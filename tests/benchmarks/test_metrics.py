"""Pose errors: exact on hand-made cases."""

import numpy as np
import pytest

from benchmarks.metrics import (
    AUC_THRESHOLDS_M,
    accel_error,
    aligned_joint_errors,
    auc,
    joint_errors,
    pck,
    pve,
    similarity_aligned,
)
from realtime_vibe.geometry.rotation import rotmat_from_axis_angle


def mpjpe(predicted, truth, root=None):
    return joint_errors(predicted, truth, root).mean(axis=-1)


def pa_mpjpe(predicted, truth):
    return aligned_joint_errors(predicted, truth).mean(axis=-1)


@pytest.fixture
def pose():
    return np.random.default_rng(0).standard_normal((5, 12, 3))


def test_equal_poses_have_no_error(pose):
    assert mpjpe(pose, pose).max() == pytest.approx(0, abs=1e-12)
    assert pa_mpjpe(pose, pose).max() == pytest.approx(0, abs=1e-6)
    assert accel_error(pose, pose).max() == 0


def test_a_similarity_transform_has_no_aligned_error(pose, subtests):
    for axis_angle in [(0.0, 0.0, 0.0), (0.4, -1.2, 2.0), (0.0, np.pi, 0.0)]:
        for scale in [0.1, 1.0, 1.7]:
            with subtests.test(scale=scale, axis_angle=axis_angle):
                turn = rotmat_from_axis_angle(np.array(axis_angle))
                moved = scale * pose @ turn.T + np.array([1.0, 2.0, 3.0])
                assert pa_mpjpe(moved, pose).max() < 1e-9
                np.testing.assert_allclose(similarity_aligned(moved, pose), pose, atol=1e-9)


def test_a_turned_pose_has_an_error_before_alignment(pose):
    turned = pose @ rotmat_from_axis_angle(np.array([0.4, -1.2, 2.0])).T
    assert mpjpe(turned, pose).min() > 0.5


def test_a_mirror_image_is_not_a_similarity(pose):
    assert pa_mpjpe(pose * [-1, 1, 1], pose).min() > 0.1


def test_alignment_never_makes_the_squared_error_larger(pose):
    noisy = pose + 0.1 * np.random.default_rng(1).standard_normal(pose.shape)
    before = (joint_errors(noisy, pose) ** 2).sum(axis=1)
    after = (aligned_joint_errors(noisy, pose) ** 2).sum(axis=1)
    assert (after <= before + 1e-12).all()


def test_a_pose_of_one_point_ends_on_the_middle_of_the_truth(pose):
    aligned = similarity_aligned(np.ones_like(pose), pose)
    np.testing.assert_allclose(aligned, np.broadcast_to(pose.mean(1, keepdims=True), pose.shape))


def test_translation_does_not_count(pose):
    assert mpjpe(pose + 5.0, pose).max() < 1e-12


def test_one_joint_off_by_a_known_way(pose):
    shifted = pose.copy()
    shifted[:, 0] += [0.0, 0.0, 0.12]
    # About joint 1, which is right: only joint 0 is off, by 120 mm, one in twelve.
    root = np.eye(12)[1]
    expected = np.zeros((5, 12))
    expected[:, 0] = 0.12
    np.testing.assert_allclose(joint_errors(shifted, pose, root), expected, atol=1e-12)
    np.testing.assert_allclose(mpjpe(shifted, pose, root), 0.01, atol=1e-12)
    # About joint 0 itself: the other eleven are off.
    np.testing.assert_allclose(mpjpe(shifted, pose, np.eye(12)[0]), 0.11, atol=1e-12)
    # About the middle of all, which moved by 10 mm: one 110 mm off, eleven 10 mm.
    np.testing.assert_allclose(mpjpe(shifted, pose), (0.11 + 11 * 0.01) / 12, atol=1e-12)


def test_vertices_are_compared_about_their_roots():
    truth = np.random.default_rng(0).standard_normal((2, 50, 3))
    predicted = truth + np.array([0.3, -0.4, 0.0])
    root = truth[:, 0]
    assert pve(predicted, truth, predicted[:, 0], root).max() == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(pve(predicted, truth, root, root), 0.5)  # 3-4-5 triangle


def test_accel_is_the_second_difference():
    truth = np.zeros((4, 1, 3))
    predicted = truth.copy()
    predicted[:, 0, 0] = [0.0, 0.0, 1.0, 0.0]
    np.testing.assert_allclose(accel_error(predicted, truth), [1.0, 2.0])


def test_accel_of_a_parabola_is_its_acceleration_and_of_a_line_none():
    frames = np.arange(6.0)[:, None, None]
    fall = 0.5 * 0.2 * frames**2 * np.array([0.0, 1.0, 0.0])
    line = 0.7 * frames * np.ones((1, 3, 3))
    still = np.zeros((6, 3, 3))
    np.testing.assert_allclose(accel_error(fall + still, still), 0.2)
    np.testing.assert_allclose(accel_error(line, still), 0, atol=1e-12)
    # Both fall: what counts is the difference, not the acceleration.
    np.testing.assert_allclose(accel_error(fall + line, fall + still), 0, atol=1e-12)


def test_too_few_frames_have_no_acceleration(subtests):
    for num_frames in [0, 1, 2]:
        with subtests.test(num_frames=num_frames):
            still = np.zeros((num_frames, 3, 3))
            assert accel_error(still, still).shape == (0,)


def test_pck_counts_what_is_below_the_threshold():
    errors = np.array([[0.0, 0.149], [0.150, 0.2]])
    assert pck(errors) == 0.5
    assert pck(errors, 0.16) == 0.75
    assert pck(np.full((3, 2), 0.1)) == 1.0


def test_auc_is_the_mean_over_31_thresholds():
    assert len(AUC_THRESHOLDS_M) == 31
    assert AUC_THRESHOLDS_M[-1] == 0.150
    assert auc(np.zeros(4)) == pytest.approx(30 / 31)
    assert auc(np.full(4, 0.2)) == 0
    # 72 mm is below 75, 80, .. 150: sixteen thresholds.
    assert auc(np.full(4, 0.072)) == pytest.approx(16 / 31)


def test_a_lost_frame_is_nan_and_leaves_the_others_alone(pose):
    lost = pose + 0.1 * np.random.default_rng(1).standard_normal(pose.shape)
    whole = pa_mpjpe(lost, pose), mpjpe(lost, pose)
    lost[2, 3] = np.nan
    for with_gap, without in zip((pa_mpjpe(lost, pose), mpjpe(lost, pose)), whole, strict=True):
        assert np.isnan(with_gap[2])
        kept = [0, 1, 3, 4]
        np.testing.assert_allclose(with_gap[kept], without[kept])
    assert np.isnan(accel_error(lost, pose)).all()  # five frames: each triple has frame 2
    assert np.isnan(pa_mpjpe(pose, np.full_like(pose, np.nan))).all()


def test_pck_and_auc_skip_what_is_not_known():
    assert pck(np.array([0.1, 0.2, np.nan])) == 0.5
    assert auc(np.array([0.0, np.nan])) == pytest.approx(30 / 31)
    assert np.isnan(pck(np.full(3, np.nan)))
    assert np.isnan(auc(np.array([])))


def test_single_precision_is_enough_far_from_the_origin(pose):
    far = (pose + 100.0).astype(np.float32)
    assert mpjpe(far, far).max() == 0
    assert pa_mpjpe(far, far).max() < 1e-5
