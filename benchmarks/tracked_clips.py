"""What the tracker said about every frame of clips, kept in files so that clips are tracked once.

Legend: N video frames from the first one on, L = 33 landmarks.
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy_clips import ClipTruth, EvaluationClip
from benchmarks.accuracy_run import person_at
from realtime_vibe.errors import DatasetError
from realtime_vibe.features.landmark_features import LandmarkFeatures, landmark_features
from realtime_vibe.geometry.camera import CROP_SCALE, nominal_focal_px
from realtime_vibe.packets import NUM_LANDMARKS, Frame, TrackedPerson
from realtime_vibe.system.npz_file import open_npz
from realtime_vibe.tracking.base import PersonTracker
from realtime_vibe.tracking.choices import FULL, TrackerChoice
from realtime_vibe.tracking.factory import make_tracker

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedFrames:
    """The tracker's word on the person of a truth; NaN in frames where nobody was found there."""

    image_px: FloatArray
    """(N, 33, 2)."""
    world_m: FloatArray
    """(N, 33, 3), origin at the middle of the hips."""
    visibility: FloatArray
    """(N, 33)."""
    view: FloatArray
    """(N, 7) crop centre x, y and side [px], principal point [px], focal length [px], dt [s]."""

    @property
    def features(self) -> FloatArray:
        """(N, F) the default engine's input."""
        return landmark_features(self.image_px, self.world_m, self.visibility, self.view)

    @property
    def is_found(self) -> NDArray[np.bool_]:
        """(N,) whether the person was found."""
        return np.asarray(np.isfinite(self.view[:, 0]), np.bool_)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedClip:
    """A clip with what was tracked in it."""

    name: str
    truth: ClipTruth
    frames: TrackedFrames

    @property
    def rows(self) -> slice:
        """The frames that the truth is about, as far as the video has them."""
        first = self.truth.first_frame
        return slice(first, min(first + self.truth.num_frames, len(self.frames.view)))


def tracked_clips(
    clips: Sequence[EvaluationClip],
    cache: Path | None = None,
    model: str = FULL,
) -> tuple[TrackedClip, ...]:
    """Tracks clips with BlazePose, every frame in order.

    Args:
        clips: their truth says who is meant where several people are in view.
        model: which of BlazePose's landmark networks.
        cache: folder of one file a clip, read where it is there and else written; None keeps none.

    Raises:
        RealtimeVibeError: a clip, a kept file or the tracker cannot be read.
    """
    if cache is not None:
        cache.mkdir(parents=True, exist_ok=True)
    kept = [None if cache is None else cache / _kept_name(clip, model) for clip in clips]
    found = [None if path is None or not path.is_file() else _read(path) for path in kept]
    if any(frames is None for frames in found):
        with closing(
            make_tracker(TrackerChoice(tracker_model=model), needs_landmarks=True)
        ) as tracker:
            for index, clip in enumerate(clips):
                if found[index] is None:
                    found[index] = _tracked_and_kept(clip, tracker, kept[index])
    return tuple(
        TrackedClip(name=clip.name, truth=clip.truth, frames=frames)
        for clip, frames in zip(clips, found, strict=True)
        if frames is not None
    )


def _kept_name(clip: EvaluationClip, model: str) -> str:
    return f"{clip.name}.npz" if model == FULL else f"{clip.name}_{model}.npz"


def _tracked_and_kept(
    clip: EvaluationClip, tracker: PersonTracker, path: Path | None
) -> TrackedFrames:
    frames = track_clip(clip, tracker)
    if path is not None:
        arrays: dict[str, Any] = {
            field.name: getattr(frames, field.name) for field in fields(TrackedFrames)
        }
        np.savez(path, **arrays)
    return frames


def _read(path: Path) -> TrackedFrames:
    with open_npz(path, DatasetError, "remove it, and the clip is tracked again") as arrays:
        return TrackedFrames(**{field.name: arrays[field.name] for field in fields(TrackedFrames)})


def track_clip(clip: EvaluationClip, tracker: PersonTracker) -> TrackedFrames:
    """Tracks one clip from its first picture to the end of its truth."""
    truth = clip.truth
    if truth.joints_px is None and truth.intrinsics is not None:
        truth = replace(truth, joints_px=truth.intrinsics.project(truth.joints))
    squares = LandmarkFeatures(CROP_SCALE)
    tracker.reset()
    rows = []
    with closing(clip.open_frames()) as frames:
        for frame in frames:
            if frame.index >= truth.first_frame + truth.num_frames:
                break
            people = tracker.update(frame)
            # Before the truth begins, whoever is where its first frame is.
            row = max(0, frame.index - truth.first_frame)
            index = person_at(truth, row, [person.bbox_xyxy for person in people])
            rows.append(_row(frame, None if index is None else people[index], squares))
    image, world, visibility, view = (np.stack(part) for part in zip(*rows, strict=True))
    return TrackedFrames(image_px=image, world_m=world, visibility=visibility, view=view)


def _row(
    frame: Frame, person: TrackedPerson | None, squares: LandmarkFeatures
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    if person is None or person.landmarks is None:
        return tuple(
            np.full(shape, np.nan, np.float32)
            for shape in ((NUM_LANDMARKS, 2), (NUM_LANDMARKS, 3), (NUM_LANDMARKS,), (7,))
        )  # type: ignore[return-value]
    height, width = frame.image_bgr.shape[:2]
    focal_px = nominal_focal_px(width, height, None)
    view = [*squares.square(person), 0.5 * width, 0.5 * height, focal_px, person.dt_s]
    marks = person.landmarks
    return marks.image_px[:, :2], marks.world_m, marks.visibility, np.array(view, np.float32)
