"""Depth errors of a landmark network, as wrong bone directions of a body that stays a body.

A network that sees one image gives plausible skeletons: bones keep about their lengths, and what is
wrong is how far each points towards or away from the camera, often too little. Noise on single landmarks
would tear bones apart, and a network trained on that learns to mend what never breaks.

Legend: S time, B streams, K bones, L = 33 landmarks. Camera axes, z away from the camera.
"""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

NUM_BONES = 22
_MAX_ELEVATION_RAD = 1.45
_HIPS, _SHOULDERS, _EARS = (23, 24), (11, 12), (7, 8)
_FACE = tuple(range(11))
_CHAINS = (
    (11, 13), (13, 15), (15, 17), (15, 19), (15, 21),
    (12, 14), (14, 16), (16, 18), (16, 20), (16, 22),
    (23, 25), (25, 27), (27, 29), (27, 31),
    (24, 26), (26, 28), (28, 30), (28, 32),
)  # fmt: skip
"""Parent and child landmark; parents come first."""
HIP_LINE, TORSO, SHOULDER_LINE, HEAD, FIRST_CHAIN = 0, 1, 2, 3, 4
"""Places of the bones along K; `_CHAINS` follow."""


class BoneErrors(NamedTuple):
    """How each bone errs; all (22,)."""

    slope: Tensor
    """What is left, on average, of its angle out of the image plane when the person faces the camera."""
    side_slope: Tensor
    """The same of a person seen from the side."""
    intercept_deg: Tensor
    """Added to that angle when the person faces the camera, subtracted when the back is turned."""
    drift_deg: Tensor
    """Deviation of that angle over tenths of seconds."""
    bias_deg: Tensor
    """Deviation of that angle from person to person."""
    azimuth: Tensor
    """Factor on the errors of its angle within the plane."""
    length: Tensor
    """Mean of its length over the true one."""


@cache
def bone_errors() -> BoneErrors:
    """As `benchmarks.tracker_errors` measures them on real clips.

    BlazePose draws everybody a little crouched: shanks and trunk lean, forearms bend towards the camera.
    The lines of hips and shoulders keep most of their angle, all other bones lose a third of it and more.
    """
    line = {
        HIP_LINE: (0.85, 0.85, 0, 5, 6, 1.0, 0.97),
        SHOULDER_LINE: (0.85, 0.85, 0, 5, 6, 0.8, 0.95),
    }
    middle = {TORSO: (0.3, 0.6, -14, 4, 4, 0.5, 0.95), HEAD: (0.65, 0.65, 0, 5, 5, 0.8, 1.0)}
    hand = (0.55, 0.8, -12, 9, 7, 1.6, 0.95)
    arm = [(0.55, 0.75, 0, 7, 6, 1.4, 0.88), (0.55, 0.85, -16, 9, 7, 1.5, 0.93), *[hand] * 3]
    foot = (0.65, 0.65, 6, 6, 5, 1.3, 1.0)
    leg = [(0.5, 0.85, 3, 5, 4, 0.75, 0.98), (0.75, 0.55, 8, 4, 4, 0.75, 0.92), *[foot] * 2]
    rows = line | middle | dict(enumerate(arm + arm + leg + leg, start=FIRST_CHAIN))
    table = torch.tensor([rows[place] for place in range(NUM_BONES)], dtype=torch.float32)
    return BoneErrors(*table.unbind(1))


def facing(relative: Tensor) -> Tensor:
    """(S, B) cosine between where a body's front points and the camera: 1 faces it, -1 turns its back.

    Args:
        relative: (S, B, 33, 3) landmarks [m].
    """
    across = 0.5 * (
        relative[:, :, 11] - relative[:, :, 12] + relative[:, :, 23] - relative[:, :, 24]
    )
    up = relative[:, :, _SHOULDERS].mean(2) - relative[:, :, _HIPS].mean(2)
    front = torch.linalg.cross(across, up)
    cosine: Tensor = -front[..., 2] / front.norm(dim=-1).clamp_min(1e-6)
    return cosine


def slopes(towards: Tensor) -> Tensor:
    """(S, B, 22) what is left of each bone's angle out of the image plane.

    Args:
        towards: (S, B) as `facing` has it; a back is as flat as a front.
    """
    errors = bone_errors()
    return errors.side_slope + towards.abs()[..., None] * (errors.slope - errors.side_slope)


class BoneTurns(NamedTuple):
    """What is done to every bone; all (S, B, 22)."""

    elevation: Tensor
    """Added to its angle out of the image plane [rad]."""
    azimuth: Tensor
    """Added to its angle within the plane [rad]."""
    slope: Tensor
    """Factor on the angle out of the plane before."""
    length: Tensor
    """Factor on its length."""


def turn_bones(relative: Tensor, turns: BoneTurns) -> Tensor:
    """Rebuilds a body with every bone turned.

    Args:
        relative: (S, B, 33, 3) landmarks, the middle of the hips at the origin [m].
        turns: by how much.
    """

    def turned(bone: Tensor, place: int) -> Tensor:
        return _turned(bone, BoneTurns(*(part[..., place] for part in turns)))

    shoulders = relative[:, :, _SHOULDERS].mean(2)
    ears = relative[:, :, _EARS].mean(2)
    hip_half = turned(0.5 * (relative[:, :, 23] - relative[:, :, 24]), HIP_LINE)
    new_shoulders = turned(shoulders, TORSO)
    shoulder_half = turned(0.5 * (relative[:, :, 11] - relative[:, :, 12]), SHOULDER_LINE)
    new_ears = new_shoulders + turned(ears - shoulders, HEAD)
    places: list[Tensor] = list(relative.unbind(2))
    places[23], places[24] = hip_half, -hip_half
    places[11], places[12] = new_shoulders + shoulder_half, new_shoulders - shoulder_half
    for landmark in _FACE:
        places[landmark] = new_ears + turned(relative[:, :, landmark] - ears, HEAD)
    for offset, (parent, child) in enumerate(_CHAINS):
        bone = relative[:, :, child] - relative[:, :, parent]
        places[child] = places[parent] + turned(bone, FIRST_CHAIN + offset)
    return torch.stack(places, 2)


def bone_of_landmark(values: Tensor) -> Tensor:
    """Picks for every bone the value (S, B, 33) of the landmark at its far end: (S, B, 22)."""
    return values[..., [23, 11, 11, 0, *(child for _, child in _CHAINS)]]


def _turned(bone: Tensor, turns: BoneTurns) -> Tensor:
    """Turns (S, B, 3) bones by angles (S, B)."""
    across = bone[..., :2].norm(dim=-1)
    length = bone.norm(dim=-1) * turns.length
    out_of_plane = torch.atan2(bone[..., 2], across) * turns.slope + turns.elevation
    out_of_plane = out_of_plane.clamp(-_MAX_ELEVATION_RAD, _MAX_ELEVATION_RAD)
    in_plane = torch.atan2(bone[..., 1], bone[..., 0]) + turns.azimuth
    flat = length * out_of_plane.cos()
    return torch.stack(
        [flat * in_plane.cos(), flat * in_plane.sin(), length * out_of_plane.sin()], -1
    )
