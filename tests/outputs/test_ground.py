"""Covers the level frame that people are shown in: upright, and at rest while the vertical is being found."""

from dataclasses import replace

import numpy as np

from realtime_vibe.geometry.axes import T_WORLD_CAMERA
from realtime_vibe.geometry.rotation import rotmat_from_axis_angle
from realtime_vibe.outputs.ground import GroundLevel, LevelView
from realtime_vibe.outputs.stream.humanoid import HumanoidRoom
from realtime_vibe.packets import BodyMesh, FrameResult, PoseLandmarks
from tests.outputs.record.posed_takes import results


def _seen_by(result: FrameResult, pitch_rad: float) -> FrameResult:
    """The same with a world that a camera sees from so much above."""
    world = np.array(T_WORLD_CAMERA)
    world[:3, :3] @= rotmat_from_axis_angle(np.array([-pitch_rad, 0, 0], np.float32))
    return replace(result, T_world_camera=world)


def test_a_level_camera_changes_nothing() -> None:
    (result,) = results([0.0])
    assert LevelView().of(result) is result


def test_bodies_are_shown_upright() -> None:
    (result,) = results([0.0])
    turned = LevelView().of(_seen_by(result, 0.3)).people[0].mesh
    mesh = result.people[0].mesh
    up = rotmat_from_axis_angle(np.array([0.3, 0, 0], np.float32)) @ [0, -1, 0]
    for name in ("joints", "vertices"):
        before, after = getattr(mesh, name), getattr(turned, name)
        heights = -(after - turned.joints[0])[:, 1]
        np.testing.assert_allclose(heights, (before - mesh.joints[0]) @ up, atol=1e-5)


def test_the_pelvis_rests_while_the_world_turns() -> None:
    (result,) = results([0.0])
    view, room = LevelView(), HumanoidRoom()
    shown, sent = [], []
    for pitch_rad in np.linspace(0.0, 0.4, 9):
        seen = _seen_by(result, float(pitch_rad))
        shown.append(view.of(seen).people[0].mesh.joints[0])
        pose = room.pose(seen.people[0], 10 * float(pitch_rad), seen.T_world_camera)
        sent.append(pose.positions[0, [0, 2]])
    np.testing.assert_allclose(shown, np.broadcast_to(shown[0], (9, 3)), atol=1e-4)
    np.testing.assert_allclose(sent, np.zeros((9, 2)), atol=1e-4)


def _standing(at_s: float, track_id: int, lowest_m: float, feet_y_px: float) -> FrameResult:
    """Somebody whose lowest vertex and whose ankles in the picture lie at stated places."""
    (result,) = results([at_s])
    person = result.people[0]
    image_px = np.full((33, 3), 10.0, np.float32)
    image_px[27:29, 1] = feet_y_px
    marks = PoseLandmarks(
        image_px=image_px,
        world_m=np.zeros((33, 3), np.float32),
        visibility=np.ones(33, np.float32),
        presence=1.0,
    )
    mesh = BodyMesh.of(
        np.array([[0, lowest_m, 3]], np.float32), person.mesh.joints, person.mesh.transl
    )
    tracked = replace(person.person, track_id=track_id, landmarks=marks)
    return replace(result, people=(replace(person, person=tracked, mesh=mesh),))


def test_only_feet_in_view_set_the_floor_and_a_newcomer_has_one_of_their_own() -> None:
    ground = GroundLevel()
    height = results([0.0])[0].frame.image_bgr.shape[0]
    ground.follow(_standing(0.0, 0, 1.6, height - 1))
    assert ground.level_m == np.float32(1.6)
    ground.follow(_standing(0.03, 0, 4.0, height + 50))  # legs that nobody sees
    assert ground.level_m == np.float32(1.6)
    ground.follow(_standing(0.06, 1, 0.9, height - 1))
    assert ground.level_m == np.float32(0.9)
    for index in range(30):  # half a body that comes nearer does not float
        ground.follow(_standing(0.1 + index / 30, 2, 1.6 - index / 30, height + 50))
    assert abs(ground.level_m - (1.6 - 29 / 30)) < 0.1
    ground.follow(_standing(1.1, 1, 0.9, height - 1))
    assert ground.level_m == np.float32(0.9)
    for index in range(45):  # who came so close that the legs rest does not float
        ground.follow(_standing(1.1 + index / 30, 1, 0.7, height + 50))
        assert index > 15 or ground.level_m == np.float32(0.9)
    assert abs(ground.level_m - 0.7) < 0.02
    for index in range(15):  # nor who steps in, once the feet are seen
        ground.follow(_standing(2.6 + index / 30, 1, 0.35 + 0.01 * (index % 2), height - 1))
    assert abs(ground.level_m - 0.35) < 0.03


def test_a_young_floor_rises_within_its_age() -> None:
    ground = GroundLevel()
    ground.update(1.6, 0.0)
    for frame in range(1, 30):
        ground.update(1.0, frame / 30)
    assert ground.level_m < 1.2


def test_the_floor_comes_up_to_who_stands_and_not_to_who_jumps() -> None:
    ground = GroundLevel()
    for index in range(300):  # placed too low for half of a second
        now_s = index / 30
        time_s = max(now_s - 5.0, 0.0)
        jump_m = max(2.4 * time_s - 0.5 * 9.81 * time_s**2, 0.0)
        ground.update(1.3 - 0.3 * min(2.0 * now_s, 1.0) - jump_m, now_s)
        if index == 40:
            assert abs(ground.level_m - 1.0) < 0.02
        assert index < 150 or abs(ground.level_m - 1.0) < 0.06
