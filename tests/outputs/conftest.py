"""Results with random but valid poses, for every sink."""

from collections.abc import Callable

import numpy as np
import pytest

from realtime_vibe.geometry.rotation import rotmat_from_axis_angle
from realtime_vibe.packets import (
    BodyMesh,
    Frame,
    FrameResult,
    PersonResult,
    SmplParams,
    TrackedPerson,
)

ResultFactory = Callable[..., FrameResult]

STAGE_MS = {"track": 3.0, "features": 0.1, "temporal": 1.0, "body": 0.9, "step": 5.0}


def _person(rng: np.random.Generator, track_id: int, dt_s: float) -> PersonResult:
    rotmats = rotmat_from_axis_angle(rng.normal(size=(24, 3)).astype(np.float32))
    transl = rng.normal(size=3).astype(np.float32) + np.float32([0, 0, 3])
    joints = rng.normal(size=(24, 3)).astype(np.float32) * 0.3
    joints[0] = (0.01, -0.2, 0.03)  # the rest pelvis: posing leaves it where it is
    return PersonResult(
        person=TrackedPerson(
            track_id=track_id,
            bbox_xyxy=np.float32([10, 10, 50, 90]),
            score=0.9,
            dt_s=dt_s,
        ),
        params=SmplParams(
            global_orient=rotmats[0],
            body_pose=rotmats[1:],
            betas=rng.normal(size=10).astype(np.float32),
            weak_camera=rng.normal(size=3).astype(np.float32),
        ),
        mesh=BodyMesh(
            vertices=rng.normal(size=(50, 3)).astype(np.float32),
            joints=joints + transl,
            transl=transl,
        ),
    )


@pytest.fixture
def make_result() -> ResultFactory:
    """`make_result(index, ids=(0,))`: one frame at 25 fps with a random pose per id."""

    def make(index: int, ids: tuple[int, ...] = (0,), grabbed_at_s: float = 0.0) -> FrameResult:
        rng = np.random.default_rng(index)
        frame = Frame(
            image_bgr=np.zeros((48, 64, 3), np.uint8),
            index=index,
            captured_at_s=index / 25,
            grabbed_at_s=grabbed_at_s,
        )
        people = tuple(_person(rng, track_id, 1 / 25) for track_id in ids)
        return FrameResult(frame=frame, people=people, stage_ms=STAGE_MS, focal_px=80.0)

    return make
