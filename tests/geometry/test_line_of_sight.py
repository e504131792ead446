"""Axes of a line of sight: a turn without roll that brings the line onto the z axis."""

import numpy as np
import pytest

from realtime_vibe.geometry.line_of_sight import camera_from_sight, sight_from_camera

CENTERS = np.array([[0.0, 0.0], [0.5, 0.0], [0.0, -0.4], [-0.3, 0.6]])


def test_the_z_axis_becomes_the_line_and_nothing_is_stretched():
    ahead = np.tile([0.0, 0.0, 2.0], (4, 1, 1))
    turned = camera_from_sight(ahead, CENTERS)[:, 0]
    np.testing.assert_allclose(turned[:, :2] / turned[:, 2:], CENTERS, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(turned, axis=1), 2.0)


def test_there_and_back():
    points = np.random.default_rng(0).standard_normal((4, 7, 3))
    turned = camera_from_sight(points, CENTERS)
    np.testing.assert_allclose(sight_from_camera(turned, CENTERS), points, atol=1e-12)
    np.testing.assert_allclose(points @ points.mT, turned @ turned.mT, atol=1e-12)


def test_an_angle_to_the_side_turns_about_the_vertical():
    angle = np.radians(20.0)
    across = camera_from_sight(np.array([[1.0, 0.0, 0.0]]), np.array([np.tan(angle), 0.0]))[0]
    assert across == pytest.approx([np.cos(angle), 0.0, -np.sin(angle)])
