"""The default body in random poses and places, as results of a live run."""

from functools import cache

import numpy as np

from realtime_vibe.backends.graph_folder import Engine
from realtime_vibe.body.model_file import load_body
from realtime_vibe.body.smpl import SmplBody
from realtime_vibe.geometry.rotation import rotmat_from_axis_angle
from realtime_vibe.packets import (
    FloatArray,
    Frame,
    FrameResult,
    PersonResult,
    SmplParams,
    TrackedPerson,
)

FACING = np.diag([1.0, -1.0, -1.0]).astype(np.float32)
"""`global_orient` of somebody who stands upright and faces the camera."""


@cache
def default_body() -> SmplBody:
    return SmplBody(load_body(Engine("blazepose-gru").body))


def posed_person(
    orient: FloatArray,
    pose: FloatArray,
    transl: FloatArray,
    track_id: int = 0,
    *,
    betas: FloatArray | None = None,
) -> PersonResult:
    if betas is None:
        betas = np.linspace(-1, 1, 10).astype(np.float32)
    mesh = default_body().forward(orient, pose, betas, transl.astype(np.float32))
    camera = np.array([1, 0, 0], np.float32)
    return PersonResult(
        person=TrackedPerson(
            track_id=track_id, bbox_xyxy=np.zeros(4, np.float32), score=0.5, dt_s=0.02
        ),
        params=SmplParams(global_orient=orient, body_pose=pose, betas=betas, weak_camera=camera),
        mesh=mesh,
        square_px=np.array([50, 50, 90 - track_id], np.float32),
    )


def random_person(index: int, spread: float = 0.6, track_id: int = 0) -> PersonResult:
    rng = np.random.default_rng(1000 * track_id + index)
    turns = rotmat_from_axis_angle(rng.normal(scale=spread, size=(24, 3)).astype(np.float32))
    transl = rng.normal(scale=0.3, size=3).astype(np.float32) + np.array([0, 0, 3], np.float32)
    return posed_person(FACING @ turns[0], turns[1:], transl, track_id)


def result_of(index: int, *people: PersonResult, grabbed_at_s: float = 0.0) -> FrameResult:
    frame = Frame(
        image_bgr=np.zeros((2, 2, 3), np.uint8),
        index=index,
        captured_at_s=index / 50,
        grabbed_at_s=grabbed_at_s,
    )
    return FrameResult(frame=frame, people=people, stage_ms={}, focal_px=500.0)


def random_result(index: int, spread: float = 0.6) -> FrameResult:
    return result_of(index, random_person(index, spread))
