"""Results with random but valid poses for every sink, and shapes to draw for every picture."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_vibe.geometry.rotation import rotmat_from_axis_angle
from realtime_vibe.packets import (
    BodyMesh,
    FloatArray,
    Frame,
    FrameResult,
    PersonResult,
    PoseLandmarks,
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
        mesh=BodyMesh.of(
            vertices=rng.normal(size=(50, 3)).astype(np.float32),
            joints=joints + transl,
            transl=transl,
        ),
        square_px=np.float32([30, 50, 88]),
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


FACING_CAMERA = np.diag([1.0, -1.0, -1.0]).astype(np.float32)
"""From the rest frame (y up, facing +z) to the camera frame of a person who faces it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A closed surface in the rest frame (y up, facing +z)."""

    vertices: FloatArray
    faces: NDArray[np.int32]


def _make_sphere(radius: float = 1.0, rings: int = 48) -> Shape:
    """A sphere around the origin with outward faces."""
    latitude = np.linspace(0.0, np.pi, rings + 1)[1:-1]
    longitude = np.arange(2 * rings) * (np.pi / rings)
    side = np.stack(
        [
            np.outer(np.sin(latitude), np.cos(longitude)),
            np.repeat(np.cos(latitude)[:, None], 2 * rings, axis=1),
            -np.outer(np.sin(latitude), np.sin(longitude)),
        ],
        axis=-1,
    ).reshape(-1, 3)
    vertices = np.concatenate([side, [[0, 1, 0], [0, -1, 0]]]) * radius
    count, top, bottom = 2 * rings, len(side), len(side) + 1
    faces = []
    for k in range(count):
        after = (k + 1) % count
        faces.append((top, k, after))
        faces.append((bottom, (rings - 2) * count + after, (rings - 2) * count + k))
        for ring in range(rings - 2):
            a, b = ring * count + k, ring * count + after
            faces.extend([(a, a + count, b), (b, a + count, b + count)])
    return Shape(vertices=vertices.astype(np.float32), faces=np.array(faces, np.int32))


def _make_figure() -> Shape:
    """Head, trunk, legs and one raised left hand, 1.7 m tall, feet at y = -0.95 m."""
    parts = [
        ((0.0, 0.65, 0.0), (0.11, 0.14, 0.12)),
        ((0.0, 0.2, 0.0), (0.2, 0.35, 0.13)),
        ((0.1, -0.5, 0.0), (0.08, 0.45, 0.09)),
        ((-0.1, -0.5, 0.0), (0.08, 0.45, 0.09)),
        ((0.55, 0.45, 0.0), (0.07, 0.07, 0.07)),
    ]
    ball = _make_sphere(rings=12)
    vertices = [ball.vertices * size + middle for middle, size in parts]
    faces = [ball.faces + k * len(ball.vertices) for k in range(len(parts))]
    return Shape(
        vertices=np.concatenate(vertices).astype(np.float32),
        faces=np.concatenate(faces).astype(np.int32),
    )


def _drawn_person(shape: Shape, at: tuple[float, float, float], track_id: int = 0) -> PersonResult:
    """A person who faces the camera with the pelvis at `at` [m, camera frame]."""
    transl = np.array(at, np.float32)
    points = np.linspace(100.0, 200.0, 66, dtype=np.float32).reshape(33, 2)
    return PersonResult(
        person=TrackedPerson(
            track_id=track_id,
            bbox_xyxy=np.array([100, 100, 200, 200], np.float32),
            score=0.9,
            dt_s=1 / 30,
            landmarks=PoseLandmarks(
                image_px=np.concatenate([points, np.zeros((33, 1), np.float32)], axis=1),
                world_m=np.zeros((33, 3), np.float32),
                visibility=np.linspace(0.0, 1.0, 33, dtype=np.float32),
                presence=0.9,
            ),
        ),
        params=SmplParams(
            global_orient=FACING_CAMERA,
            body_pose=np.tile(np.eye(3, dtype=np.float32), (23, 1, 1)),
            betas=np.zeros(10, np.float32),
            weak_camera=np.array([1, 0, 0], np.float32),
        ),
        mesh=BodyMesh.of(
            vertices=shape.vertices @ FACING_CAMERA.T + transl,
            joints=np.tile(transl, (24, 1)),
            transl=transl,
        ),
        square_px=np.array([150, 150, 110], np.float32),
    )


@pytest.fixture(scope="session")
def sphere() -> Shape:
    """A unit sphere of about 9,000 faces."""
    return _make_sphere()


@pytest.fixture(scope="session")
def figure() -> Shape:
    """A rough person, the left hand raised to the side."""
    return _make_figure()


@pytest.fixture(scope="session")
def result_of() -> ResultFactory:
    """Makes a `FrameResult` from people's positions; none gives an empty frame."""

    def make(
        shape: Shape,
        *positions: tuple[float, float, float],
        size: tuple[int, int] = (640, 480),
        at_s: float = 0.0,
    ) -> FrameResult:
        width, height = size
        image = np.random.default_rng(0).integers(60, 120, (height, width, 3), np.uint8)
        people = tuple(_drawn_person(shape, at, track_id=k) for k, at in enumerate(positions))
        return FrameResult(
            frame=Frame(image_bgr=image, index=0, captured_at_s=at_s, grabbed_at_s=at_s),
            people=people,
            stage_ms={},
            focal_px=float(np.hypot(width, height)),
        )

    return make


@contextmanager
def _virtual_screen(option: str) -> Iterator[str]:
    """DISPLAY of a virtual screen; skips where Xvfb or xdotool is missing."""
    if shutil.which("Xvfb") is None or shutil.which("xdotool") is None:
        pytest.skip("Xvfb or xdotool is not installed")
    read_end, write_end = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", option, "-displayfd", str(write_end), "-screen", "0", "1700x900x24"],
        pass_fds=[write_end],
        stderr=subprocess.DEVNULL,
    )
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        number = pipe.readline().strip()
    assert number
    yield f":{number}"
    server.terminate()
    server.wait(10)


@pytest.fixture(scope="module")
def screen() -> Iterator[str]:
    """DISPLAY of a virtual screen that stays between the processes of a test."""
    with _virtual_screen("-noreset") as display:
        yield display


@pytest.fixture
def passing_screen() -> Iterator[str]:
    """DISPLAY of a virtual screen that goes when its last client leaves."""
    with _virtual_screen("-terminate") as display:
        yield display
