"""Smoothing: still poses stay still, fast moves pass, real time steps count."""

import numpy as np
import pytest

from realtime_vibe.app.settings import DEFAULT_SMOOTH
from realtime_vibe.geometry.rotation import axis_angle_from_rotmat, rotmat_from_axis_angle
from realtime_vibe.temporal.smoothing import (
    PositionSmoother,
    RotationSmoother,
    TiltSmoother,
    rest_cutoff_hz,
)


def _angles(rotmat: np.ndarray) -> np.ndarray:
    return np.linalg.norm(axis_angle_from_rotmat(rotmat), axis=-1)


def test_strength_lowers_the_cutoff():
    cutoffs = [rest_cutoff_hz(strength) for strength in (0.01, 0.3, 0.6, 1.0)]
    assert cutoffs == sorted(cutoffs, reverse=True)
    assert cutoffs[-1] == pytest.approx(0.4)


def test_noise_around_a_still_pose_shrinks_with_strength():
    rng = np.random.default_rng(0)
    noisy = rotmat_from_axis_angle(0.01 * rng.standard_normal((200, 24, 3)).astype(np.float32))
    left = []
    for strength in (0.3, 0.6, 0.9):
        smoother = RotationSmoother(strength)
        smooth = np.stack([smoother.update(rotmat, 1 / 30) for rotmat in noisy])
        left.append(_angles(smooth[50:]).mean() / _angles(noisy[50:]).mean())
    assert left == sorted(left, reverse=True)
    assert left[-1] < 0.45


def test_a_steady_turn_passes_without_delay():
    smoother = RotationSmoother(DEFAULT_SMOOTH)
    for step in range(120):
        seen = rotmat_from_axis_angle(np.array([[0.0, 0.0, 3.0 * step / 60]], np.float32))
        out = smoother.update(seen, 1 / 60)
    assert _angles(out.swapaxes(-1, -2) @ seen).item() < np.radians(1.0)


def test_a_joint_that_is_hidden_in_motion_does_not_run_on():
    smoother = RotationSmoother(DEFAULT_SMOOTH)
    for step in range(60):
        seen = rotmat_from_axis_angle(np.array([[0.0, 0.0, 3.0 * step / 60]], np.float32))
        smoother.update(seen, 1 / 60, np.ones(1, np.float32))
    for _ in range(60):
        out = smoother.update(seen, 1 / 60, np.zeros(1, np.float32))
    assert _angles(out.swapaxes(-1, -2) @ seen).item() < np.radians(1.0)


def test_the_result_does_not_depend_on_the_frame_rate():
    """One second towards a step at 30 and at 120 frames a second ends in about the same place."""
    ends = []
    for rate in (30, 120):
        smoother = PositionSmoother(0.8)
        smoother.update(np.zeros(3, np.float32), 1 / rate)
        for _ in range(rate // 2):
            end = smoother.update(np.full(3, 0.02, np.float32), 1 / rate)
        ends.append(end[0])
    assert ends[0] == pytest.approx(ends[1], rel=0.15)


@pytest.mark.parametrize("dt_s", [0.0, -1.0])
def test_no_time_step_passes_the_input(dt_s):
    smoother = PositionSmoother(0.5)
    smoother.update(np.zeros(3, np.float32), 0.03)
    np.testing.assert_array_equal(smoother.update(np.ones(3, np.float32), dt_s), np.ones(3))


def test_output_stays_a_rotation():
    rng = np.random.default_rng(1)
    smoother = RotationSmoother(0.9)
    for _ in range(300):
        target = rotmat_from_axis_angle(rng.standard_normal((24, 3)).astype(np.float32))
        out = smoother.update(target, 1 / 30)
    product = out @ out.swapaxes(-1, -2)
    np.testing.assert_allclose(product, np.broadcast_to(np.eye(3), product.shape), atol=1e-3)


def test_noise_of_a_still_person_is_cut_and_depth_most() -> None:
    rng = np.random.default_rng(2)
    smoother = PositionSmoother(DEFAULT_SMOOTH)
    placed = np.array(
        [
            smoother.update((0.004 * rng.standard_normal(3)).astype(np.float32), 1 / 30)
            for _ in range(300)
        ]
    )
    raw_m_s = 0.004 * np.sqrt(2) * 30
    speed_m_s = np.diff(placed[60:], axis=0).std(axis=0) * 30
    assert speed_m_s[:2].max() < 0.2 * raw_m_s
    assert speed_m_s[2] < 0.6 * speed_m_s[:2].min()


def test_a_walk_is_followed_closely() -> None:
    smoother = PositionSmoother(DEFAULT_SMOOTH)
    for step in range(90):
        true_m = np.array([step / 30 * 1.2, 0.0, 3.0], np.float32)
        seen = smoother.update(true_m, 1 / 30)
    assert abs(float(seen[0] - true_m[0])) < 0.04


def test_tilts_keep_their_mean_and_lose_their_jitter():
    smoother = TiltSmoother(DEFAULT_SMOOTH)
    noisy = 0.05 + 0.05 * np.random.default_rng(0).standard_normal((600, 2))
    smooth = np.array([smoother.update(0, tilts, 1 / 30) for tilts in noisy])[60:]
    np.testing.assert_allclose(smooth.mean(0), noisy[60:].mean(0), atol=0.005)
    assert np.diff(smooth, axis=0).std() < 0.4 * np.diff(noisy, axis=0).std()
    other = np.array([0.2, -0.2])
    np.testing.assert_array_equal(smoother.update(1, other, 1 / 30), other)
