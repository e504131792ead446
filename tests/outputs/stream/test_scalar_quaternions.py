"""Covers quaternions in plain Python: any rotation, half turns included, and steady signs."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from realtime_vibe.outputs.stream.scalar_quaternions import steady_quats_xyzw


def test_random_rotations_are_those_of_scipy() -> None:
    turns = Rotation.random(1000, rng=np.random.default_rng(0))
    quats = steady_quats_xyzw(turns.as_matrix(), None)
    assert min(quat[3] for quat in quats) >= 0
    assert (Rotation.from_quat(quats).inv() * turns).magnitude().max() < 1e-7


def test_no_turn_and_half_turns_about_every_axis(subtests: pytest.Subtests) -> None:
    for angle in [0.0, 1e-6, np.pi - 1e-6, np.pi]:
        with subtests.test(angle=angle):
            axes = np.array(
                [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, -1, 1], [-1, 2, 3]], float
            )
            axes /= np.linalg.norm(axes, axis=1, keepdims=True)
            turns = Rotation.from_rotvec(angle * axes)
            quats = steady_quats_xyzw(turns.as_matrix().astype(np.float32), None)
            assert (Rotation.from_quat(quats).inv() * turns).magnitude().max() < 1e-6


def test_signs_follow_the_frame_before() -> None:
    angles = np.linspace(0, 4 * np.pi, 100)
    last = None
    for angle in angles:
        quats = steady_quats_xyzw(Rotation.from_rotvec([[0, angle, 0]]).as_matrix(), last)
        assert last is None or np.abs(np.subtract(quats, last)).max() < 0.1
        last = quats
