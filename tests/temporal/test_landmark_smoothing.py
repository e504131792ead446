"""Noise is averaged, steady motion is not delayed, and a jump is no motion."""

import numpy as np
import pytest

from realtime_vibe.packets import FloatArray, PoseLandmarks
from realtime_vibe.temporal.landmark_smoothing import LandmarkSmoother

STEP_S = 1 / 60
RNG = np.random.default_rng(5)
STANDING_PX = np.stack([RNG.uniform(0, 100, 33), np.linspace(0, 400, 33)], axis=1)


def landmarks(shift_px: float | FloatArray = 0.0) -> PoseLandmarks:
    """A body moved in the picture, its world landmarks by a hundredth of that."""
    points = STANDING_PX + shift_px
    depths = np.full((33, 1), 7.0)
    return PoseLandmarks(
        image_px=np.concatenate([points, depths], axis=1).astype(np.float32),
        world_m=np.concatenate([points, depths], axis=1).astype(np.float32) / 100,
        visibility=np.ones(33, np.float32),
        presence=1.0,
    )


def test_steady_motion_passes_without_delay() -> None:
    smoother = LandmarkSmoother(1.0)
    for step in range(60):
        seen = landmarks(3.0 * step)
        out = smoother.update(seen, STEP_S)
    np.testing.assert_allclose(out.image_px, seen.image_px, atol=0.01)
    np.testing.assert_allclose(out.world_m, seen.world_m, atol=1e-4)


def test_noise_shrinks_with_strength() -> None:
    spreads = []
    for strength in (0.1, 0.5, 1.0):
        rng, smoother = np.random.default_rng(0), LandmarkSmoother(strength)
        shifts = [
            smoother.update(landmarks(rng.normal(size=(33, 2))), STEP_S).image_px[:, :2]
            for _ in range(80)
        ]
        spreads.append(float(np.std(np.diff(shifts, 2, axis=0)[20:])))
    assert spreads == sorted(spreads, reverse=True)
    assert spreads[2] < 0.5 * spreads[0]


@pytest.mark.parametrize("dt_s", [0.0, STEP_S])
def test_after_a_jump_or_without_time_the_landmarks_are_as_seen(dt_s: float) -> None:
    smoother = LandmarkSmoother(1.0)
    for step in range(10):
        smoother.update(landmarks(3.0 * step), STEP_S)
    elsewhere = landmarks(500.0)
    np.testing.assert_array_equal(smoother.update(elsewhere, dt_s).image_px, elsewhere.image_px)
    still = smoother.update(elsewhere, STEP_S)
    np.testing.assert_allclose(still.world_m, elsewhere.world_m, atol=1e-6)


def test_what_was_seen_stays_as_it_was() -> None:
    smoother = LandmarkSmoother(1.0)
    smoother.update(landmarks(), STEP_S)
    seen = landmarks(5.0)
    before = seen.image_px.copy()
    out = smoother.update(seen, STEP_S)
    np.testing.assert_array_equal(seen.image_px, before)
    np.testing.assert_array_equal(out.image_px[:, 2], seen.image_px[:, 2])
    assert not np.array_equal(out.image_px, before)


def test_landmarks_at_rest_are_held_and_those_that_move_are_not() -> None:
    rng, smoother = np.random.default_rng(1), LandmarkSmoother(1.0)
    moving = np.arange(33)[:, None] >= 16
    outs, clean = [], []
    for step in range(120):
        way_px = np.where(moving, 300.0 * step * STEP_S, 0.0)
        outs.append(smoother.update(landmarks(way_px + rng.normal(size=(33, 2))), STEP_S))
        clean.append(landmarks(way_px).image_px)
    off_px = np.array([out.image_px for out in outs])[60:, :, :2] - np.array(clean)[60:, :, :2]
    assert off_px[:, :16].std() < 0.45
    assert off_px[:, 16:].std() < 1.0
    assert np.abs(off_px[:, 16:].mean()) < 0.1
