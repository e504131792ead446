"""Results of the default body in smooth motion, and takes made of them, for every format's test."""

import shutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from realtime_vibe.app.recorded_body import recorded_body
from realtime_vibe.backends.graph_folder import engine_folder
from realtime_vibe.body.model_file import load_body
from realtime_vibe.body.smpl import SmplBody
from realtime_vibe.geometry.rotation import rotmat_from_axis_angle
from realtime_vibe.outputs.record.bvh_reader import Skeleton, read_bvh
from realtime_vibe.outputs.record.motion_recorder import MotionRecorder, spool_path
from realtime_vibe.outputs.record.recording_spool import Rows, SpoolFacts, TakeOptions, row_type
from realtime_vibe.outputs.record.row_blocks import TakeRows
from realtime_vibe.outputs.record.take_files import Take
from realtime_vibe.outputs.record.take_rows import RecordedBody, rows_of
from realtime_vibe.packets import (
    BodyMesh,
    Frame,
    FrameResult,
    PersonResult,
    SmplParams,
    TrackedPerson,
)

EIGHT_FRAMES_S = np.arange(8) / 30
YUP_CAMERA = np.diag([1.0, -1.0, -1.0])
"""From the camera's frame (y down) to the y-up world of BVH, glTF and the tables."""


@cache
def body() -> SmplBody:
    return SmplBody(load_body(body_file()))


def body_file() -> Path:
    return engine_folder("blazepose-gru") / "body.npz"


@cache
def real_body() -> RecordedBody:
    return recorded_body(body().model, body_file())


def _angles(time_s: float, seed: int) -> np.ndarray:
    """(24, 3) axis-angle: large smooth swings, the root on a full turn about the vertical."""
    rng = np.random.default_rng(seed)
    phase, speed = rng.uniform(0, 6, (2, 24, 3))
    angles = 1.1 * np.sin(phase + speed * time_s)
    angles[0] = (0.0, 2.0 * time_s, 0.0)
    return angles.astype(np.float32)


def posed(time_s: float, seed: int, betas: np.ndarray) -> tuple[SmplParams, BodyMesh]:
    rotmats = rotmat_from_axis_angle(_angles(time_s, seed))
    rotmats[0] = np.diag([1.0, -1.0, -1.0]).astype(np.float32) @ rotmats[0]
    transl = np.float32([0.3 * np.sin(time_s) + seed, 0.1, 3.0 + 0.2 * time_s])
    mesh = body().forward(rotmats[0], rotmats[1:], betas, transl)
    params = SmplParams(
        global_orient=rotmats[0],
        body_pose=rotmats[1:],
        betas=betas,
        weak_camera=np.float32([0.9, 0.1, 0.2]),
    )
    return params, mesh


def results(
    times_s: Sequence[float],
    ids: Sequence[Sequence[int]] | None = None,
    *,
    shape_drift: float = 0.0,
) -> list[FrameResult]:
    """One result per time; `ids` says who is in view then (default: person 0)."""
    made = []
    for index, time_s in enumerate(times_s):
        people = []
        for track_id in (0,) if ids is None else ids[index]:
            betas = np.random.default_rng(track_id).normal(size=10).astype(np.float32)
            betas += np.float32(shape_drift * index / len(times_s))
            params, mesh = posed(time_s, track_id, betas)
            person = TrackedPerson(
                track_id=track_id, bbox_xyxy=np.zeros(4, np.float32), score=0.9, dt_s=0.03
            )
            square = np.float32([30, 50, 88])
            people.append(PersonResult(person=person, params=params, mesh=mesh, square_px=square))
        frame = Frame(
            image_bgr=np.zeros((48, 64, 3), np.uint8),
            index=index,
            captured_at_s=time_s,
            grabbed_at_s=0.0,
        )
        made.append(FrameResult(frame=frame, people=tuple(people), stage_ms={}, focal_px=80.0))
    return made


def rows(frames: Sequence[FrameResult]) -> Rows:
    return np.concatenate([rows_of(frame, row_type()) for frame in frames])


def take(frames: Sequence[FrameResult], options: TakeOptions | None = None) -> Take:
    facts = SpoolFacts(options=options or TakeOptions())
    return Take(rows=TakeRows.of(rows(frames)), facts=facts, skin=real_body().skin)


def loaded(rows_of_take: TakeRows) -> Rows:
    return np.concatenate(list(rows_of_take.blocks()))


def joints_yup(frames: Sequence[FrameResult], person: int = 0) -> np.ndarray:
    """(N, 24, 3) joints of one person in the y-up world, as they were live."""
    meshes = [next(p.mesh for p in frame.people if p.person.track_id == person) for frame in frames]
    return np.stack([mesh.joints @ YUP_CAMERA.T for mesh in meshes])


def all_of_bvh(path: Path) -> Skeleton:
    return read_bvh(path).frames(slice(None))


def cut_off(
    folder: Path,
    endings: tuple[str, ...],
    options: TakeOptions | None = None,
    *,
    times_s: np.ndarray = EIGHT_FRAMES_S,
    ids: list[tuple[int, ...]] | None = None,
) -> Path:
    """What a killed run leaves behind."""
    paths = tuple(folder / f"o{ending}" for ending in endings)
    recorder = MotionRecorder(*paths, body=real_body(), options=options)
    for frame in results(times_s, ids):
        recorder.write(frame)
    aside = folder / "aside"
    shutil.copyfile(spool_path(paths[0]), aside)
    recorder.close()
    for path in folder.glob("o.*"):
        path.unlink()
    return aside.rename(spool_path(paths[0]))
