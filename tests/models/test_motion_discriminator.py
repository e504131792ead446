"""The motion discriminator: released names and sizes, the attention's sum by hand, what it looks at."""

import math

import numpy as np
import torch

from realtime_vibe.geometry.rotation import rotmat_from_axis_angle
from realtime_vibe.models.motion_discriminator import (
    MOTION_SIZES,
    MotionDiscriminator,
    SelfAttention,
    body_motion,
)
from realtime_vibe.models.rotation import rot6d_from_rotmat


def _small():
    torch.manual_seed(0)
    return MotionDiscriminator(input_size=9, hidden_size=8).eval()


def test_default_sizes_and_names_are_the_released_ones():
    shapes = {
        name: tuple(value.shape) for name, value in MotionDiscriminator().state_dict().items()
    }
    gru = {
        f"gru.{kind}_l{layer}": shape
        for layer in (0, 1)
        for kind, shape in (
            ("weight_ih", (3072, 69 if layer == 0 else 1024)),
            ("weight_hh", (3072, 1024)),
            ("bias_ih", (3072,)),
            ("bias_hh", (3072,)),
        )
    }
    attention = {
        "attention.attention.0.weight": (1024, 1024),
        "attention.attention.0.bias": (1024,),
        "attention.attention.3.weight": (1024, 1024),
        "attention.attention.3.bias": (1024,),
        "attention.attention.6.weight": (1, 1024),
        "attention.attention.6.bias": (1,),
    }
    assert shapes == gru | attention | {"fc.weight": (1, 1024), "fc.bias": (1,)}


def test_attention_by_hand():
    """With phi = tanh of the first number, the weights of (0, 1) are a softmax over time."""
    attention = SelfAttention(2, num_layers=1).eval()
    with torch.no_grad():
        attention.attention[0].weight.copy_(torch.tensor([[1.0, 0.0]]))
        attention.attention[0].bias.zero_()
    states = torch.tensor([[[0.0, 10.0]], [[1.0, 20.0]]])
    pooled, weights = attention(states)
    late = math.exp(math.tanh(1.0)) / (1 + math.exp(math.tanh(1.0)))
    torch.testing.assert_close(weights[:, 0], torch.tensor([1 - late, late]))
    torch.testing.assert_close(pooled[0], torch.tensor([late, 10 + 10 * late]))


def test_sequences_are_judged_one_by_one():
    """Also a single one, where a careless squeeze would drop the axis."""
    network = _small()
    motion = torch.randn(16, 3, 9)
    alone = torch.cat([network(motion[:, i : i + 1]) for i in range(3)])
    torch.testing.assert_close(network(motion), alone)


def test_the_root_and_nothing_else_is_left_out():
    rotmat = torch.from_numpy(rotmat_from_axis_angle(np.random.default_rng(0).normal(size=(4, 2, 24, 3)))).float()  # fmt: skip
    for representation, size in MOTION_SIZES.items():
        before = body_motion(rotmat, representation)
        assert before.shape == (4, 2, size)
        turned = rotmat.clone()
        turned[:, :, 0] = torch.eye(3)
        torch.testing.assert_close(body_motion(turned, representation), before)
        for joint in range(1, 24):
            turned = rotmat.clone()
            turned[:, :, joint] = torch.eye(3)
            assert not torch.allclose(body_motion(turned, representation), before)


def test_change_is_the_difference_from_the_frame_before():
    rotmat = torch.randn(5, 2, 24, 3, 3)
    motion = body_motion(rotmat, "rot6d_change")
    poses, change = motion.split(138, dim=-1)
    torch.testing.assert_close(poses, rot6d_from_rotmat(rotmat[:, :, 1:]).flatten(-2))
    assert (change[0] == 0).all()
    torch.testing.assert_close(change[1:], 10 * (poses[1:] - poses[:-1]))
