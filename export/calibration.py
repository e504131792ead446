"""Runs an engine over real clips and keeps what each of its networks was fed.

The crops come out of the live tracker: networks are calibrated and compared on what they will see.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import numpy as np

from export.clip_replay import SeenFrame, pipeline_of, seen_frame
from realtime_vibe.backends.base import AnyArray, InferenceSession, TensorSpec
from realtime_vibe.backends.graph_folder import Engine
from realtime_vibe.errors import ExportError
from realtime_vibe.packets import Frame
from realtime_vibe.sources.factory import open_source
from realtime_vibe.sources.video_file import demo_clip_path
from realtime_vibe.system.closing import ClosedByWith
from realtime_vibe.tracking.blazepose_detector import BlazePoseDetector
from realtime_vibe.tracking.blazepose_tracker import BlazePoseTracker

Feeds = list[dict[str, AnyArray]]
"""What a network was given, run by run."""
_DETECTOR_EVERY = 4
"""The tracker seldom calls the detector; each of these frames is shown to it besides."""
_MORE_CLIPS = Path(__file__).resolve().parents[2] / "shared" / "data" / "video"
"""Clips beside a checkout; other people in other places make a better range."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipRecording:
    """What the networks of an engine were given over some clips."""

    feeds: Mapping[str, Feeds]
    """By graph."""
    seen: tuple[SeenFrame, ...]
    """The frames of the first clip."""
    clips: tuple[str, ...]
    """Names of the files."""


class RecordingSession(ClosedByWith):
    """A session that keeps its inputs.

    Args:
        session: what computes; the owner closes it.
    """

    def __init__(self, session: InferenceSession) -> None:
        self._session = session
        self.feeds: Feeds = []
        self.last: dict[str, AnyArray] = {}
        """What the last run gave."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The graph's inputs in order."""
        return self._session.inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The graph's outputs in order."""
        return self._session.outputs

    @property
    def backend(self) -> str:
        """What really runs the graph."""
        return self._session.backend

    def run(self, feeds: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
        """Runs the graph once; see `InferenceSession.run`."""
        self.feeds.append({name: np.array(value) for name, value in feeds.items()})
        self.last = self._session.run(feeds)
        return self.last

    def close(self) -> None:
        """Leaves the session open for the next one who records."""


def default_clips() -> tuple[Path, ...]:
    """The bundled clip, and those beside the checkout where there are any."""
    return (demo_clip_path(), *sorted(_MORE_CLIPS.glob("*.mp4")))


def record_clips(
    engine: Engine,
    sessions: Mapping[str, InferenceSession],
    clips: Sequence[Path],
    num_frames: int,
) -> ClipRecording:
    """Runs an engine over clips and keeps what its networks were given.

    Args:
        sessions: of its graphs and of the tracker's `detector` and `landmarks`, by name.

    Raises:
        SourceError: a clip cannot be read.
        ExportError: nobody is seen in the first clip.
    """
    recorded = {name: RecordingSession(session) for name, session in sessions.items()}
    of_clips = [_record(engine, sessions, recorded, clip, num_frames) for clip in clips]
    seen = of_clips[0]
    if all(frame.person is None for frame in seen):
        raise ExportError(
            f"nobody is seen in {clips[0]}, expected a person to compare on: name other clips with --calibrate"
        )
    feeds = {name: session.feeds for name, session in recorded.items()}
    if "landmarks_heat" in feeds:
        feeds["landmarks_heat"] = feeds["landmarks"]
    if "frame" in feeds:
        feeds["frame"] = _whole_frames(feeds)
    return ClipRecording(feeds=feeds, seen=tuple(seen), clips=tuple(clip.name for clip in clips))


def _whole_frames(feeds: Mapping[str, Feeds]) -> Feeds:
    """What a graph from crop to mesh, which the live app does not run, would have been given."""
    if "fused" in feeds:
        return feeds["fused"]
    pairs = zip(feeds["features"], feeds["step"], strict=True)
    return [{**crop, "hidden": step["hidden"]} for crop, step in pairs]


def clip_frames(clip: Path, num_frames: int) -> Iterator[Frame]:
    """The first frames of a video file.

    Raises:
        SourceError: it cannot be read.
    """
    running = Event()
    with open_source(str(clip), paced=False) as source:
        for _ in range(num_frames):
            frame = source.read(running)
            if frame is None:
                return
            yield frame


def _record(
    engine: Engine,
    sessions: Mapping[str, InferenceSession],
    recorded: Mapping[str, RecordingSession],
    clip: Path,
    num_frames: int,
) -> list[SeenFrame]:
    detector = BlazePoseDetector(recorded["detector"])
    landmarks = recorded["landmarks"]
    tracker = BlazePoseTracker(detector, landmarks)
    rest = pipeline_of(engine, {**recorded, "landmarks": sessions["landmarks"]})
    seen = []
    for frame in clip_frames(clip, num_frames):
        people = tracker.update(frame)
        if people:
            crop = next(iter(landmarks.feeds[-1].values()))
            seen.append(seen_frame(frame, people, crop, landmarks.last["landmarks"]))
        else:
            seen.append(SeenFrame(frame=frame, person=None, sight=None))
        rest.show(seen[-1])
        if frame.index % _DETECTOR_EVERY == 0:
            detector.detect(frame.image_bgr)
    return seen
