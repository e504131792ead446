"""Bent legs stand on the floor and leave alone who sits, heads look around smoothly, and bodies laid down lie."""

import numpy as np

from realtime_vibe.geometry.rotation import axis_angle_from_rotmat, rotmat_from_quat_wxyz
from realtime_vibe.geometry.smpl_skeleton import REST_JOINTS_M, bone_offsets, joint_positions
from realtime_vibe.training.datasets.limb_angles import KNEES, interior_angle_deg
from realtime_vibe.training.samples.pose_variation import (
    FLESH_M,
    bent_legs,
    laid_down,
    looking_head,
    minimum_jerk,
)
from tests.training.samples.still_people import sitting, standing


def _joints(quats, trans):
    turns = rotmat_from_quat_wxyz(quats.astype(np.float64))
    return joint_positions(turns, bone_offsets(REST_JOINTS_M), trans.astype(np.float64))


def test_knees_bend_forwards_over_feet_that_stay_on_the_floor():
    clip = standing()
    before = _joints(clip.quats, clip.trans)
    smallest = []
    for seed in range(8):
        quats, trans = bent_legs(clip.quats, clip.trans, np.random.default_rng(seed))
        joints = _joints(quats, trans)
        np.testing.assert_allclose(joints[..., 2].min(1), before[..., 2].min(1), atol=1e-4)
        assert (joints[:, 0, 2] < before[:, 0, 2] + 0.02).all(), "the pelvis sinks"
        angles = [interior_angle_deg(quats, knee) for knee in KNEES]
        smallest.append(min(angle.min() for angle in angles))
        ahead = rotmat_from_quat_wxyz(quats[:, 0])[:, :2, 2]
        for knee in KNEES:
            bend = joints[:, knee.middle] - 0.5 * (joints[:, knee.upper] + joints[:, knee.lower])
            assert (np.einsum("ni,ni->n", bend[:, :2], ahead) > -0.04).all()
    assert 25 < min(smallest) < 130


def test_whoever_sits_stays_seated():
    clip = sitting()
    quats, _ = bent_legs(clip.quats, clip.trans, np.random.default_rng(1))
    for knee in KNEES:
        change = interior_angle_deg(quats, knee) - interior_angle_deg(clip.quats, knee)
        assert np.abs(change).max() < 2


def test_a_movement_starts_and_ends_at_rest():
    share = minimum_jerk(np.arange(-5, 26), 20.0)
    assert (share[:6] == 0.0).all()
    np.testing.assert_allclose(share[25:], 1.0)
    np.testing.assert_allclose(share[15], 0.5)
    steps = np.diff(share)
    assert (steps >= 0.0).all()
    assert steps[[5, 24]].max() < 0.1 * steps.max()


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


def test_the_trunk_is_level_and_the_lowest_joint_on_the_floor(subtests):
    for seed in range(5):
        for clip in [standing(), sitting()]:
            with subtests.test(clip=clip.name, seed=seed):
                quats, trans = laid_down(clip.quats, clip.trans, np.random.default_rng(seed))
                turns = rotmat_from_quat_wxyz(quats.astype(np.float64))
                assert np.abs(turns[:, 0, 2, 1]).max() < np.sin(np.deg2rad(50))
                joints = joint_positions(
                    turns, bone_offsets(REST_JOINTS_M), trans.astype(np.float64)
                )
                np.testing.assert_allclose(joints[..., 2].min(1), FLESH_M, atol=1e-4)
                np.testing.assert_array_equal(quats[:, 1:], clip.quats[:, 1:])
