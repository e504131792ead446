"""Real motion for the discriminator: as recorded, at the asked time steps, the same after a restore."""

import torch

from realtime_vibe.training.samples.real_motion import RealMotion
from realtime_vibe.training.samples.streams import StreamSettings

CALM = StreamSettings(tempo=(1.0, 1.0 + 1e-9))


def _turned(rotmat):
    """Mean angle [rad] by which the waving arms turn from frame to frame, (T - 1, P)."""
    step = rotmat[1:, :, 16:18].transpose(-1, -2) @ rotmat[:-1, :, 16:18]
    trace = step.diagonal(dim1=-2, dim2=-1).sum(-1)
    return torch.arccos(((trace - 1) / 2).clamp(-1, 1)).sum(-1)


def test_rotations_of_the_asked_shape(waving_pool):
    rotmat = RealMotion(waving_pool, StreamSettings(), 0).sample(torch.full((16, 5), 0.03))
    assert rotmat.shape == (16, 5, 24, 3, 3)
    identity = torch.eye(3).expand_as(rotmat)
    torch.testing.assert_close(rotmat @ rotmat.transpose(-1, -2), identity, atol=1e-5, rtol=0)
    assert (torch.linalg.det(rotmat) > 0).all()


def test_longer_time_steps_show_larger_movements(waving_pool):
    motion = RealMotion(waving_pool, CALM, 0)
    dt_s = torch.tensor([1 / 60, 1 / 15]).repeat_interleave(40).expand(16, 80)
    moved = _turned(motion.sample(dt_s)).mean(0)
    assert 3.0 < moved[40:].mean() / moved[:40].mean() < 5.0


def test_a_person_just_found_does_not_stand_still(waving_pool):
    motion = RealMotion(waving_pool, CALM, 0)
    dt_s = torch.full((16, 8), 1 / 20)
    dt_s[7] = 0.0
    state = motion.state_dict()
    found = motion.sample(dt_s)
    motion.load_state_dict(state)
    torch.testing.assert_close(found, motion.sample(torch.full((16, 8), 1 / 20)))


def test_poses_stay_as_recorded(waving_pool):
    """The figure moves one arm; whatever is added to the targets' poses, here all others rest."""
    motion = RealMotion(waving_pool, StreamSettings(pose_jitter_rad=(0.6, 0.61)), 0)
    rotmat = motion.sample(torch.full((16, 20), 1 / 30))
    resting = [joint for joint in range(1, 24) if joint not in {16, 17}]
    identity = torch.eye(3).expand(16, 20, len(resting), 3, 3)
    torch.testing.assert_close(rotmat[:, :, resting], identity, atol=1e-5, rtol=0)


def test_a_restored_state_gives_the_same_motion(waving_pool):
    motion = RealMotion(waving_pool, StreamSettings(), 0)
    dt_s = torch.full((16, 3), 0.04)
    motion.sample(dt_s)
    state = motion.state_dict()
    expected = motion.sample(dt_s)
    other = RealMotion(waving_pool, StreamSettings(), 9)
    other.load_state_dict(state)
    assert torch.equal(other.sample(dt_s), expected)
