"""Covers levelling: a tilted camera is found from who stands, a level one stays level, nothing else tells."""

import math

import numpy as np
import pytest

from realtime_vibe.geometry.axes import T_WORLD_CAMERA
from realtime_vibe.geometry.rotation import rotmat_from_axis_angle
from realtime_vibe.world.leveler import LEVEL, LEVELLING, Leveler
from tests.world.conftest import SIZE, STILL, facing

UP = np.array([0.0, -1.0, 0.0])
SITTING = STILL.copy()
SITTING[[0, 1]] = rotmat_from_axis_angle(np.array([-1.4, 0, 0], np.float32))
SITTING[[3, 4]] = rotmat_from_axis_angle(np.array([1.4, 0, 0], np.float32))


def _tilted(pitch_deg: float, roll_deg: float = 0.0) -> np.ndarray:
    angles = np.deg2rad([[pitch_deg, 0, 0], [0, 0, roll_deg]]).astype(np.float32)
    pitch, roll = rotmat_from_axis_angle(angles)
    return np.asarray(pitch @ roll)


class Watched:
    """A leveler that looks at one pose, turned as a tilted camera sees it."""

    def __init__(self, stage, body_pose=STILL, orient=None):
        self.stage, self.body_pose = stage, body_pose
        self.orient = facing() if orient is None else orient
        self.leveler, self.ups, self.states, self.now_s = Leveler(), [UP], [""], 0.0
        self.size = SIZE

    def watch(self, camera, seconds, rate_hz=10.0):
        transl = camera @ np.float32([0.2, 0.3, 3.5])
        params = self.stage.params(camera @ self.orient, transl, body_pose=self.body_pose)
        person = self.stage.person(params, transl)
        for _ in range(round(seconds * rate_hz)):
            self.now_s += 1 / rate_hz
            self.leveler.update((person,), self.now_s, self.size)
            self.ups.append(self.leveler.T_world_camera[2, :3])
            self.states.append(self.leveler.state)

    def off_deg(self, up):
        return math.degrees(math.acos(min(1.0, float(self.ups[-1] @ up))))


@pytest.mark.parametrize("rate_hz", [5.0, 30.0])
def test_a_tilted_camera_is_found_soon_and_without_a_jump(stage, rate_hz):
    camera = _tilted(20, 10)
    seen = Watched(stage)
    seen.watch(camera, 1.5, rate_hz)
    assert seen.off_deg(camera @ UP) < 8.0
    seen.watch(camera, 8.5, rate_hz)
    assert seen.off_deg(camera @ UP) < 3.0
    assert list(dict.fromkeys(seen.states)) == ["", LEVELLING, LEVEL]
    steps = np.arccos(np.clip(np.sum(np.array(seen.ups[1:]) * seen.ups[:-1], axis=1), -1, 1))
    speeds = np.rad2deg(steps) * rate_hz
    assert speeds.max() < 46.0
    assert speeds[round(7 * rate_hz) :].max() < 9.0
    np.testing.assert_allclose(
        seen.leveler.T_world_camera[:3, :3] @ seen.leveler.T_world_camera[:3, :3].T,
        np.eye(3),
        atol=1e-5,
    )
    assert seen.leveler.T_world_camera[2, 3] == 0.0  # nobody measured the camera's height


def test_a_level_camera_stays_level_though_somebody_leans(stage):
    seen = Watched(stage)
    seen.watch(_tilted(2), 10.0)
    np.testing.assert_array_equal(seen.leveler.T_world_camera, T_WORLD_CAMERA)
    assert seen.states[-1] == LEVEL


def test_a_camera_moved_by_hand_is_found_anew_within_seconds(stage):
    seen = Watched(stage)
    seen.watch(_tilted(0), 30.0)
    for moved in (_tilted(15, 8), _tilted(0)):
        seen.watch(moved, 3.5)
        assert seen.off_deg(moved @ UP) < 3.5


def test_nobody_who_stands_says_nothing(stage, subtests):
    for case, body_pose, lying_deg, visibility, size in (
        ("sitting", SITTING, 0, 1.0, SIZE),
        ("lying", STILL, 80, 1.0, SIZE),
        ("feet out of view", STILL, 0, 0.1, SIZE),
        ("beyond the edge", STILL, 0, 1.0, (340, 480)),
    ):
        with subtests.test(case):
            stage.visibility = np.full(33, visibility, np.float32)
            seen = Watched(stage, body_pose, _tilted(lying_deg) @ facing())
            seen.size = size
            seen.watch(_tilted(20), 6.0)
            np.testing.assert_array_equal(seen.leveler.T_world_camera, T_WORLD_CAMERA)
            assert seen.states[-1] == ""


def test_whoever_sits_down_or_leaves_changes_nothing(stage):
    seen = Watched(stage)
    seen.watch(_tilted(20), 8.0)
    before = seen.ups[-1]
    seen.body_pose = SITTING
    seen.watch(_tilted(20), 8.0)
    seen.leveler.update((), seen.now_s + 60.0)
    np.testing.assert_allclose(seen.leveler.T_world_camera[2, :3], before, atol=0.01)
