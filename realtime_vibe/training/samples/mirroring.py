"""Recorded streams as they would have looked in a mirror.

What a tracker says of a mirrored picture is, to it, as likely as what it said of the picture.
Legend: S time, B streams.
"""

import torch
from torch import Tensor

from realtime_vibe.body.joints import BLAZEPOSE_MIRROR, SMPL_MIRROR
from realtime_vibe.training.samples.sequences import Observation, SequenceTruth

_ACROSS = torch.tensor([-1.0, 1.0, 1.0])


def mirrored(
    truth: SequenceTruth, observation: Observation, where: Tensor
) -> tuple[SequenceTruth, Observation]:
    """Mirrors the streams `where` (B,) is true left to right, about the camera's vertical plane.

    The bodies must be mirror-symmetric for every shape, as the default one is.
    """
    joints, landmarks = list(SMPL_MIRROR), list(BLAZEPOSE_MIRROR)
    flip = _ACROSS[:, None] * _ACROSS  # M R M for the mirror M
    turned = truth.rotmat[:, :, joints] * flip
    return (
        truth._replace(
            rotmat=_chosen(where, turned, truth.rotmat),
            transl=_chosen(where, truth.transl * _ACROSS, truth.transl),
        ),
        observation._replace(
            image_px=_chosen(
                where, observation.image_px[:, :, landmarks] * _ACROSS[:2], observation.image_px
            ),
            world_m=_chosen(
                where, observation.world_m[:, :, landmarks] * _ACROSS, observation.world_m
            ),
            visibility=_chosen(
                where, observation.visibility[:, :, landmarks], observation.visibility
            ),
        ),
    )


def _chosen(where: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    """`yes` for the chosen streams of (S, B, ...)."""
    return torch.where(where.reshape(1, -1, *[1] * (yes.ndim - 2)), yes, no)
