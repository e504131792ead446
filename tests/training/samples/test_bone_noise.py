"""Turned bones: lengths survive, zero angles change nothing, errors travel down the chain."""

import torch

from realtime_vibe.training.samples.bone_noise import (
    FIRST_CHAIN,
    NUM_BONES,
    bone_of_landmark,
    turn_bones,
)


def _body():
    torch.manual_seed(0)
    relative = torch.randn(7, 3, 33, 3)
    relative[..., 2] *= 0.02  # bones straight at the camera are kept from the pole, see the limit
    return relative - relative[:, :, 23:25].mean(2, keepdim=True)


def _angles(value=0.0):
    return torch.full((7, 3, NUM_BONES), value)


def test_no_angle_changes_nothing():
    relative = _body()
    torch.testing.assert_close(
        turn_bones(relative, _angles(), _angles(), _angles(1.0)), relative, atol=1e-5, rtol=0
    )


def test_lengths_are_kept_whatever_the_angles():
    relative = _body()
    turned = turn_bones(
        relative, torch.randn(7, 3, NUM_BONES), torch.randn(7, 3, NUM_BONES), _angles(0.7)
    )
    for parent, child in ((11, 13), (13, 15), (24, 26), (28, 32), (23, 24), (11, 12)):
        before = (relative[:, :, child] - relative[:, :, parent]).norm(dim=-1)
        after = (turned[:, :, child] - turned[:, :, parent]).norm(dim=-1)
        torch.testing.assert_close(after, before, atol=1e-4, rtol=1e-4)


def test_an_elbow_takes_its_hand_along_and_nothing_else():
    relative = _body()
    elevation = _angles()
    elevation[..., FIRST_CHAIN] = 0.2  # left shoulder to left elbow
    moved = (turn_bones(relative, elevation, _angles(), _angles(1.0)) - relative).norm(dim=-1)
    carried = [13, 15, 17, 19, 21]
    others = [index for index in range(33) if index not in carried]
    assert (moved[..., carried] > 1e-3).float().mean() > 0.9
    assert moved[..., others].max() < 1e-5


def test_flattening_brings_limbs_into_the_image_plane():
    relative = _body()
    flat = turn_bones(relative, _angles(), _angles(), _angles(0.0))
    assert flat[..., 2].abs().max() < 1e-5


def test_every_bone_knows_its_landmark():
    marks = torch.arange(33.0).expand(2, 1, 33)
    assert bone_of_landmark(marks).shape == (2, 1, NUM_BONES)
    assert bone_of_landmark(marks)[0, 0, FIRST_CHAIN] == 13
