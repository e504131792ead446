"""Motion clips, joined into long, varied sequences in the shares in which webcams see people.

Legend: N frames, J = 24 SMPL joints, Q sequences. World frame: Z up [m].
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.errors import DatasetError
from realtime_vibe.geometry.rotation import quat_product_wxyz, slerp_wxyz
from realtime_vibe.training.datasets.amass import UpAxis
from realtime_vibe.training.datasets.clip import (
    POOL_RATE_HZ,
    FloatArray,
    MotionClip,
    continuous,
)
from realtime_vibe.training.datasets.motion_folder import load_motion_folder
from realtime_vibe.training.samples.gestures import ARM_JOINTS, gesturing_arms
from realtime_vibe.training.samples.pose_variation import (
    NECK_JOINTS,
    bent_legs,
    laid_down,
    looking_head,
)
from realtime_vibe.training.samples.posture import Posture, posture_weights, postures

__all__ = [
    "POOL_RATE_HZ",
    "FloatArray",
    "MotionClip",
    "MotionPool",
    "MotionShares",
    "load_clips",
    "rarity_weights",
]

_BLEND_FRAMES = 24
"""0.4 s of cross-fade where one clip follows another."""
_LEGS = ((1, 4, 7, 10), (2, 5, 8, 11))
_ARMS_AND_TRUNK = (
    (16, 18, 20, 22),
    (17, 19, 21, 23),
    (3, 6, 9, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23),
)
"""Left leg, right leg; left arm, right arm, upper body: what may come from another clip."""
_EXCHANGE_CHANCE = 0.12
"""Of each part: few hours of motion hold too few combinations of arms and legs."""

_CONJUGATE = np.array([1, -1, -1, -1], np.float32)
_LEAST_TWIST = 0.05
_LEAST_RARITY_RAD = 0.01
_STILL_SHARE = 0.3
"""Sequences that stand or sit for more of their frames keep their own legs."""
_LEAST_CHANCE = 0.03
"""Of a sequence that never stands or sits to get other arms, against 1 of one that always does."""

Part = Literal["train", "test"]
TEST_EVERY = 12


def load_clips(
    folder: Path,
    part: Part | None = None,
    *,
    skip_bad: bool = False,
    up_axis: UpAxis = "z",
    bvh_repair: bool = True,
) -> list[MotionClip]:
    """Reads the motion of one part under a folder, None of both; `load_motion_folder` also says what was left out.

    Raises:
        DatasetError: there is none, or one cannot be read and is not to be skipped.
    """
    found = load_motion_folder(folder, skip_bad=skip_bad, up_axis=up_axis, bvh_repair=bvh_repair)
    chosen = [clip for clip in found.clips if part in {None, part_of(clip.name)}]
    if not chosen:
        raise DatasetError(
            f"none of {len(found.clips)} motion clips is in the part '{part}'; one in {TEST_EVERY} is a "
            "test clip, by its name: give more motion"
        )
    return chosen


def part_of(name: str) -> Part:
    """The part a clip belongs to; by its name alone, so that more data moves no clip."""
    return "test" if zlib.crc32(name.encode()) % TEST_EVERY == 0 else "train"


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionShares:
    """What a pool consists of; standing and sitting are less than 1 together."""

    standing: float = 0.33
    sitting: float = 0.22
    """Of the frames; most of what webcams see is one of the two."""
    gestures: float = 0.25
    """Of the sequences: with arms of `gesturing_arms`, most of them standing or sitting ones."""
    looking: float = 0.3
    """Of the sequences: with the head of `looking_head`."""
    crouching: float = 0.2
    """Of the sequences: with the legs of `bent_legs`, most of them standing ones."""
    lying: float = 0.03
    """Of the sequences: turned onto the floor by `laid_down`."""


class MotionPool:
    """Equally long sequences, each spliced from random clips with cross-fades.

    Args:
        num_frames: length of each at `POOL_RATE_HZ`.
        shares: what the pool consists of; clips are weighted by `rarity_weights`, fitted to standing and sitting.
    """

    def __init__(
        self,
        clips: Sequence[MotionClip],
        num_sequences: int,
        num_frames: int,
        rng: np.random.Generator,
        shares: MotionShares = MotionShares(),
    ) -> None:
        # Whoever is laid down later stands and sits no more.
        upright = max(1.0 - shares.lying, shares.standing + shares.sitting)
        wanted = {
            Posture.STANDING: shares.standing / upright,
            Posture.SITTING: shares.sitting / upright,
        }
        weights = posture_weights(clips, rarity_weights(clips), wanted)
        chances = np.asarray(weights, np.float64)
        chances /= chances.sum()
        self.quats: FloatArray = np.empty((num_sequences, num_frames, 24, 4), np.float32)
        """(Q, N, 24, 4) local rotations, wxyz, neighbours in one hemisphere."""
        self.trans: FloatArray = np.empty((num_sequences, num_frames, 3), np.float32)
        """(Q, N, 3) pelvis [m]."""
        for row in range(num_sequences):
            quats, trans = _spliced(clips, chances, num_frames, rng)
            is_still = np.mean(postures(quats, trans) != Posture.OTHER) > _STILL_SHARE
            # One leg of a walk under somebody who sits would make neither.
            for part in _ARMS_AND_TRUNK if is_still else (*_LEGS, *_ARMS_AND_TRUNK):
                if rng.random() < _EXCHANGE_CHANCE:
                    other, _ = _spliced(clips, chances, num_frames, rng)
                    quats[:, part] = other[:, part]
            self.quats[row], self.trans[row] = continuous(quats), trans
        self._vary(shares, rng)

    def _vary(self, shares: MotionShares, rng: np.random.Generator) -> None:
        """Gives some sequences what recordings lack."""
        still = np.array(
            [
                np.mean(postures(quats, trans) != Posture.OTHER)
                for quats, trans in zip(self.quats, self.trans, strict=True)
            ]
        )
        for row in _drawn(shares.looking, np.ones_like(still), rng):
            self.quats[row][:, NECK_JOINTS] = looking_head(self.quats.shape[1], rng)
        for row in _drawn(shares.crouching, _LEAST_CHANCE + still**2, rng):
            self.quats[row], self.trans[row] = bent_legs(self.quats[row], self.trans[row], rng)
        # Hands are put where head and thighs are by now.
        for row in _drawn(shares.gestures, _LEAST_CHANCE + still**2, rng):
            self.quats[row][:, ARM_JOINTS] = gesturing_arms(self.quats[row], rng)
        for row in _drawn(shares.lying, np.ones_like(still), rng):
            self.quats[row], self.trans[row] = laid_down(self.quats[row], self.trans[row], rng)


def _drawn(share: float, chances: NDArray[np.float64], rng: np.random.Generator) -> list[int]:
    """Rows that get something: as many as a share of them says, more likely those with a high chance."""
    count = round(share * len(chances))
    rows = rng.choice(len(chances), count, replace=False, p=chances / chances.sum())
    return sorted(rows.tolist())


def rarity_weights(clips: Sequence[MotionClip]) -> FloatArray:
    """Chance of each clip: longer ones more, and those far from the average pose much more.

    Most recorded minutes are walking; people in front of a camera do other things.
    """
    body = [clip.quats[:, 1:22] for clip in clips]
    mean = np.mean(np.concatenate([part[::10] for part in body]), axis=0)
    mean /= np.linalg.norm(mean, axis=-1, keepdims=True)
    angles = [2 * np.arccos(np.clip(np.abs(np.sum(part * mean, axis=-1)), 0, 1)) for part in body]
    rarity = np.maximum([np.mean(angle) for angle in angles], _LEAST_RARITY_RAD)
    length = np.sqrt([min(len(clip.trans), 1200) for clip in clips])
    weights: FloatArray = (length * (rarity / rarity.mean()) ** 2).astype(np.float32)
    return weights


def _spliced(
    clips: Sequence[MotionClip],
    chances: NDArray[np.float64],
    num_frames: int,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """Joins random pieces until `num_frames` are full."""
    quats = np.empty((0, 24, 4), np.float32)
    trans = np.empty((0, 3), np.float32)
    while len(trans) < num_frames:
        clip = clips[int(rng.choice(len(clips), p=chances))]
        start = int(rng.integers(0, max(1, len(clip.trans) - 60)))
        piece_quats, piece_trans = clip.quats[start:], clip.trans[start:]
        if rng.random() < 0.15:
            piece_quats, piece_trans = piece_quats[::-1], piece_trans[::-1]
        quats, trans = _append(quats, trans, piece_quats, piece_trans)
    return quats[:num_frames].copy(), trans[:num_frames].copy()


def _append(
    quats: FloatArray, trans: FloatArray, new_quats: FloatArray, new_trans: FloatArray
) -> tuple[FloatArray, FloatArray]:
    if not len(trans):
        return new_quats, new_trans
    new_quats, new_trans = _headed_like(quats[-1, 0], new_quats, new_trans)
    # The new piece starts above the point where the old one ended; heights keep their own value.
    offset = trans[-1] - new_trans[0]
    offset[2] = 0.0
    new_trans = new_trans + offset
    fade = min(_BLEND_FRAMES, len(trans), len(new_trans))
    share = np.linspace(0.0, 1.0, fade + 2, dtype=np.float32)[1:-1]
    mixed = slerp_wxyz(continuous(quats[-fade:]), new_quats[:fade], share)
    mixed_trans = trans[-fade:] * (1 - share[:, None]) + new_trans[:fade] * share[:, None]
    return (
        np.concatenate([quats[:-fade], mixed, new_quats[fade:]]).astype(np.float32),
        np.concatenate([trans[:-fade], mixed_trans, new_trans[fade:]]).astype(np.float32),
    )


def _headed_like(
    root: FloatArray, new_quats: FloatArray, new_trans: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Turns a piece about the vertical so that it begins with a root's heading: nobody spins in a fade."""
    between = quat_product_wxyz(root, new_quats[0, 0] * _CONJUGATE)
    # The part of the turn between both that is about the vertical (swing and twist).
    twist = between[[0, 3]]
    size = float(np.linalg.norm(twist))
    if size < _LEAST_TWIST:  # one lies as the other stands on the head: any heading will do
        return new_quats, new_trans
    cos, sin = (twist / size).tolist()
    turned = new_quats.copy()
    turned[:, 0] = quat_product_wxyz(np.array([cos, 0, 0, sin], np.float32), new_quats[:, 0])
    c, s = cos * cos - sin * sin, 2 * cos * sin
    about_z = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]], np.float32)
    return turned, new_trans @ about_z
