"""What hangs from the body and has vertices of its own: a skirt, long hair.

Legend: E extra vertices, F triangles. Rest frame: y up, facing +z, left arm along +x [m].
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.body.joints import SMPL_JOINT_NAMES
from realtime_vibe.training.render.clothing import EARS, RestBody, Surface

FloatArray = NDArray[np.float32]

_PELVIS, _LEFT_HIP, _RIGHT_HIP, _CHEST, _HEAD = (
    SMPL_JOINT_NAMES.index(name) for name in ("pelvis", "left_hip", "right_hip", "spine3", "head")
)


class Part(NamedTuple):
    """A mesh that moves with the skeleton."""

    rest: FloatArray
    """(E, 3)."""
    weights: FloatArray
    """(E, 24)."""
    faces: NDArray[np.int64]
    """(F, 3)."""
    surface: NDArray[np.uint8]
    """(E,)."""


def skirt(body: RestBody, rng: np.random.Generator) -> Part:
    """A cone from the waist; its sides follow the thighs the more the lower they hang."""
    rings, around = 18, 48
    hip = body.joints[[_LEFT_HIP, _RIGHT_HIP]].mean(axis=0)
    length = rng.uniform(0.35, 1.15) * (hip[1] - body.joint("left_knee")[1]) + 0.12
    flare = rng.uniform(0.03, 0.22)
    down = np.linspace(0.0, 1.0, rings)[:, None]
    angle = np.linspace(0, 2 * np.pi, around, endpoint=False)[None]
    radius = 0.165 + flare * down + 0.012 * down * np.sin(rng.integers(5, 12) * angle)
    points = np.stack(
        [
            hip[0] + radius * np.cos(angle),
            np.broadcast_to(hip[1] + 0.12 - length * down, radius.shape),
            hip[2] + 0.01 + 0.85 * radius * np.sin(angle),
        ],
        axis=-1,
    )
    follow = 0.75 * np.clip((down - 0.2) / 0.8, 0, 1) * np.ones_like(angle)
    left = 0.5 + 0.5 * np.tanh(3 * np.cos(angle)) * np.ones_like(down)
    weights = np.zeros((rings, around, len(SMPL_JOINT_NAMES)), np.float32)
    weights[..., _PELVIS] = 1 - follow
    weights[..., _LEFT_HIP] = follow * left
    weights[..., _RIGHT_HIP] = follow * (1 - left)
    count = rings * around
    return Part(
        points.reshape(count, 3).astype(np.float32),
        weights.reshape(count, -1),
        _grid_faces(rings, around),
        np.full(count, Surface.BOTTOM, np.uint8),
    )


def long_hair(body: RestBody, rng: np.random.Generator) -> Part:
    """An ellipsoid behind head and neck, or, narrow, a pony tail."""
    rings, around = 14, 20
    ears = body.landmarks[list(EARS)].mean(axis=0)
    half = np.array([rng.uniform(0.03, 0.105), rng.uniform(0.10, 0.22), rng.uniform(0.03, 0.06)])
    center = ears + np.array([0.0, 0.07 - half[1], -0.06])
    polar = np.linspace(0.0, np.pi, rings)[:, None]
    angle = np.linspace(0, 2 * np.pi, around, endpoint=False)[None]
    unit = np.stack(
        [
            np.sin(polar) * np.cos(angle),
            np.cos(polar) * np.ones_like(angle),
            np.sin(polar) * np.sin(angle),
        ],
        axis=-1,
    )
    points = (center + half * unit).reshape(-1, 3).astype(np.float32)
    weights = np.zeros((len(points), len(SMPL_JOINT_NAMES)), np.float32)
    chest = np.clip((body.joint("neck")[1] - points[:, 1]) / 0.15, 0, 0.6)
    weights[:, _HEAD], weights[:, _CHEST] = 1 - chest, chest
    surface = np.full(len(points), Surface.HAIR, np.uint8)
    return Part(points, weights, _grid_faces(rings, around), surface)


def _grid_faces(rings: int, around: int) -> NDArray[np.int64]:
    """Triangles of a tube of `rings` rings of `around` points."""
    ring, step = np.meshgrid(np.arange(rings - 1), np.arange(around), indexing="ij")
    here, beside = ring * around + step, ring * around + (step + 1) % around
    below, across = here + around, beside + around
    upper = np.stack([here, beside, below], axis=-1)
    lower = np.stack([beside, across, below], axis=-1)
    return np.concatenate([upper.reshape(-1, 3), lower.reshape(-1, 3)])
