"""Pose errors: exact on hand-made cases."""

import numpy as np
import pytest

from realtime_vibe.geometry.rotation import rotmat_from_axis_angle
from realtime_vibe.training.metrics import accel_error, mpjpe, pa_mpjpe, similarity_aligned


@pytest.fixture
def pose():
    return np.random.default_rng(0).standard_normal((5, 12, 3))


def test_equal_poses_have_no_error(pose):
    assert mpjpe(pose, pose).max() == pytest.approx(0, abs=1e-12)
    assert pa_mpjpe(pose, pose).max() == pytest.approx(0, abs=1e-6)
    assert accel_error(pose, pose).max() == 0


def test_a_similarity_transform_has_no_aligned_error(pose):
    turn = rotmat_from_axis_angle(np.array([0.4, -1.2, 2.0]))
    moved = 1.7 * pose @ turn.T + np.array([1.0, 2.0, 3.0])
    assert pa_mpjpe(moved, pose).max() < 1e-9
    np.testing.assert_allclose(similarity_aligned(moved, pose), pose, atol=1e-9)
    assert mpjpe(moved, pose).mean() > 0.5


def test_a_mirror_image_is_not_a_similarity(pose):
    assert pa_mpjpe(pose * [-1, 1, 1], pose).min() > 0.1


def test_translation_does_not_count(pose):
    assert mpjpe(pose + 5.0, pose).max() < 1e-12


def test_root_weights_choose_the_root(pose):
    shifted = pose.copy()
    shifted[:, 0] += [0.0, 0.0, 0.12]
    root = np.eye(12)[1]
    np.testing.assert_allclose(mpjpe(shifted, pose, root), np.full(5, 0.01), atol=1e-12)


def test_accel_is_the_second_difference():
    truth = np.zeros((4, 1, 3))
    predicted = truth.copy()
    predicted[:, 0, 0] = [0.0, 0.0, 1.0, 0.0]
    np.testing.assert_allclose(accel_error(predicted, truth), [1.0, 2.0])


def test_constant_velocity_has_no_acceleration():
    steady = np.arange(6.0)[:, None, None] * np.ones((1, 3, 3))
    assert accel_error(steady, np.zeros_like(steady)).max() == 0
