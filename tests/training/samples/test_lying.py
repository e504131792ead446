"""Bodies laid down lie, near the floor, and move on as before."""

import numpy as np

from realtime_vibe.geometry.rotation import rotmat_from_quat_wxyz
from realtime_vibe.geometry.smpl_skeleton import REST_JOINTS_M, bone_offsets, joint_positions
from realtime_vibe.training.samples.lying import FLESH_M, laid_down
from tests.training.samples.still_people import sitting, standing


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
