"""Heads look around smoothly, within what necks do."""

import numpy as np

from realtime_vibe.geometry.rotation import axis_angle_from_rotmat, rotmat_from_quat_wxyz
from realtime_vibe.training.samples.head_motion import looking_head


def test_necks_turn_smoothly_and_not_too_far(subtests):
    for seed in range(5):
        with subtests.test(seed=seed):
            quats = looking_head(600, np.random.default_rng(seed))
            np.testing.assert_allclose(np.linalg.norm(quats, axis=-1), 1.0, atol=1e-5)
            assert np.sum(quats[1:] * quats[:-1], axis=-1).min() > 0.995
            turns = rotmat_from_quat_wxyz(quats.astype(np.float64))
            whole = np.degrees(
                np.linalg.norm(axis_angle_from_rotmat(turns[:, 0] @ turns[:, 1]), axis=-1)
            )
            assert whole.max() < 85
            assert np.ptp(whole) > 5
