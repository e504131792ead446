"""An engine's stages without a tracker, and people to put through them.

Legend: P people, F features.
"""

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
from threadpoolctl import threadpool_limits

from realtime_vibe.app.settings import DEFAULT_SMOOTH
from realtime_vibe.backends.base import AnyArray
from realtime_vibe.backends.graph_folder import Engine
from realtime_vibe.body.model_file import load_body
from realtime_vibe.body.smpl import SmplBody
from realtime_vibe.errors import DatasetError
from realtime_vibe.features.base import Features
from realtime_vibe.features.factory import make_features, needs_landmarks
from realtime_vibe.packets import Frame, FrameResult, ImageArray, TrackedPerson
from realtime_vibe.pipeline import MotionCapturePipeline
from realtime_vibe.system.closing import ClosedByWith
from realtime_vibe.temporal.motion_model import MotionModel
from realtime_vibe.temporal.stage import TemporalStage
from realtime_vibe.tracking.choices import TrackerChoice
from realtime_vibe.tracking.factory import make_tracker

FRAME_S = 1.0 / 30.0
_LOOKS = 30
"""Frames in which somebody must be found."""


class RepeatedPerson(ClosedByWith):
    """A tracker that finds the same person any number of times, each with an id of its own."""

    saw_cut = False

    def __init__(self, person: TrackedPerson, num_people: int) -> None:
        self._people = tuple(
            replace(person, track_id=number, dt_s=FRAME_S) for number in range(num_people)
        )

    def update(self, frame: Frame) -> tuple[TrackedPerson, ...]:
        """Always the same people."""
        del frame
        return self._people

    def reset(self) -> None:
        """Nothing is remembered."""

    def close(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineStages:
    """What an engine is made of after the tracker."""

    engine: Engine
    features: Features
    model: MotionModel
    body: SmplBody

    def temporal(self, mode: str = "stream") -> TemporalStage:
        """A stage with an empty memory and the app's smoothing; closing it closes the model."""
        return TemporalStage(self.model, mode=mode, smooth=DEFAULT_SMOOTH)

    @property
    def backend(self) -> str:
        """What runs the graphs, all of them where they differ."""
        return ", ".join(dict.fromkeys(self.engine.used.values()))

    @property
    def is_fused(self) -> bool:
        """Whether one graph goes from picture to parameters."""
        return "fused" in self.engine.graph_names

    def random_features(self, num_people: int, seed: int = 0) -> AnyArray:
        """(P, F) noise in the place of what `features` makes; crops for a fused engine."""
        rng = np.random.default_rng(seed)
        if self.is_fused:
            return rng.integers(0, 256, (num_people, 224, 224, 3)).astype(np.uint8)
        return rng.standard_normal((num_people, self.engine.feature_size)).astype(np.float32)

    def close(self) -> None:
        """Frees the networks."""
        self.features.close()
        self.model.close()


def open_stages(name_or_folder: str, backend: str = "auto") -> EngineStages:
    """Opens an engine as the app does.

    Raises:
        EngineError: the folder is missing or damaged.
        BackendUnavailableError: the backend is not installed.
    """
    threadpool_limits(1, user_api="blas")
    engine = Engine(name_or_folder, backend)
    graph = "fused" if "fused" in engine.graph_names else "step"
    num_threads = 1 if needs_landmarks(engine) else 2
    return EngineStages(
        engine=engine,
        model=MotionModel(engine.session(graph, num_threads=num_threads)),
        features=make_features(engine),
        body=SmplBody(load_body(engine.body)),
    )


def somebody_in(images: Sequence[ImageArray], *, with_landmarks: bool) -> TrackedPerson:
    """The first person that the project's own tracker finds.

    Raises:
        DatasetError: nobody is in the first frames.
    """
    with closing(make_tracker(TrackerChoice(), needs_landmarks=with_landmarks)) as tracker:
        for index, image in enumerate(images[:_LOOKS]):
            people = tracker.update(frame_of(image, index))
            if people:
                return people[0]
    raise DatasetError(
        f"nobody was found in the first {min(_LOOKS, len(images))} frames; expected a clip of a person"
    )


class WithMesh:
    """A pipeline that skins everybody in every frame, as viewers do; `step` then ends at the mesh.

    Args:
        pipeline: whose vertices nobody else looks at.
    """

    def __init__(self, pipeline: MotionCapturePipeline) -> None:
        self._pipeline = pipeline

    def step(self, frame: Frame) -> FrameResult:
        """As `MotionCapturePipeline.step`; the time of skinning counts to `body` and `step`."""
        result = self._pipeline.step(frame)
        before_s = time.perf_counter()
        for person in result.people:
            person.mesh.skin()
        spent_ms = (time.perf_counter() - before_s) * 1e3
        more = {name: result.stage_ms[name] + spent_ms for name in ("body", "step")}
        return replace(result, stage_ms={**result.stage_ms, **more})


def frame_of(image: ImageArray, index: int) -> Frame:
    """A picture as a frame of a 30 fps video."""
    return Frame(
        image_bgr=image,
        index=index,
        captured_at_s=index * FRAME_S,
        grabbed_at_s=index * FRAME_S,
    )
