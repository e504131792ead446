"""Clip folders made on the spot, the engine's body, and a pipeline that says what it is given."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.accuracy_clips import ClipTruth, EvaluationClip
from realtime_vibe.backends.graph_folder import Engine
from realtime_vibe.body.model_file import BodyModel, load_body
from realtime_vibe.body.smpl import SmplBody
from realtime_vibe.geometry.camera import SquareBox
from realtime_vibe.packets import Frame, PoseLandmarks, SmplParams, TrackedPerson
from realtime_vibe.pipeline import MotionCapturePipeline

LIMBS = (
    "l_shoulder", "r_shoulder", "l_elbow", "r_elbow", "l_wrist", "r_wrist",
    "l_hip", "r_hip", "l_knee", "r_knee", "l_ankle", "r_ankle",
)  # fmt: skip


@pytest.fixture
def limb_names() -> tuple[str, ...]:
    return LIMBS


@pytest.fixture(scope="session")
def body_model() -> BodyModel:
    return load_body(Engine("blazepose-gru").body)


def _write_clip(folder: Path, images: Sequence[NDArray[np.uint8]], **truth: Any) -> Path:
    folder.mkdir(parents=True)
    height, width = images[0].shape[:2]
    code = cv2.VideoWriter.fourcc(*"mp4v")
    writer = cv2.VideoWriter(str(folder / "video.mp4"), code, 30.0, (width, height))
    for image in images:
        writer.write(image)
    writer.release()
    keys = {
        "joints_camera": np.random.default_rng(0).standard_normal((len(images), 12, 3)),
        "joint_names": np.array(LIMBS),
        "first_frame": 0,
        "fps": 30.0,
    }
    np.savez(folder / "truth.npz", **{**keys, **truth})
    return folder


@pytest.fixture
def write_clip() -> Callable[..., Path]:
    """`write_clip(folder, images, **other_truth)` makes a clip folder; random joints by default."""
    return _write_clip


@pytest.fixture
def empty_clip(tmp_path: Path) -> Path:
    """Twelve small pictures with nobody in them."""
    images = [np.full((96, 128, 3), 40 + 5 * index, np.uint8) for index in range(12)]
    return _write_clip(tmp_path / "clips" / "empty", images)


@pytest.fixture(scope="session")
def person_clip(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Path:
    """The first twelve pictures of a real clip, made small, with their truth."""
    source = shared_data / "real3d" / "pose2sim_cam3"
    capture = cv2.VideoCapture(str(source / "video.mp4"))
    images = [cv2.resize(capture.read()[1], (360, 640)) for _ in range(12)]
    capture.release()
    with (source / "truth.npz").open("rb") as file, np.load(file) as truth:
        joints, fps = truth["joints_camera"][:12], float(truth["fps"])
    return _write_clip(
        tmp_path_factory.mktemp("people") / "cam3",
        images,
        joints_camera=joints,
        first_frame=1,
        fps=fps,
    )


class _Given:
    """All stages but the body: one person in every frame, with the parameters of a list."""

    saw_cut = False

    def __init__(self, params: Sequence[SmplParams], landmarks: PoseLandmarks) -> None:
        self._params = params
        self._landmarks = landmarks

    def update(self, frame: Frame) -> tuple[TrackedPerson, ...]:
        if frame.index % 10 == 9:  # every tenth frame nobody is found
            return ()
        return (
            TrackedPerson(
                track_id=0,
                bbox_xyxy=np.array([0, 0, 64, 64], np.float32),
                score=1.0,
                dt_s=0.0,
                landmarks=self._landmarks,
            ),
        )

    def steadied(self, people: tuple[TrackedPerson, ...], now_s: float) -> Any:
        return people

    def extract(self, frame: Frame, people: tuple[TrackedPerson, ...], focal_px: float) -> Any:
        return np.full((len(people), 1), frame.index, np.float32)

    def square(self, person: TrackedPerson) -> SquareBox:
        return SquareBox(32.0, 32.0, 64.0)

    def step(self, people: Any, features: Any, now_s: float) -> tuple[SmplParams, ...]:
        return tuple(self._params[int(row[0])] for row in features)

    def place(self, track_id: int, transl: Any, now_s: float) -> Any:
        return transl

    def depth(self, track_id: int, joints: Any) -> float:
        return float(joints[0, 2])

    def reset(self) -> None:
        """Nothing is remembered."""

    def reset_shape(self) -> None:
        """Nothing is remembered."""

    def close(self) -> None:
        """Nothing is held."""


@pytest.fixture
def given_pipeline(body_model: BodyModel) -> Callable[..., MotionCapturePipeline]:
    """`given_pipeline(params, landmarks)`: says `params[frame.index]`, nobody in every tenth."""

    def build(params: Sequence[SmplParams], landmarks: PoseLandmarks) -> MotionCapturePipeline:
        given = _Given(params, landmarks)
        return MotionCapturePipeline(
            tracker=given, features=given, temporal=given, body=SmplBody(body_model)
        )

    return build


@pytest.fixture
def blank_clip() -> Callable[..., EvaluationClip]:
    """`blank_clip(truth, num_frames)`: a clip of black pictures."""

    def build(truth: ClipTruth, num_frames: int) -> EvaluationClip:
        def frames():
            for index in range(num_frames):
                yield Frame(
                    image_bgr=np.zeros((64, 64, 3), np.uint8),
                    index=index,
                    captured_at_s=index / truth.fps,
                    grabbed_at_s=0.0,
                )

        return EvaluationClip(name="blank", truth=truth, open_frames=frames)

    return build
