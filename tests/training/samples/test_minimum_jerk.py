"""Minimum-jerk paths: at rest at both ends, half way in the middle, never back."""

import numpy as np

from realtime_vibe.training.samples.minimum_jerk import minimum_jerk


def test_a_movement_starts_and_ends_at_rest():
    share = minimum_jerk(np.arange(-5, 26), 20.0)
    assert (share[:6] == 0.0).all()
    np.testing.assert_allclose(share[25:], 1.0)
    np.testing.assert_allclose(share[15], 0.5)
    steps = np.diff(share)
    assert (steps >= 0.0).all()
    assert steps[[5, 24]].max() < 0.1 * steps.max()
