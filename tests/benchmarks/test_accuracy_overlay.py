"""Meshes beside landmarks that are theirs, moved by known distances."""

import numpy as np
import pytest

from benchmarks.accuracy_overlay import MeshLandmarks, OverlayDistances, extent_px
from realtime_vibe.body.joints import BLAZEPOSE_LANDMARK_NAMES
from realtime_vibe.body.smpl import SmplBody
from realtime_vibe.geometry.camera import project
from realtime_vibe.packets import (
    Frame,
    FrameResult,
    PersonResult,
    PoseLandmarks,
    SmplParams,
    TrackedPerson,
)

SIZE, FOCAL_PX = (640, 480), 800.0
LEFT_WRIST = BLAZEPOSE_LANDMARK_NAMES.index("left_wrist")


@pytest.fixture
def mesh(body_model):
    eye = np.eye(3, dtype=np.float32)
    betas, transl = np.zeros(10, np.float32), np.array([0.1, 0, 3], np.float32)
    return SmplBody(body_model).forward(eye, np.tile(eye, (23, 1, 1)), betas, transl)


def measured(body_model, mesh, image_px, visibility):
    frame = Frame(
        image_bgr=np.zeros((SIZE[1], SIZE[0], 3), np.uint8),
        index=0,
        captured_at_s=0,
        grabbed_at_s=0,
    )
    eye = np.eye(3, dtype=np.float32)
    person = PersonResult(
        person=TrackedPerson(
            track_id=0,
            bbox_xyxy=np.zeros(4, np.float32),
            score=1.0,
            dt_s=0.0,
            landmarks=PoseLandmarks(
                image_px=np.column_stack([image_px, np.zeros(33)]).astype(np.float32),
                world_m=np.zeros((33, 3), np.float32),
                visibility=visibility,
                presence=1.0,
            ),
        ),
        params=SmplParams(
            global_orient=eye,
            body_pose=np.tile(eye, (23, 1, 1)),
            betas=np.zeros(10, np.float32),
            weak_camera=np.ones(3, np.float32),
        ),
        mesh=mesh,
        square_px=np.ones(3, np.float32),
    )
    distances = OverlayDistances(body_model)
    assert distances.finished() is None
    distances.put(
        FrameResult(frame=frame, people=(person,), stage_ms={}, focal_px=FOCAL_PX), person
    )
    return distances.finished()


def test_distances_are_percent_of_the_meshs_height(body_model, mesh):
    own = project(MeshLandmarks(body_model).of(mesh), SIZE, FOCAL_PX)
    percent_px = 0.01 * extent_px(project(mesh.vertices, SIZE, FOCAL_PX))
    moved = own + np.array([0, 2 * percent_px])
    moved[LEFT_WRIST] = own[LEFT_WRIST] + np.array([6 * percent_px, 0])
    overlay = measured(body_model, mesh, moved, np.ones(33, np.float32))
    assert overlay.median == pytest.approx(2, abs=0.01)
    assert overlay.wrist_median == pytest.approx(4, abs=0.01)  # the middle of 2 and 6
    assert overlay.ankle_p90 == pytest.approx(2, abs=0.01)


def test_hidden_landmarks_do_not_count(body_model, mesh):
    own = project(MeshLandmarks(body_model).of(mesh), SIZE, FOCAL_PX)
    visibility = np.ones(33, np.float32)
    own[LEFT_WRIST] += 300
    visibility[LEFT_WRIST] = 0.4
    overlay = measured(body_model, mesh, own, visibility)
    assert overlay.p90 == pytest.approx(0, abs=0.01)
    assert overlay.wrist_p90 == pytest.approx(0, abs=0.01)


def test_landmarks_with_a_joint_of_their_own_are_the_joint(body_model, mesh):
    landmarks = MeshLandmarks(body_model).of(mesh)
    full = body_model.blazepose_regressor @ mesh.vertices
    np.testing.assert_allclose(landmarks, full, atol=0.003)  # the rest pose: skin and joint agree
