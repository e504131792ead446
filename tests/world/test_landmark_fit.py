"""The fit to landmarks: tight where they are seen, still where they are near, deaf to the hidden and absurd."""

from dataclasses import replace

import numpy as np
import pytest

from realtime_vibe.backends.graph_folder import engine_folder
from realtime_vibe.body.landmark_points import landmark_points
from realtime_vibe.body.model_file import load_body
from realtime_vibe.body.smpl import SmplBody
from realtime_vibe.geometry.camera import project
from realtime_vibe.geometry.rotation import rotmat_from_axis_angle
from realtime_vibe.packets import PoseLandmarks, SmplParams
from realtime_vibe.world.landmark_fit import LandmarkFit

SIZE, FOCAL_PX = (640, 480), 800.0
TRANSL = np.array([0.1, 0.2, 4.0], np.float32)
LEFT_WRIST, LEFT_KNEE = 15, 25
FACE = slice(0, 11)
FITTED = [0, *range(11, 17), *range(23, 29)]


@pytest.fixture(scope="module")
def body():
    return SmplBody(load_body(engine_folder("blazepose-gru") / "body.npz"))


@pytest.fixture(scope="module")
def fit(body):
    return LandmarkFit(body)


def _standing():
    """Arms half down, facing a level camera."""
    pose = np.zeros((23, 3))
    pose[15, 2], pose[16, 2] = -0.8, 0.8
    pose[17, 1], pose[18, 1] = -0.5, 0.5
    return SmplParams(
        global_orient=np.diag([1.0, -1.0, -1.0]).astype(np.float32),
        body_pose=rotmat_from_axis_angle(pose).astype(np.float32),
        betas=np.zeros(10, np.float32),
        weak_camera=np.ones(3, np.float32),
    )


def _marks_px(body, params, transl):
    pose = body.kinematics(params.global_orient, params.body_pose, params.betas)
    posed = landmark_points(body.model).posed(pose.rotations, pose.joints + transl, params.betas)
    return project(posed, SIZE, FOCAL_PX)


def _tracked(points_px, visibility=None):
    image = np.concatenate([points_px, np.zeros((33, 1))], axis=1).astype(np.float32)
    seen = np.ones(33, np.float32) if visibility is None else visibility
    return PoseLandmarks(
        image_px=image, world_m=np.zeros((33, 3), np.float32), visibility=seen, presence=1.0
    )


def _turned(params, joint, axis_angle):
    """With one joint (1 to 23) turned further."""
    body_pose = params.body_pose.copy()
    body_pose[joint - 1] = body_pose[joint - 1] @ rotmat_from_axis_angle(np.array(axis_angle))
    return replace(params, body_pose=body_pose.astype(np.float32))


def test_what_lies_on_its_landmarks_stays(body, fit):
    params = _standing()
    fitted, transl = fit.fitted(
        _tracked(_marks_px(body, params, TRANSL)), params, TRANSL, SIZE, FOCAL_PX
    )
    np.testing.assert_allclose(transl, TRANSL, atol=1e-5)
    np.testing.assert_allclose(fitted.body_pose, params.body_pose, atol=1e-5)
    np.testing.assert_allclose(fitted.global_orient, params.global_orient, atol=1e-5)


def test_a_body_that_is_off_comes_near_and_stays_a_body(body, fit):
    """The seen person bends arms and a leg and stands elsewhere: a landmark may be left 2.5 px (1.2 cm) off."""
    truth = _standing()
    for joint, turn in ((16, (0, 0, 0.15)), (19, (0, 0.2, 0)), (1, (0, 0, 0.1)), (15, (0, 0, 0.1))):
        truth = _turned(truth, joint, turn)
    seen = _marks_px(body, truth, TRANSL + np.array([0.05, -0.03, 0.1], np.float32))
    before = _marks_px(body, _standing(), TRANSL)
    fitted, transl = fit.fitted(_tracked(seen), _standing(), TRANSL, SIZE, FOCAL_PX)
    after = _marks_px(body, fitted, transl)
    off = np.linalg.norm(after - seen, axis=1)[FITTED]
    assert np.median(np.linalg.norm(before - seen, axis=1)[FITTED]) > 8.0
    assert np.median(off) < 2.5
    rotations = np.concatenate([fitted.global_orient[None], fitted.body_pose])
    np.testing.assert_allclose(
        rotations @ rotations.transpose(0, 2, 1), np.broadcast_to(np.eye(3), (24, 3, 3)), atol=1e-5
    )


def test_a_head_that_is_held_aside_is_followed_by_the_neck(body, fit):
    """Neck (12) to one side, head (15) upright again: turning the head alone does not bring it there."""
    truth = _turned(_turned(_standing(), 12, (0, 0, 0.5)), 15, (0, 0, -0.5))
    seen = _marks_px(body, truth, TRANSL)
    before = _marks_px(body, _standing(), TRANSL)[FACE]
    fitted, transl = fit.fitted(_tracked(seen), _standing(), TRANSL, SIZE, FOCAL_PX)
    after = _marks_px(body, fitted, transl)[FACE]
    off_before, off = (
        float(np.linalg.norm(marks - seen[FACE], axis=1).mean()) for marks in (before, after)
    )
    assert off < 0.6 * off_before


def test_jitter_below_the_free_range_moves_nothing(body, fit):
    params = _standing()
    jitter = np.random.default_rng(0).uniform(-0.4, 0.4, (33, 2))
    fitted, transl = fit.fitted(
        _tracked(_marks_px(body, params, TRANSL) + jitter), params, TRANSL, SIZE, FOCAL_PX
    )
    np.testing.assert_allclose(transl, TRANSL, atol=2e-3)
    np.testing.assert_allclose(fitted.body_pose, params.body_pose, atol=2e-2)


@pytest.mark.parametrize("landmark", [LEFT_WRIST, LEFT_KNEE])
def test_hidden_and_far_landmarks_are_let_go(body, fit, landmark):
    params = _standing()
    marks = _marks_px(body, params, TRANSL)
    moved, visibility = marks.copy(), np.ones(33, np.float32)
    moved[landmark] += (25.0, 10.0)
    visibility[landmark] = 0.1
    hidden, _ = fit.fitted(_tracked(moved, visibility), params, TRANSL, SIZE, FOCAL_PX)
    np.testing.assert_allclose(hidden.body_pose, params.body_pose, atol=1e-4)
    absurd = marks.copy()
    absurd[landmark] += (200.0, -150.0)
    far, _ = fit.fitted(_tracked(absurd), params, TRANSL, SIZE, FOCAL_PX)
    np.testing.assert_allclose(far.body_pose, params.body_pose, atol=0.02)


def test_nobody_seen_is_nothing_changed(body, fit):
    params = _standing()
    nothing = _tracked(np.zeros((33, 2)), np.zeros(33, np.float32))
    fitted, transl = fit.fitted(nothing, params, TRANSL, SIZE, FOCAL_PX)
    np.testing.assert_allclose(transl, TRANSL, atol=1e-5)
    np.testing.assert_allclose(fitted.body_pose, params.body_pose, atol=1e-5)
