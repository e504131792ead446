"""Motion drawn from the pool: rates, tempo and mirror in range, added rotations slow, poses valid."""

import numpy as np
import torch

from realtime_vibe.training.samples.streams import (
    MotionDraw,
    RealMotion,
    StreamSettings,
    rotmat_from_quat,
)

CALM = StreamSettings(tempo=(1.0, 1.0 + 1e-9))


def _draw(pool, **settings):
    torch.manual_seed(0)
    return MotionDraw(pool, StreamSettings(**settings), np.random.default_rng(0))


def _angles(rotmat):
    """Angle [rad] between neighbouring frames, (S - 1, B, J)."""
    step = rotmat[1:].transpose(-1, -2) @ rotmat[:-1]
    trace = step.diagonal(dim1=-2, dim2=-1).sum(-1)
    return torch.arccos(((trace - 1) / 2).clamp(-1, 1))


def test_rates_stay_in_range_and_frames_are_dropped(waving_pool):
    dt_s = _draw(waving_pool, rate_hz=(20.0, 50.0)).time_steps(100, 200)
    assert dt_s.shape == (100, 200)
    typical = dt_s.median(0).values
    assert typical.min() > 0.95 / 50
    assert typical.max() < 1.05 / 20
    dropped = (dt_s > 1.5 * typical).float().mean()
    assert 0.01 < dropped < 0.06


def test_half_the_streams_are_mirrored(waving_pool):
    """The figure waves its left arm; in a mirror it is the right one."""
    quats, _ = _draw(waving_pool).motion(torch.full((30, 400), 1 / 30))
    left, right = (quats[:, :, joint, 1:].abs().amax(dim=(0, 2)) > 1e-3 for joint in (16, 17))
    assert (left ^ right).float().mean() > 0.95
    assert 0.4 < left.float().mean() < 0.6


def test_added_rotations_are_slow_also_in_short_windows(waving_pool):
    quats = torch.zeros(16, 300, 24, 4)
    quats[..., 0] = 1.0
    short = _draw(waving_pool, pose_jitter_rad=(0.6, 0.60001)).jittered(quats)
    long = _draw(waving_pool, pose_jitter_rad=(0.6, 0.60001)).jittered(quats.repeat(12, 1, 1, 1))
    short_angle, long_angle = (_angles(rotmat_from_quat(part)).mean() for part in (short, long))
    assert 0.01 < long_angle < 0.1
    torch.testing.assert_close(short_angle, long_angle, rtol=0.1, atol=0)


def test_rotations_are_rotations():
    quats = 3 * torch.randn(50, 4)
    rotmat = rotmat_from_quat(quats)
    identity = torch.eye(3).expand(50, 3, 3)
    torch.testing.assert_close(rotmat @ rotmat.transpose(-1, -2), identity, atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.linalg.det(rotmat), torch.ones(50))


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
