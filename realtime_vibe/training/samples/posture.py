"""Standing, sitting or neither, measured from joint angles, and clips weighted by it.

Names of clips say little, and recordings hold mostly people who walk, dance and jump; people in front of
a webcam mostly stand or sit. Legend: N frames, C clips. World frame: Z up [m].
"""

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.training.datasets.clip import POOL_RATE_HZ, FloatArray, MotionClip
from realtime_vibe.training.datasets.limb_angles import KNEES, hip_flexion_deg, interior_angle_deg

Array = NDArray[np.float64]

_STRAIGHT_KNEE_DEG = 160.0
_SITTING_HIP_DEG = (60.0, 120.0)
_SLOW_M_PER_S = 0.35
_SPEED_WINDOW_FRAMES = 30
"""0.5 s: the pelvis' speed is taken over so long, which sways and noise do not fill."""
_UPRIGHT_COS = 0.6
"""Of the trunk's lean against the vertical; beyond 53 degrees nobody stands or sits."""
_ROUNDS = 60
_SPLICE_TAIL_FRAMES = 60


class Posture(IntEnum):
    """What a frame shows."""

    OTHER = 0
    STANDING = 1
    """Upright, both knees straighter than 160 degrees, the pelvis slower than 0.35 m/s."""
    SITTING = 2
    """Upright, both hips flexed by 60 to 120 degrees, the pelvis as slow."""


def postures(quats: FloatArray, trans: FloatArray) -> NDArray[np.int8]:
    """(N,) `Posture` of each frame, from local `quats` (N, 24, 4) wxyz and the pelvis (N, 3) [m] at `POOL_RATE_HZ`."""
    still = (_pelvis_speed(trans) < _SLOW_M_PER_S) & (_up_cosine(quats[:, 0]) > _UPRIGHT_COS)
    standing, sitting = still.copy(), still
    low, high = _SITTING_HIP_DEG
    for knee in KNEES:
        standing &= interior_angle_deg(quats, knee) > _STRAIGHT_KNEE_DEG
        flexion = hip_flexion_deg(quats, knee)
        sitting = sitting & (flexion > low) & (flexion < high)
    result = np.zeros(len(trans), np.int8)
    result[standing], result[sitting] = Posture.STANDING, Posture.SITTING
    return result


def posture_weights(
    clips: Sequence[MotionClip], base: FloatArray, shares: dict[Posture, float]
) -> FloatArray:
    """Chance of each clip such that postures fill given shares of the frames that splicing takes.

    Each posture gets a factor, a clip the mean of its frames' factors; the factors are found by
    proportional fitting. A posture that no clip has is left out.

    Args:
        base: (C,) chances among clips of one posture.
        shares: wanted share of frames; `OTHER` has the rest.
    """
    frames = np.array([_spliced_frames(clip) for clip in clips])
    wanted = np.zeros(len(Posture))
    for posture, share in shares.items():
        wanted[posture] = share
    wanted[Posture.OTHER] = 1.0 - wanted.sum()
    portion = frames / frames.sum(1, keepdims=True)
    factors = np.ones(len(Posture))
    chances = np.asarray(base, np.float64)
    for _ in range(_ROUNDS):
        chances = base * (portion @ factors)
        shown = chances @ frames
        there = (shown > 0) & (wanted > 0)
        factors[there] *= wanted[there] / (shown / shown.sum())[there]
        factors /= factors.max()
    weights: FloatArray = (chances / chances.sum()).astype(np.float32)
    return weights


def _spliced_frames(clip: MotionClip) -> Array:
    """(3,) frames of each posture to expect when a clip is spliced in from a random frame to its end."""
    starts = max(1, len(clip.trans) - _SPLICE_TAIL_FRAMES)
    chance = np.minimum(np.arange(1, len(clip.trans) + 1), starts) / starts
    seen = postures(clip.quats, clip.trans)
    return np.bincount(seen, chance, len(Posture)).astype(np.float64)


def _pelvis_speed(trans: FloatArray) -> Array:
    """(N,) [m/s], over a window that is centred where the motion is long enough."""
    size = len(trans)
    half = min(_SPEED_WINDOW_FRAMES, size - 1) // 2
    rows = np.arange(size)
    first, last = np.maximum(rows - half, 0), np.minimum(rows + half, size - 1)
    distance = np.linalg.norm((trans[last] - trans[first]).astype(np.float64), axis=-1)
    speed: Array = distance * POOL_RATE_HZ / np.maximum(last - first, 1)
    return speed


def _up_cosine(root: FloatArray) -> Array:
    """(N,) cosine between the pelvis' own up (y) and the world's (z)."""
    w, x, y, z = root.astype(np.float64).T
    cosine: Array = 2 * (y * z + w * x)
    return cosine
