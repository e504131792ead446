"""The default engine's body, and people posed with it before a camera of known place."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from realtime_vibe.body.model_file import load_body
from realtime_vibe.body.smpl import SmplBody
from realtime_vibe.geometry.camera import SquareBox, project
from realtime_vibe.geometry.rotation import rotmat_from_axis_angle
from realtime_vibe.packets import (
    Frame,
    FrameResult,
    PersonResult,
    PoseLandmarks,
    SmplParams,
    TrackedPerson,
)
from tests.crop_camera import weak_camera_from_transl

ROOT = Path(__file__).resolve().parents[2]
SIZE, FOCAL_PX = (640, 480), 600.0
STILL = np.tile(np.eye(3, dtype=np.float32), (23, 1, 1))


@pytest.fixture(scope="session")
def model():
    return load_body(ROOT / "engines" / "blazepose-gru" / "body.npz")


@pytest.fixture(scope="session")
def body(model):
    return SmplBody(model)


def facing(pitch_rad=0.0):
    """Orientation of an upright person before a camera that looks down by so much."""
    upright = np.diag([1.0, -1.0, -1.0]).astype(np.float32)
    return rotmat_from_axis_angle(np.array([pitch_rad, 0, 0], np.float32)) @ upright


class Stage:
    """Makes results of one person."""

    def __init__(self, body):
        self.body = body
        self.visibility = np.ones(33, np.float32)

    def params(self, orient, transl, body_pose=STILL, betas=None):
        square = SquareBox(320.0, 240.0, 400.0)
        return SmplParams(
            global_orient=np.asarray(orient, np.float32),
            body_pose=body_pose,
            betas=np.zeros(10, np.float32) if betas is None else betas,
            weak_camera=weak_camera_from_transl(
                np.asarray(transl, np.float32), square, SIZE, FOCAL_PX
            ),
        )

    def person(self, params, transl, track_id=0):
        transl = np.asarray(transl, np.float32)
        mesh = self.body.forward(params.global_orient, params.body_pose, params.betas, transl)
        pixels = project(mesh.joints, SIZE, FOCAL_PX)
        image_px = np.zeros((33, 3), np.float32)
        image_px[:, :2] = pixels[0]
        image_px[[0, 7, 8], :2] = pixels[15]
        image_px[[25, 26], :2] = pixels[[4, 5]]
        image_px[27:33, :2] = pixels[[7, 8, 7, 8, 10, 11]]
        marks = PoseLandmarks(
            image_px=image_px,
            world_m=np.zeros((33, 3), np.float32),
            visibility=self.visibility,
            presence=1.0,
        )
        tracked = TrackedPerson(
            track_id=track_id,
            bbox_xyxy=np.array([*pixels.min(axis=0), *pixels.max(axis=0)], np.float32),
            score=1.0,
            dt_s=0.0,
            landmarks=marks,
        )
        return PersonResult(
            person=tracked,
            params=params,
            mesh=mesh,
            square_px=np.array([320.0, 240.0, 400.0], np.float32),
        )

    def result(self, people, at_s):
        frame = Frame(
            image_bgr=np.zeros((SIZE[1], SIZE[0], 3), np.uint8),
            index=round(at_s * 30),
            captured_at_s=at_s,
            grabbed_at_s=at_s,
        )
        return FrameResult(frame=frame, people=tuple(people), stage_ms={}, focal_px=FOCAL_PX)


@pytest.fixture
def stage(body):
    return Stage(body)


@pytest.fixture
def changed():
    return replace
