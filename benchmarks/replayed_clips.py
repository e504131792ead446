"""Clips that were tracked before, through everything that comes after the tracker.

The pipeline is the live one; the tracker repeats what was kept, and pictures are black, because
nothing after the tracker of a landmark engine looks at them. So a network is judged in seconds.
"""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.accuracy_clips import EvaluationClip
from benchmarks.accuracy_joints import choose_joint_set
from benchmarks.accuracy_run import run_clip
from benchmarks.accuracy_scores import ClipResult, score_clip
from benchmarks.torch_sessions import network_session
from benchmarks.tracked_clips import TrackedClip, TrackedFrames
from realtime_vibe.backends.graph_folder import Engine
from realtime_vibe.body.model_file import BodyModel
from realtime_vibe.body.smpl import SmplBody
from realtime_vibe.features.landmark_features import LandmarkFeatures
from realtime_vibe.geometry.camera import CROP_SCALE
from realtime_vibe.packets import Frame, PoseLandmarks, TrackedPerson
from realtime_vibe.pipeline import MotionCapturePipeline
from realtime_vibe.system.closing import ClosedByWith
from realtime_vibe.temporal.motion_model import MotionModel
from realtime_vibe.temporal.stage import TemporalStage
from realtime_vibe.world.corrections import BodyCorrections
from realtime_vibe.world.landmark_fit import LandmarkFit


@dataclass(frozen=True, slots=True, kw_only=True)
class Playback:
    """How the pipeline after the tracker is set up; see the live settings of the same names."""

    temporal: str = "stream"
    smooth: float = 0.0
    joint_set: str = "marked"


class ReplayedTracker(ClosedByWith):
    """Repeats what was tracked, by the index of the frame."""

    saw_cut = False

    def __init__(self, frames: TrackedFrames) -> None:
        self._frames = frames
        self._is_found = frames.is_found
        self._track_id = 0

    def update(self, frame: Frame) -> tuple[TrackedPerson, ...]:
        """The person of the truth, or nobody."""
        row, kept = frame.index, self._frames
        if not self._is_found[row]:
            return ()
        center, side, dt_s = kept.view[row, :2], kept.view[row, 2], float(kept.view[row, 6])
        if dt_s == 0:
            self._track_id += 1  # new to the tracker
        half = 0.5 * side / CROP_SCALE
        image = np.column_stack([kept.image_px[row], np.zeros(len(kept.image_px[row]))])
        return (
            TrackedPerson(
                track_id=self._track_id,
                bbox_xyxy=np.concatenate([center - half, center + half]).astype(np.float32),
                score=1.0,
                dt_s=dt_s,
                landmarks=PoseLandmarks(
                    image_px=image.astype(np.float32),
                    world_m=kept.world_m[row],
                    visibility=kept.visibility[row],
                    presence=1.0,
                ),
            ),
        )

    def reset(self) -> None:
        """Every clip has a tracker of its own."""

    def close(self) -> None:
        """Nothing is held."""


def score_replayed(
    clip: TrackedClip, model: MotionModel, body: BodyModel, playback: Playback
) -> ClipResult:
    """Scores of one network on one clip, as `benchmarks.accuracy` has them.

    Args:
        model: the network; left open.
        body: the engine's.

    Raises:
        DatasetError: the truth lacks joints of the set, or ends after the video.
    """
    posing = SmplBody(body)
    pipeline = MotionCapturePipeline(
        tracker=ReplayedTracker(clip.frames),
        features=LandmarkFeatures(CROP_SCALE),
        temporal=TemporalStage(model, mode=playback.temporal, smooth=playback.smooth),
        body=posing,
        fit=LandmarkFit(posing),
        corrections=(
            BodyCorrections(body, foot_lock=False, rest_legs=True) if playback.smooth > 0 else None
        ),
    )
    joints = choose_joint_set(playback.joint_set, clip.truth.names)
    replayed = EvaluationClip(
        name=clip.name, truth=clip.truth, open_frames=lambda: _black_frames(clip)
    )
    return score_clip(clip.name, run_clip(pipeline, replayed, joints, body), joints, clip.truth.fps)


def _black_frames(clip: TrackedClip) -> Generator[Frame]:
    view = clip.frames.view
    found = view[clip.frames.is_found]
    width, height = (np.rint(2 * found[0, 3:5]) if len(found) else np.ones(2)).astype(int)
    # One black pixel, seen everywhere: no memory, whatever the size.
    image = np.broadcast_to(np.zeros((1, 1, 3), np.uint8), (height, width, 3))
    for index in range(len(view)):
        yield Frame(
            image_bgr=image, index=index, captured_at_s=index / clip.truth.fps, grabbed_at_s=0.0
        )


def open_network(path: Path) -> tuple[MotionModel, dict[str, str]]:
    """A training's `network.pt`, or an engine's folder, ready to run.

    Returns:
        The model, and what the file says about itself.

    Raises:
        RealtimeVibeError: there is no such file, or it is damaged.
    """
    if path.is_dir():
        return MotionModel(Engine(path).session("step", num_threads=1)), {}
    from realtime_vibe.training.network import load_network

    network, _, provenance = load_network(path)
    return MotionModel(network_session(network)), provenance
