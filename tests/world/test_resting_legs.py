"""Covers upper-body mode: when it begins and ends, what the legs do meanwhile."""

import numpy as np
import pytest

from realtime_vibe.geometry.rotation import rotmat_from_axis_angle
from realtime_vibe.world.corrections import BodyCorrections
from realtime_vibe.world.resting_legs import RestingLegs
from tests.world.conftest import SIZE, STILL, facing

UP = np.array([0, -1, 0], np.float32)
LEGS = [0, 1, 3, 4]
PLACE = [0, 0.1, 4.0]


def _flailing(rng):
    pose = STILL.copy()
    turns = rng.normal(0, 0.4, (4, 3)).astype(np.float32)
    pose[LEGS] = rotmat_from_axis_angle(turns)
    return pose


def _run(stage, visibilities, pose_of, orient=None):
    legs, out = RestingLegs(), []
    for index, visibility in enumerate(visibilities):
        stage.visibility = np.full(33, visibility, np.float32)
        params = stage.params(facing() if orient is None else orient, PLACE, body_pose=pose_of())
        marks = stage.person(params, PLACE).person.landmarks
        out.append(legs.update(marks, params, (SIZE, index / 30), UP))
    return legs, np.stack([params.body_pose for params in out])


def test_legs_in_view_stay_as_they_are_seen(stage):
    rng = np.random.default_rng(0)
    poses = [_flailing(rng) for _ in range(20)]
    legs, out = _run(stage, [0.9] * 20, iter(poses).__next__)
    np.testing.assert_array_equal(out, poses)
    assert legs.share == 0.0


def test_legs_out_of_view_from_the_start_rest_only_after_frames_that_agree(stage):
    rng = np.random.default_rng(1)
    poses = [_flailing(rng) for _ in range(60)]
    legs, out = _run(stage, [0.02] * 60, iter(poses).__next__)
    np.testing.assert_array_equal(out[:10], poses[:10])
    assert legs.share == 1.0
    assert np.abs(np.diff(out[45:, LEGS], axis=0)).max() < 1e-5


def test_legs_beyond_the_edge_stand_at_once_and_sit_down_smoothly(stage):
    stage.visibility = np.full(33, 0.9, np.float32)
    sitting = STILL.copy()
    sitting[[0, 1]] = rotmat_from_axis_angle(np.array([-1.4, 0, 0], np.float32))
    place, legs, out = [0, 0.1, 1.2], RestingLegs(), []
    for index in range(90):
        params = stage.params(facing(), place, body_pose=sitting)
        marks = stage.person(stage.params(facing(), place), place).person.landmarks
        out.append(legs.update(marks, params, (SIZE, index / 30), UP).body_pose[LEGS])
    np.testing.assert_allclose(out[0], STILL[LEGS], atol=0.05)
    np.testing.assert_allclose(out[-1][2:, 1, 1], np.cos(1.45), atol=0.01)  # knees
    assert np.abs(np.diff(out, axis=0)).max() < 0.08


def test_somebody_who_stands_is_not_seated_by_a_poor_first_frame(stage):
    bent = STILL.copy()
    bent[[0, 1]] = rotmat_from_axis_angle(np.array([-1.4, 0, 0], np.float32))
    poses = [bent] + [STILL] * 59
    _, out = _run(stage, [0.02] * 60, iter(poses).__next__)
    assert out[10:, :2, 1, 1].min() > 0.9


def test_going_to_rest_and_back_is_smooth(stage):
    rng = np.random.default_rng(2)
    pose = _flailing(rng)
    legs, out = _run(stage, [0.9] * 10 + [0.02] * 60 + [0.9] * 60, lambda: pose)
    np.testing.assert_array_equal(out[:22], np.tile(pose, (22, 1, 1, 1)))  # not at once
    assert not np.allclose(out[60, LEGS], pose[LEGS], atol=0.1)
    np.testing.assert_allclose(out[-1], pose, atol=1e-5)
    assert np.abs(np.diff(out, axis=0)).max() < 0.12
    assert legs.share == 0.0


def test_a_short_glance_away_changes_nothing(stage):
    pose = _flailing(np.random.default_rng(3))
    _, out = _run(stage, [0.9] * 10 + [0.02] * 9 + [0.9] * 10, lambda: pose)
    np.testing.assert_array_equal(out, np.tile(pose, (29, 1, 1, 1)))


@pytest.mark.parametrize(("bend_rad", "sits"), [(0.1, False), (1.4, True)])
def test_sitting_or_standing_by_what_was_seen(stage, bend_rad, sits):
    pose = STILL.copy()
    pose[[0, 1]] = rotmat_from_axis_angle(np.array([-bend_rad, 0, 0], np.float32))
    _, out = _run(stage, [0.02] * 60, lambda: pose)
    thigh_down = -(out[-1, 0] @ [0, -1.0, 0])[1] * -1.0
    assert (thigh_down > -0.5) == sits


def test_resting_legs_hang_straight_however_the_pelvis_is_guessed(stage, body):
    tilted = rotmat_from_axis_angle(np.array([0.5, 0, 0.2], np.float32)) @ facing()
    _, out = _run(stage, [0.02] * 45, lambda: STILL, orient=tilted)
    joints = body.joints(tilted, out[-1], np.zeros(10, np.float32), np.zeros(3, np.float32))
    for hip, ankle in ((1, 7), (2, 8)):
        leg = joints[ankle] - joints[hip]
        assert leg @ -UP / np.linalg.norm(leg) > 0.99


def test_feet_that_nobody_sees_are_not_locked(model, stage):
    corrections = BodyCorrections(model, foot_lock=True, rest_legs=True)
    stage.visibility = np.full(33, 0.02, np.float32)
    rng = np.random.default_rng(4)
    for index in range(20):
        place = np.array([rng.normal(0, 0.02), 0.1, 4.0], np.float32)
        params = stage.params(facing(), place)
        person = stage.person(params, place).person
        _, transl = corrections.correct(person, params, place, SIZE, index / 30)
        np.testing.assert_array_equal(transl, place)


def test_trackers_without_landmarks_change_nothing(stage):
    params = stage.params(facing(), PLACE)
    assert RestingLegs().update(None, params, (SIZE, 0.0), UP) is params
