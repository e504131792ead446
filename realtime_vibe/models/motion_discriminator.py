"""The motion discriminator D_M (Kocabas et al. 2020, sec. 3.2): does this body motion look recorded?

Legend: T time, P sequences, F numbers per frame, H hidden size.

A GRU reads the sequence; its states h_i are pooled into r, and a linear layer turns r into a score
without a sigmoid (least squares: 1 is real, 0 is made up). They are pooled by self-attention,
r = sum a_i h_i with a = softmax(phi(h)).

Sizes default to the released configuration, which differs from the paper's text in one point: phi's
last layer, too, is followed by tanh and dropout. State-dict names are the released ones.
"""

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from realtime_vibe.models.rotation import axis_angle_from_rotmat, rot6d_from_rotmat

Representation = Literal["axis_angle", "rot6d_change"]

NUM_BODY_JOINTS = 23
"""All joints but the root: D_M judges the body's pose, not where it stands or faces."""
MOTION_SIZES: dict[Representation, int] = {
    "axis_angle": 3 * NUM_BODY_JOINTS,
    "rot6d_change": 12 * NUM_BODY_JOINTS,
}
"""F of each representation; the released discriminator reads axis-angle.

Trained to find recorded motion shaken by 0.1 rad per frame, a GRU of 128 units that reads poses alone had
learnt nothing after 400 steps of 16 windows (scores 0.01 apart); given the change from frame to frame as
well, its scores were 0.8 apart after 50 steps and 0.97 in the end.
"""
_CHANGE_SCALE = 10.0
"""Brings the change from frame to frame to the size of the poses' own spread."""


class Attended(NamedTuple):
    """A weighted sum over time and its weights."""

    pooled: Tensor
    """(P, H)."""
    weights: Tensor
    """(T, P), each sequence's sum to one."""


class SelfAttention(nn.Module):
    """Weighs the states of a sequence by an MLP phi of their own, whose last layer has one output (sec. 3.2, eq. 6, 7)."""

    def __init__(self, hidden_size: int, num_layers: int = 3, dropout: float = 0.2) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for layer in range(num_layers):
            linear = nn.Linear(hidden_size, 1 if layer == num_layers - 1 else hidden_size)
            nn.init.uniform_(linear.weight, -0.1, 0.1)
            nn.init.constant_(linear.bias, 0.01)
            layers += [linear, nn.Tanh(), nn.Dropout(dropout)]
        self.attention = nn.Sequential(*layers)

    def forward(self, states: Tensor) -> Attended:
        """Pools (T, P, H)."""
        weights = torch.softmax(self.attention(states).squeeze(-1), dim=0)
        return Attended((states * weights[..., None]).sum(0), weights)


class MotionDiscriminator(nn.Module):
    """Scores body motion, (T, P, F) to (P,); `hidden_size` is that of the GRU and of phi, dropout is in phi."""

    def __init__(
        self,
        input_size: int = MOTION_SIZES["axis_angle"],
        hidden_size: int = 1024,
        num_layers: int = 2,
        attention_layers: int = 3,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.gru = nn.GRU(input_size, hidden_size, num_layers)
        self.attention = SelfAttention(hidden_size, attention_layers, dropout)
        self.fc = nn.Linear(hidden_size, 1)

    def forward(self, motion: Tensor) -> Tensor:
        """Scores whole sequences (T, P, F), each on its own."""
        states, _ = self.gru(motion)
        scores: Tensor = self.fc(self.attention(states).pooled).squeeze(-1)
        return scores


def body_motion(rotmat: Tensor, representation: Representation) -> Tensor:
    """What the discriminator reads of (T, P, 24, 3, 3): (T, P, F) of the 23 body joints.

    The change of the first frame is zero.
    """
    body = rotmat[..., 1:, :, :]
    if representation == "axis_angle":
        return axis_angle_from_rotmat(body).flatten(-2)
    poses = rot6d_from_rotmat(body).flatten(-2)
    change = torch.cat([torch.zeros_like(poses[:1]), poses[1:] - poses[:-1]])
    return torch.cat([poses, _CHANGE_SCALE * change], dim=-1)
