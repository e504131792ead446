"""Angles and flips of bodies that are bent and exchanged on purpose."""

import numpy as np
import pytest

from benchmarks.accuracy_joints import full_joint_name
from benchmarks.accuracy_posture import STRAIGHT_SMPL_DEG, mean_posture, score_posture

FRAMES, FPS = 60, 30.0


@pytest.fixture
def names(limb_names):
    return tuple(full_joint_name(name) for name in limb_names)


def body(names, *, knee_deg=180.0, lean_deg=0.0, yaw_deg=0.0):
    """(12, 3) somebody facing the camera; knees bend backwards, the trunk leans forward."""
    knee, lean = np.radians(180.0 - knee_deg), np.radians(lean_deg)
    at = {}
    for side, x in (("left", 0.2), ("right", -0.2)):
        shoulder = np.array([x, -0.5 * np.cos(lean), -0.5 * np.sin(lean)])
        at[f"{side}_hip"] = np.array([x, 0, 0])
        at[f"{side}_shoulder"] = shoulder
        at[f"{side}_elbow"] = shoulder + np.array([0.3 * np.sign(x), 0, 0])
        at[f"{side}_wrist"] = shoulder + np.array([0.5 * np.sign(x), 0, 0])
        at[f"{side}_knee"] = np.array([x, 0.4, 0])
        at[f"{side}_ankle"] = np.array([x, 0.4 + 0.4 * np.cos(knee), 0.4 * np.sin(knee)])
    angle = np.radians(yaw_deg)
    turn = np.array(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    )
    return np.stack([at[name] for name in names]) @ turn.T


def repeated(joints):
    return np.tile(joints, (FRAMES, 1, 1))


@pytest.mark.parametrize("yaw_deg", [0.0, 90.0, 200.0])
def test_bent_knees_and_a_forward_lean_are_said_in_degrees(names, yaw_deg):
    truth = repeated(body(names, yaw_deg=yaw_deg))
    estimate = repeated(body(names, knee_deg=150.0, lean_deg=12.0, yaw_deg=yaw_deg))
    posture = score_posture(estimate, truth, names, FPS)
    assert posture.knee == pytest.approx(30)
    assert posture.knee_bias == pytest.approx(-30)
    assert posture.straight_left_knee == pytest.approx(30)
    assert posture.straight_right_knee == pytest.approx(30)
    assert posture.straight_share == 1.0
    assert posture.elbow == pytest.approx(0, abs=1e-4)
    assert (posture.trunk, posture.trunk_forward) == pytest.approx((12, 12))
    assert (posture.flips_per_min, posture.flipped_percent) == (0, 0)


def test_only_knees_that_are_straight_in_truth_count_as_such(names):
    truth, estimate = repeated(body(names, knee_deg=170.0)), repeated(body(names))
    posture = score_posture(estimate, truth, names, FPS)
    assert posture.knee_bias == pytest.approx(10)
    assert np.isnan(posture.straight_left_knee)
    assert posture.straight_share == 0.0


def test_every_burst_of_exchanged_limbs_is_one_flip(names):
    truth = repeated(body(names))
    estimate = truth.copy()
    legs = [
        names.index(f"{side}_{kind}") for kind in ("knee", "ankle") for side in ("left", "right")
    ]
    other = [legs[1], legs[0], legs[3], legs[2]]
    for burst in (slice(10, 13), slice(30, 36)):
        estimate[burst][:, legs] = truth[burst][:, other]
    estimate[50] = np.nan  # nobody found
    posture = score_posture(estimate, truth, names, FPS)
    seconds = (FRAMES - 1) / FPS
    assert posture.flips_per_min == pytest.approx(2 * 60 / seconds)
    assert posture.flipped_percent == pytest.approx(100 * 9 / (FRAMES - 1))


def test_a_truth_without_legs_says_nothing_of_knees(names):
    upper = [row for row, name in enumerate(names) if "shoulder" in name or "hip" in name]
    joints = repeated(body(names))[:, upper]
    posture = score_posture(joints, joints, [names[row] for row in upper], FPS)
    assert np.isnan(posture.knee)
    assert np.isnan(posture.elbow)
    assert posture.trunk == pytest.approx(0)
    known = score_posture(repeated(body(names)), repeated(body(names)), names, FPS)
    assert mean_posture([posture, known]).knee == pytest.approx(known.knee)


def test_what_is_straight_depends_on_the_truths_joints(names):
    truth, estimate = repeated(body(names, knee_deg=172.0)), repeated(body(names, knee_deg=160.0))
    posture = score_posture(estimate, truth, names, FPS, STRAIGHT_SMPL_DEG)
    assert posture.straight_left_knee == pytest.approx(12)
    assert posture.straight_share == 1.0
