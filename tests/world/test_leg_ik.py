"""Covers two-bone inverse kinematics: targets are reached, bones keep their lengths."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_vibe.geometry.rotation import rotmat_from_axis_angle
from realtime_vibe.world.leg_ik import Leg, out_of_reach, reach
from realtime_vibe.world.single_rotations import (
    cross_product,
    rotation_about,
    rotation_between,
    vector_of,
)

THIGH, SHIN = np.array([0, -0.4, 0.02], np.float32), np.array([0, -0.42, -0.03], np.float32)
angles = st.floats(-1.2, 1.2)


def _leg(hip, knee_bend):
    thigh = rotmat_from_axis_angle(np.array(hip, np.float32))
    shin = thigh @ rotmat_from_axis_angle(np.array([knee_bend, 0, 0], np.float32))
    start = np.array([0.1, 0.9, 3.0], np.float32)
    return Leg(
        hip=start,
        knee=start + thigh @ THIGH,
        ankle=start + thigh @ THIGH + shin @ SHIN,
        thigh=thigh,
        shin=shin,
    )


@settings(deadline=None)
@given(
    st.tuples(angles, angles, angles), st.floats(0.0, 2.0), st.tuples(*[st.floats(-0.2, 0.2)] * 3)
)
def test_the_ankle_comes_to_the_target(hip, bend, offset):
    leg = _leg(hip, bend)
    target = leg.ankle + np.array(offset, np.float32)
    away_m = np.linalg.norm(target - leg.hip)
    if not 0.1 < away_m < 0.81:
        return
    thigh, shin = reach(leg, target)
    for rotation in (thigh, shin):
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-4)
    np.testing.assert_allclose(leg.hip + thigh @ THIGH + shin @ SHIN, target, atol=2e-3)


def test_nothing_turns_when_the_ankle_is_there():
    leg = _leg((0.3, 0.1, -0.2), 0.6)
    thigh, shin = reach(leg, leg.ankle)
    np.testing.assert_allclose(thigh, leg.thigh, atol=1e-4)
    np.testing.assert_allclose(shin, leg.shin, atol=1e-4)


def test_a_target_too_far_away_says_how_the_hip_must_move():
    leg = _leg((0.0, 0.0, 0.0), 0.1)
    target = leg.hip + np.array([0, -1.0, 0], np.float32)
    missing = out_of_reach(leg, target)
    assert missing[1] == pytest.approx(-(1.0 - 0.822), abs=0.01)
    thigh, shin = reach(leg, target)
    end = leg.hip + thigh @ THIGH + shin @ SHIN
    np.testing.assert_allclose(end - leg.hip, target - leg.hip - missing, atol=0.01)
    np.testing.assert_array_equal(out_of_reach(leg, leg.ankle), 0)


@settings(deadline=None)
@given(st.tuples(angles, angles, angles), st.tuples(angles, angles, angles))
def test_single_rotations_agree_with_those_of_arrays(first, second):
    a, b = np.array(first, np.float32), np.array(second, np.float32)
    np.testing.assert_allclose(rotation_about(a), rotmat_from_axis_angle(a), atol=1e-5)
    np.testing.assert_allclose(vector_of(rotation_about(a)), a, atol=1e-4)
    np.testing.assert_allclose(cross_product(a, b), np.cross(a, b), atol=1e-5)
    if min(np.linalg.norm(a), np.linalg.norm(b)) > 0.1:
        turned = rotation_between(a, b) @ a / np.linalg.norm(a)
        if a @ b > -0.9 * np.linalg.norm(a) * np.linalg.norm(b):
            np.testing.assert_allclose(turned, b / np.linalg.norm(b), atol=1e-3)


def test_opposite_directions_have_no_rotation_between_them():
    up = np.array([0, 1, 0], np.float32)
    np.testing.assert_array_equal(rotation_between(up, -up), np.eye(3))
    np.testing.assert_array_equal(rotation_between(up, 0 * up), np.eye(3))
