"""Covers the level frame that people are shown in: upright, and at rest while the vertical is being found."""

from dataclasses import replace

import numpy as np

from realtime_vibe.geometry.axes import T_WORLD_CAMERA
from realtime_vibe.geometry.rotation import rotmat_from_axis_angle
from realtime_vibe.outputs.ground import LevelView
from realtime_vibe.outputs.stream.humanoid import HumanoidRoom
from realtime_vibe.packets import FrameResult
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
