"""Takes the people that a tracker found in a clip through other networks, crop by crop.

Whole pipelines cannot be compared: a tracker's landmarks set its next crop, and this loop makes 6 mm in the
mean out of the last bit of a float. So every engine is shown the crops that one tracker cut; what differs then
are the networks.

Legend: J = 24 joints.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from realtime_vibe.backends.base import AnyArray, InferenceSession
from realtime_vibe.backends.graph_folder import Engine
from realtime_vibe.body.model_file import load_body
from realtime_vibe.body.smpl import SmplBody
from realtime_vibe.features.base import Features
from realtime_vibe.features.factory import needs_landmarks
from realtime_vibe.features.landmark_features import LandmarkFeatures
from realtime_vibe.features.resnet_features import ImageCrops, ResNetFeatures
from realtime_vibe.geometry.crop import RotatedSquare
from realtime_vibe.packets import NUM_LANDMARKS, FloatArray, Frame, TrackedPerson
from realtime_vibe.pipeline import MotionCapturePipeline
from realtime_vibe.system.closing import ClosedByWith
from realtime_vibe.temporal.motion_model import MotionModel
from realtime_vibe.temporal.stage import TemporalStage
from realtime_vibe.tracking.blazepose_landmarks import INPUT_SIZE, NUM_POINTS, decode
from realtime_vibe.tracking.landmark_track import landmark_box


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What the landmark network saw of a person."""

    landmark_crop: AnyArray
    """(1, 256, 256, 3) BGR."""
    region: RotatedSquare
    """Where it was cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenFrame:
    """One frame and what the tracker made of it."""

    frame: Frame
    person: TrackedPerson | None
    """The first person; None: nobody was seen."""
    sight: Sight | None
    """Of the person."""


class ReplayedPipeline:
    """A pipeline whose tracker says what another one said."""

    def __init__(self, pipeline: MotionCapturePipeline, tracker: "ReplayTracker") -> None:
        self._pipeline = pipeline
        self._tracker = tracker

    def show(self, seen: SeenFrame) -> FloatArray | None:
        """(J, 3) joints [m] of the person in a frame, root at the origin; None: nobody was seen."""
        self._tracker.seen = seen
        people = self._pipeline.step(seen.frame).people
        if not people:
            return None
        joints = people[0].mesh.joints
        return joints - joints[:1]


class ReplayTracker(ClosedByWith):
    """Gives the person of a recorded frame, with landmarks of a network of its own.

    Args:
        landmarks: the landmark network; None keeps the recorded landmarks.
    """

    saw_cut = False

    def __init__(self, landmarks: InferenceSession | None) -> None:
        self._landmarks = landmarks
        self.seen: SeenFrame | None = None
        """What the next update is about."""

    def update(self, frame: Frame) -> tuple[TrackedPerson, ...]:
        """The people of the recorded frame."""
        del frame
        if self.seen is None or self.seen.person is None or self.seen.sight is None:
            return ()
        if self._landmarks is None:
            return (self.seen.person,)
        return (_with_landmarks(self.seen.person, self.seen.sight, self._landmarks),)

    def reset(self) -> None:
        """There is nothing to forget."""

    def close(self) -> None:
        """The session belongs to somebody else."""


def pipeline_of(engine: Engine, sessions: Mapping[str, InferenceSession]) -> ReplayedPipeline:
    """What comes after the tracker, of the given networks.

    Args:
        sessions: of its graphs, and the tracker's `landmarks` where the engine reads them.
    """
    tracker = ReplayTracker(sessions["landmarks"] if needs_landmarks(engine) else None)
    pipeline = MotionCapturePipeline(
        tracker=tracker,
        features=_features(engine, sessions),
        temporal=TemporalStage(MotionModel(sessions.get("fused") or sessions["step"])),
        body=SmplBody(load_body(engine.body)),
    )
    return ReplayedPipeline(pipeline, tracker)


def replayed_joints(
    engine: Engine, sessions: Mapping[str, InferenceSession], seen: Sequence[SeenFrame]
) -> list[FloatArray | None]:
    """(J, 3) joints [m] of each frame, root at the origin; None where nobody was seen."""
    pipeline = pipeline_of(engine, sessions)
    return [pipeline.show(frame) for frame in seen]


def seen_frame(
    frame: Frame, people: Sequence[TrackedPerson], crop: AnyArray, raw: AnyArray
) -> SeenFrame:
    """Keeps one frame and where in it the landmark network looked.

    Args:
        people: whom the tracker found; the first is kept.
        crop: (1, 256, 256, 3), the last one the landmark network was given.
        raw: (1, 195), what it said of it.
    """
    if not people or people[0].landmarks is None:
        return SeenFrame(frame=frame, person=None, sight=None)
    points = np.asarray(raw, np.float32).reshape(NUM_POINTS, 5)[:NUM_LANDMARKS, :2]
    region = _square_between(points / np.float32(INPUT_SIZE), people[0].landmarks.image_px[:, :2])
    return SeenFrame(frame=frame, person=people[0], sight=Sight(landmark_crop=crop, region=region))


def _square_between(crop_points: FloatArray, image_px: FloatArray) -> RotatedSquare:
    """The square from which points (N, 2) of the unit crop were mapped to pixels (N, 2)."""
    # A turn, a scale and a shift of the plane are one complex factor and one complex term.
    inside, outside = (
        np.asarray(points, np.float64) @ (1.0, 1.0j) for points in (crop_points, image_px)
    )
    centred = inside - inside.mean()
    factor = np.vdot(centred, outside) / np.vdot(centred, centred)
    middle = outside.mean() + factor * (0.5 + 0.5j - inside.mean())
    return RotatedSquare(
        center_x_px=float(middle.real),
        center_y_px=float(middle.imag),
        side_px=float(abs(factor)),
        roll_rad=float(np.angle(factor)),
    )


def _with_landmarks(
    person: TrackedPerson, sight: Sight, session: InferenceSession
) -> TrackedPerson:
    results = session.run({session.inputs[0].name: sight.landmark_crop})
    pose = decode(
        results["landmarks"].reshape(NUM_POINTS, 5),
        results["world_landmarks"].reshape(NUM_POINTS, 3),
        float(results["presence"].flat[0]),
        sight.region,
    )
    return replace(person, landmarks=pose.landmarks, bbox_xyxy=landmark_box(pose.landmarks))


def _features(engine: Engine, sessions: Mapping[str, InferenceSession]) -> Features:
    if needs_landmarks(engine):
        return LandmarkFeatures(engine.crop_scale)
    if "fused" in engine.graph_names:
        return ImageCrops(engine.crop_scale)
    return ResNetFeatures(sessions["features"], engine.crop_scale)
