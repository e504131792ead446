"""Held-out clips: the motion as recorded, all of the person in view, kinds chosen by name."""

import numpy as np
import pytest
import torch

from realtime_vibe.errors import DatasetError
from realtime_vibe.training.samples.held_out import CLIP_RATE_HZ, chosen_clips, draw_clip
from realtime_vibe.training.samples.motion import MotionClip, load_clips
from realtime_vibe.training.samples.sequences import posed_points, projected
from realtime_vibe.training.samples.streams import rotmat_from_quat


def clip(name):
    return MotionClip(
        name=name, quats=np.zeros((2, 24, 4), np.float32), trans=np.zeros((2, 3), np.float32)
    )


def test_the_motion_is_as_recorded_and_always_in_view(motion_folder, skeleton, subtests):
    for seed in range(4):
        with subtests.test(seed=seed):
            recorded = load_clips(motion_folder)[0]
            truth = draw_clip(recorded, skeleton, 40, np.random.default_rng(seed))
            assert truth.rotmat.shape == (40, 1, 24, 3, 3)
            torch.testing.assert_close(truth.dt_s, torch.full((40, 1), 1 / CLIP_RATE_HZ))
            poses = rotmat_from_quat(torch.from_numpy(recorded.quats))
            starts = [
                row
                for row in range(len(poses) - 78)
                if torch.equal(poses[row : row + 79 : 2, 1:], truth.rotmat[:, 0, 1:])
            ]
            assert starts
            # One camera for all frames: roots differ from the recorded ones by the same rotation.
            start = starts[0]
            camera = truth.rotmat[:, 0, 0] @ poses[start : start + 79 : 2, 0].transpose(-1, -2)
            torch.testing.assert_close(camera, camera[:1].expand_as(camera), atol=1e-5, rtol=0.0)
            moved = truth.transl[:, 0] - truth.transl[:1, 0]
            walked = torch.from_numpy(recorded.trans[start : start + 79 : 2])
            expected = (walked - walked[:1]) @ camera[0].T
            torch.testing.assert_close(moved, expected, atol=1e-5, rtol=0.0)
            points = torch.cat(posed_points(truth, skeleton), 2)
            assert points[..., 2].min() > 1.0
            assert (projected(points, truth).abs() <= truth.principal[:, None]).all()


def test_a_short_clip_is_taken_whole(motion_folder, skeleton):
    recorded = load_clips(motion_folder)[0]
    truth = draw_clip(recorded, skeleton, 5000, np.random.default_rng(0))
    assert len(truth.dt_s) == (len(recorded.trans) + 1) // 2


def test_clips_are_chosen_by_kind_and_again_when_there_are_few():
    clips = [clip("slow_WALK_2"), clip("Idle_Loop"), clip("jump"), clip("standing_talk")]
    assert {each.name for each in chosen_clips(clips, 4, None, 0)} == {c.name for c in clips}
    assert [each.name for each in chosen_clips(clips, 3, "walking", 0)] == ["slow_WALK_2"] * 3
    assert {each.name for each in chosen_clips(clips, 2, "standing", 0)} == {
        "Idle_Loop", "standing_talk",
    }  # fmt: skip
    with pytest.raises(DatasetError, match="none of 1 motion clips has a name that says walking"):
        chosen_clips([clip("jump")], 2, "walking", 0)
