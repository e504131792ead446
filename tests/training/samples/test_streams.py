"""Motion drawn from the pool: rates, tempo and mirror in range, added rotations slow, poses valid."""

import numpy as np
import torch

from realtime_vibe.training.samples.streams import MotionDraw, StreamSettings, rotmat_from_quat


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
