"""Depth errors of a landmark network, as wrong bone directions of a body that stays a body.

A network that sees one image gives plausible skeletons: bones keep their lengths, and what is wrong
is how far each points towards or away from the camera, often too little. Noise on single landmarks
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


class BoneFactors(NamedTuple):
    """How much each bone errs; all (22,)."""

    elevation: Tensor
    """Factor on the errors of its angle out of the image plane."""
    azimuth: Tensor
    """Factor on the errors of its angle within the plane."""
    flatten: Tensor
    """What is left, on average, of its angle out of the plane."""


@cache
def bone_factors() -> BoneFactors:
    """After rendered bodies and real clips, between the two where they differ.

    The lines of hips and shoulders keep their angle, all other bones lose a part of it. On rendered
    bodies that part is larger (four tenths); a network that undoes so much overdoes it on real clips.
    """
    line = {HIP_LINE: (0.9, 1.3, 1.0), SHOULDER_LINE: (0.8, 1.0, 0.95)}
    middle = {TORSO: (0.8, 0.8, 0.8), HEAD: (0.8, 0.8, 0.75)}
    arm = [(1.0, 1.1, 0.78), *[(1.2, 1.4, 0.8)] * 4]
    leg = [(0.9, 0.9, 0.8), (0.9, 0.9, 0.8), *[(1.1, 1.4, 0.75)] * 2]
    rows = line | middle | dict(enumerate(arm + arm + leg + leg, start=FIRST_CHAIN))
    table = torch.tensor([rows[place] for place in range(NUM_BONES)])
    return BoneFactors(*table.unbind(1))


def turn_bones(relative: Tensor, elevation: Tensor, azimuth: Tensor, flatten: Tensor) -> Tensor:
    """Rebuilds a body with every bone turned.

    Args:
        relative: (S, B, 33, 3) landmarks, the middle of the hips at the origin [m].
        elevation: (S, B, 22) added to each bone's angle out of the image plane [rad].
        azimuth: (S, B, 22) added to its angle within the plane [rad].
        flatten: (S, B, 22) factor on the angle out of the plane before.

    Returns:
        (S, B, 33, 3) with all bone lengths kept.
    """

    def turned(bone: Tensor, place: int) -> Tensor:
        return _turned(bone, elevation[..., place], azimuth[..., place], flatten[..., place])

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


def _turned(bone: Tensor, elevation: Tensor, azimuth: Tensor, flatten: Tensor) -> Tensor:
    """Turns (S, B, 3) bones by angles (S, B)."""
    across = bone[..., :2].norm(dim=-1)
    length = bone.norm(dim=-1)
    out_of_plane = torch.atan2(bone[..., 2], across) * flatten + elevation
    out_of_plane = out_of_plane.clamp(-_MAX_ELEVATION_RAD, _MAX_ELEVATION_RAD)
    in_plane = torch.atan2(bone[..., 1], bone[..., 0]) + azimuth
    flat = length * out_of_plane.cos()
    return torch.stack(
        [flat * in_plane.cos(), flat * in_plane.sin(), length * out_of_plane.sin()], -1
    )
