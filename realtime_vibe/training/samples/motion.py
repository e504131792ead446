"""Motion clips, joined into long, varied sequences.

Legend: N frames, J = 24 SMPL joints. World frame: Z up [m].
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.training.datasets.clip import (
    POOL_RATE_HZ,
    FloatArray,
    MotionClip,
    continuous,
    normalised,
)
from realtime_vibe.training.datasets.motion_folder import load_motion_folder

__all__ = ["POOL_RATE_HZ", "FloatArray", "MotionClip", "MotionPool", "load_clips", "rarity_weights"]

_BLEND_FRAMES = 24
"""0.4 s of cross-fade where one clip follows another."""
_PARTS = (
    (1, 4, 7, 10),
    (2, 5, 8, 11),
    (16, 18, 20, 22),
    (17, 19, 21, 23),
    (3, 6, 9, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23),
)
"""Left leg, right leg, left arm, right arm, upper body: what may come from another clip."""
_EXCHANGE_CHANCE = 0.12
"""Of each part: few hours of motion hold too few combinations of arms and legs."""


def load_clips(folder: Path, *, skip_bad: bool = False) -> list[MotionClip]:
    """Reads all motion under a folder; see `load_motion_folder`, which also says what was left out.

    Raises:
        DatasetError: there is none, or one cannot be read and is not to be skipped.
    """
    return list(load_motion_folder(folder, skip_bad=skip_bad).clips)


class MotionPool:
    """Equally long sequences, each spliced from random clips with cross-fades.

    Args:
        clips: what to splice.
        num_sequences: how many sequences to make.
        num_frames: length of each at `POOL_RATE_HZ`.
        rng: source of all choices.
        weights: chance of each clip; None uses `rarity_weights`.
    """

    def __init__(
        self,
        clips: Sequence[MotionClip],
        num_sequences: int,
        num_frames: int,
        rng: np.random.Generator,
        weights: FloatArray | None = None,
    ) -> None:
        if weights is None:
            weights = rarity_weights(clips)
        chances = np.asarray(weights, np.float64)
        chances /= chances.sum()
        self.quats: FloatArray = np.empty((num_sequences, num_frames, 24, 4), np.float32)
        self.trans: FloatArray = np.empty((num_sequences, num_frames, 3), np.float32)
        for row in range(num_sequences):
            quats, trans = _spliced(clips, chances, num_frames, rng)
            for part in _PARTS:
                if rng.random() < _EXCHANGE_CHANCE:
                    other, _ = _spliced(clips, chances, num_frames, rng)
                    quats[:, part] = other[:, part]
            self.quats[row], self.trans[row] = continuous(quats), trans


def rarity_weights(clips: Sequence[MotionClip]) -> FloatArray:
    """Chance of each clip: longer ones more, and those far from the average pose much more.

    Most recorded minutes are walking; people in front of a camera do other things.
    """
    body = [clip.quats[:, 1:22] for clip in clips]
    mean = np.mean(np.concatenate([part[::10] for part in body]), axis=0)
    mean /= np.linalg.norm(mean, axis=-1, keepdims=True)
    angles = [2 * np.arccos(np.clip(np.abs(np.sum(part * mean, axis=-1)), 0, 1)) for part in body]
    rarity = np.array([np.mean(angle) for angle in angles])
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
    # The new piece starts above the point where the old one ended; heights keep their own value.
    offset = trans[-1] - new_trans[0]
    offset[2] = 0.0
    new_trans = new_trans + offset
    fade = min(_BLEND_FRAMES, len(trans), len(new_trans))
    share = np.linspace(0.0, 1.0, fade + 2, dtype=np.float32)[1:-1]
    near = np.where(np.sum(quats[-fade:] * new_quats[:fade], axis=-1, keepdims=True) < 0, -1.0, 1.0)
    mixed = (
        quats[-fade:] * (1 - share[:, None, None]) + near * new_quats[:fade] * share[:, None, None]
    )
    mixed_trans = trans[-fade:] * (1 - share[:, None]) + new_trans[:fade] * share[:, None]
    return (
        np.concatenate([quats[:-fade], normalised(mixed), new_quats[fade:]]).astype(np.float32),
        np.concatenate([trans[:-fade], mixed_trans, new_trans[fade:]]).astype(np.float32),
    )
