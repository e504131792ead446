"""Bodies laid on the floor: on the back, the front or a side. Legend: N frames. World frame: Z up [m]."""

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.geometry.rotation import (
    quat_product_wxyz,
    quat_wxyz_from_rotmat,
    rotmat_from_axis_angle,
    rotmat_from_quat_wxyz,
)
from realtime_vibe.geometry.smpl_skeleton import REST_JOINTS_M, bone_offsets, joint_positions
from realtime_vibe.training.datasets.clip import FloatArray, continuous

Array = NDArray[np.float64]

FLESH_M = 0.08
"""From the lowest joint to the floor."""
_SIDES = {"back": (-1.0, 0.0), "front": (1.0, 0.0), "left": (0.0, -1.0), "right": (0.0, 1.0)}
"""Axis of the quarter turn that lays somebody so, as shares of the body's own left and of its front."""
_CHANCES = (0.45, 0.15, 0.2, 0.2)
_LEAN_STD_RAD = 0.2
_SMOOTH_FRAMES = 31


def laid_down(
    quats: FloatArray, trans: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Turns an upright motion about a horizontal axis and rests its lowest joint near the floor.

    Args:
        quats: (N, 24, 4) local rotations, wxyz.
        trans: (N, 3) pelvis [m]; what it moved across the floor is dropped.
    """
    side = str(rng.choice(list(_SIDES), p=_CHANCES))
    root = rotmat_from_quat_wxyz(quats[:, 0].astype(np.float64))
    left = root[:, :, 0].mean(axis=0) * [1.0, 1.0, 0.0]
    left = left / max(float(np.linalg.norm(left)), 1e-6) if np.any(left) else np.eye(3)[0]
    ahead = np.cross(left, [0.0, 0.0, 1.0])
    share = _SIDES[side]
    angle = 0.5 * np.pi + _LEAN_STD_RAD * rng.standard_normal()
    turn = rotmat_from_axis_angle((share[0] * left + share[1] * ahead) * angle)
    result = quats.copy()
    result[:, 0] = quat_product_wxyz(quat_wxyz_from_rotmat(turn)[None], quats[:, 0])
    place = np.tile(trans.mean(axis=0), (len(trans), 1)).astype(np.float32)
    place[:, 2] = _height(result)
    return continuous(result), place


def _height(quats: FloatArray) -> Array:
    """(N,) of the pelvis such that the lowest joint is `FLESH_M` above the floor, smoothed over time."""
    turns = rotmat_from_quat_wxyz(quats.astype(np.float64))
    joints = joint_positions(turns, bone_offsets(REST_JOINTS_M), np.zeros((len(quats), 3)))
    height = FLESH_M - joints[..., 2].min(axis=1)
    padded = np.pad(height, _SMOOTH_FRAMES // 2, mode="edge")
    return np.convolve(padded, np.full(_SMOOTH_FRAMES, 1 / _SMOOTH_FRAMES), mode="valid")
