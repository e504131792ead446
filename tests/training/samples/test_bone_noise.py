"""Turned bones: lengths survive, zero angles change nothing, errors travel down the chain."""

import torch

from realtime_vibe.training.samples.bone_noise import (
    FIRST_CHAIN,
    NUM_BONES,
    TORSO,
    BoneTurns,
    bone_errors,
    bone_of_landmark,
    facing,
    slopes,
    turn_bones,
)


def _body():
    torch.manual_seed(0)
    relative = torch.randn(7, 3, 33, 3)
    relative[..., 2] *= 0.02  # bones straight at the camera are kept from the pole, see the limit
    return relative - relative[:, :, 23:25].mean(2, keepdim=True)


def _angles(value=0.0):
    return torch.full((7, 3, NUM_BONES), value)


def _turns(elevation=None, azimuth=None, slope=1.0, length=1.0):
    angles = [_angles() if part is None else part for part in (elevation, azimuth)]
    return BoneTurns(*angles, _angles(slope), _angles(length))


def test_no_angle_changes_nothing():
    relative = _body()
    torch.testing.assert_close(turn_bones(relative, _turns()), relative, atol=1e-5, rtol=0)


def test_lengths_follow_their_factor_whatever_the_angles():
    relative = _body()
    angles = torch.randn(7, 3, NUM_BONES), torch.randn(7, 3, NUM_BONES)
    turned = turn_bones(relative, _turns(*angles, slope=0.7, length=0.9))
    for parent, child in ((11, 13), (13, 15), (24, 26), (28, 32), (23, 24), (11, 12)):
        before = (relative[:, :, child] - relative[:, :, parent]).norm(dim=-1)
        after = (turned[:, :, child] - turned[:, :, parent]).norm(dim=-1)
        torch.testing.assert_close(after, 0.9 * before, atol=1e-4, rtol=1e-4)


def test_an_elbow_takes_its_hand_along_and_nothing_else():
    relative = _body()
    elevation = _angles()
    elevation[..., FIRST_CHAIN] = 0.2  # left shoulder to left elbow
    moved = (turn_bones(relative, _turns(elevation)) - relative).norm(dim=-1)
    carried = [13, 15, 17, 19, 21]
    others = [index for index in range(33) if index not in carried]
    assert (moved[..., carried] > 1e-3).float().mean() > 0.9
    assert moved[..., others].max() < 1e-5


def test_flattening_brings_limbs_into_the_image_plane():
    relative = _body()
    flat = turn_bones(relative, _turns(slope=0.0))
    assert flat[..., 2].abs().max() < 1e-5


def test_every_bone_knows_its_landmark():
    marks = torch.arange(33.0).expand(2, 1, 33)
    assert bone_of_landmark(marks).shape == (2, 1, NUM_BONES)
    assert bone_of_landmark(marks)[0, 0, FIRST_CHAIN] == 13


def test_facing_is_one_from_the_front_and_minus_one_from_the_back():
    body = torch.zeros(1, 2, 33, 3)
    body[..., [11, 23], 0], body[..., [12, 24], 0] = (
        0.2,
        -0.2,
    )  # their left is on the picture's right
    body[..., [11, 12], 1] = -0.5
    body[:, 1, :, 0] *= -1
    torch.testing.assert_close(facing(body), torch.tensor([[1.0, -1.0]]))


def test_bones_are_flattened_by_which_way_the_person_faces():
    front, side, back, between = slopes(torch.tensor([[1.0, 0.0, -1.0, 0.5]]))[0]
    assert torch.equal(front, back)
    assert torch.equal(front, bone_errors().slope)
    torch.testing.assert_close(between, 0.5 * (front + side))
    assert front[TORSO] < side[TORSO]


def test_both_sides_err_alike():
    for part in bone_errors():
        assert torch.equal(part[4:9], part[9:14])
        assert torch.equal(part[14:18], part[18:22])
