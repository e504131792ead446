"""Left and right exchanged: what a mirror does to landmarks and to SMPL's parameters, as vectors.

A body and its mirror image are equally likely, so what a network says of a mirrored person should be the
mirror image of what it says of the person. Training on both comes near that; looking at both and taking
the mean, inside every iteration, is exact, and averages out half of what the network makes up.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from realtime_vibe.body.joints import BLAZEPOSE_MIRROR, SMPL_MIRROR

SIDES = 2
"""As it is, and as a mirror shows it."""

Block = tuple[Sequence[int], Sequence[float]]
"""Items in a vector: for each the one it changes places with, and the signs of an item's numbers."""

_ALONE = (0,)
_LANDMARKS_2D: Block = (BLAZEPOSE_MIRROR, (-1.0, 1.0))
_LANDMARKS_3D: Block = (BLAZEPOSE_MIRROR, (-1.0, 1.0, 1.0))
_VISIBILITY: Block = (BLAZEPOSE_MIRROR, (1.0,))
_VIEW: Block = (_ALONE, (-1.0, 1.0, 1.0, 1.0))
"""Crop centre x, y, crop side, time since last seen."""
_ROT6D: Block = (SMPL_MIRROR, (1.0, -1.0, -1.0, 1.0, -1.0, 1.0))
"""Two columns of M R M, row by row, for the mirror M = diag(-1, 1, 1)."""
_BETAS: Block = (_ALONE, (1.0,) * 10)
"""The body itself is symmetric."""
_WEAK_CAMERA: Block = (_ALONE, (1.0, -1.0, 1.0))

LANDMARK_FEATURES = (_LANDMARKS_2D, _LANDMARKS_3D, _VISIBILITY, _VIEW)
"""Of `features.landmark_features`."""
LANDMARK_RESIDUALS = (_LANDMARKS_2D, _LANDMARKS_3D)
LANDMARK_VISIBILITY = (_VISIBILITY,)
ESTIMATE = (_ROT6D, _BETAS, _WEAK_CAMERA)
"""Of the regressor's estimate."""


class Mirror(nn.Module):
    """Exchanges left and right in the last axis, whose blocks are named in order; twice is as it was."""

    index: Tensor
    sign: Tensor

    def __init__(self, blocks: Sequence[Block]) -> None:
        super().__init__()
        index: list[int] = []
        sign: list[float] = []
        for order, signs in blocks:
            start = len(index)
            for item in order:
                index += [start + item * len(signs) + place for place in range(len(signs))]
                sign += signs
        self.register_buffer("index", torch.tensor(index), persistent=False)
        self.register_buffer("sign", torch.tensor(sign), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(..., N) mirrored."""
        return x.index_select(-1, self.index) * self.sign

    def both(self, x: Tensor) -> Tensor:
        """(..., N) to (..., 2, N): both `SIDES`."""
        return torch.stack([x, self(x)], dim=-2)
