"""Synthetic people who stand, sit or walk; for tests of postures and of what is added to them."""

import numpy as np

from realtime_vibe.training.datasets.clip import MotionClip

FRAMES = 400
UPRIGHT = np.array([np.sqrt(0.5), np.sqrt(0.5), 0, 0], np.float32)
"""SMPL's y up becomes the world's z."""


def about_x(angle_rad):
    """(..., 4) quaternions about the body's left."""
    half = 0.5 * np.asarray(angle_rad, np.float32)
    zero = np.zeros_like(half)
    return np.stack([np.cos(half), np.sin(half), zero, zero], -1)


def person(name, *, hip_rad=0.0, knee_rad=0.0, speed=0.0, frames=FRAMES):
    """Somebody with both legs bent alike (hips flexed, knees flexed) who moves along x [m/s]."""
    quats = np.zeros((frames, 24, 4), np.float32)
    quats[..., 0] = 1.0
    quats[:, 0] = UPRIGHT
    quats[:, 1] = quats[:, 2] = about_x(-hip_rad)
    quats[:, 4] = quats[:, 5] = about_x(knee_rad)
    trans = np.zeros((frames, 3), np.float32)
    trans[:, 0], trans[:, 2] = speed * np.arange(frames) / 60.0, 0.95
    return MotionClip(name=name, quats=quats, trans=trans)


def standing():
    return person("stands")


def sitting():
    return person("sits", hip_rad=np.deg2rad(88), knee_rad=np.deg2rad(85))


def walking():
    return person("walks", hip_rad=0.3, knee_rad=0.6, speed=1.3)
