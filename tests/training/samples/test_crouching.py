"""Bent legs bend, stand on the floor and leave alone who sits."""

import numpy as np

from realtime_vibe.geometry.rotation import rotmat_from_quat_wxyz
from realtime_vibe.geometry.smpl_skeleton import REST_JOINTS_M, bone_offsets, joint_positions
from realtime_vibe.training.datasets.limb_angles import KNEES, interior_angle_deg
from realtime_vibe.training.samples.crouching import bent_legs
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
