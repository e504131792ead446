"""Runs and scores every clip of a test set."""

import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from tqdm import tqdm

from benchmarks.accuracy_clips import EvaluationClip, whole_video
from benchmarks.accuracy_joints import AUTO, COMMON, MARKED, JointSet, choose_joint_set
from benchmarks.accuracy_overlay import Overlay, OverlayDistances
from benchmarks.accuracy_run import run_clip
from benchmarks.accuracy_scores import ClipResult, score_clip
from benchmarks.joint_regressor import load_joint_regressor, regressed_clip, regressed_set
from realtime_vibe.app.run import build_pipeline
from realtime_vibe.app.settings import LiveConfig
from realtime_vibe.backends.graph_folder import Engine
from realtime_vibe.body.model_file import load_body
from realtime_vibe.errors import DatasetError


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """All clips, and what they were run with."""

    clips: tuple[ClipResult, ...]
    joint_set: str
    root: tuple[str, ...]
    """The root of the last clip; with the set `common` it is the middle of all scored joints."""
    config: LiveConfig
    engine: str
    backend: str
    precision: str
    is_pooled: bool = False
    """Whether every frame counts alike in the mean, not every clip."""
    regressor: str = ""
    """File name of the matrix that ours were regressed with."""
    overlays: dict[str, Overlay | None] = field(default_factory=dict)
    """Of videos without a truth."""


def evaluate(
    clips: Sequence[EvaluationClip],
    config: LiveConfig,
    joint_set: str = AUTO,
    *,
    regressor: Path | None = None,
    is_pooled: bool = False,
) -> Evaluation:
    """Scores of every clip.

    Args:
        clips: none gives an evaluation of what it would be run with; joint names are checked before the first is run.
        config: engine, tracker, temporal mode and smoothing.
        joint_set: which joints to score, one of `accuracy_joints.SET_NAMES`.
        regressor: the papers' matrix from vertices to joints; see `joint_regressor`.
        is_pooled: whether every frame counts alike in the mean.

    Raises:
        RealtimeVibeError: a clip or the engine is damaged; the message names the clip.
    """
    body = load_body(Engine(config.engine).body)
    if regressor is None:
        joints = [_joints_of(clip, joint_set) for clip in clips]
    else:
        matrix = load_joint_regressor(regressor, body)
        clips = [regressed_clip(clip, matrix, body) for clip in clips]
        joints = [regressed_set(joint_set, clip, matrix) for clip in clips]
    results: list[ClipResult] = []
    if not clips:
        built = build_pipeline(config)
        built.pipeline.close()
    tqdm.monitor_interval = 0  # its watchdog thread would outlive the run
    pairs = list(zip(clips, joints, strict=True))
    # disable=None: no bar where nobody watches
    for clip, chosen in tqdm(pairs, unit="clip", file=sys.stderr, disable=None, leave=False):
        # A new pipeline each: MediaPipe's filters live on through a reset.
        built = build_pipeline(config)
        with closing(built.pipeline) as pipeline:
            try:
                run = run_clip(pipeline, clip, chosen, body)
            except DatasetError as error:
                raise DatasetError(f"clip {clip.name}: {error}") from error
        results.append(score_clip(clip.name, run, chosen, clip.truth.fps))
    return Evaluation(
        clips=tuple(results),
        joint_set=joints[-1].name if joints else joint_set,
        root=joints[-1].root if joints else (),
        config=config,
        engine=built.engine,
        backend=built.backend,
        precision=built.precision,
        is_pooled=is_pooled,
        regressor="" if regressor is None else regressor.name,
    )


def with_overlays(evaluation: Evaluation, videos: Sequence[Path]) -> Evaluation:
    """Adds how tightly the mesh lies on whom the tracker follows, in videos without a truth.

    Raises:
        RealtimeVibeError: a video cannot be read, or the engine's body has no landmarks.
    """
    if not videos:
        return evaluation
    body = load_body(Engine(evaluation.config.engine).body)
    overlays = {}
    for path in tqdm(videos, unit="video", file=sys.stderr, disable=None, leave=False):
        distances = OverlayDistances(body)
        built = build_pipeline(evaluation.config)
        with closing(built.pipeline) as pipeline, closing(whole_video(path)) as frames:
            for frame in frames:
                result = pipeline.step(frame)
                for person in result.people:
                    distances.put(result, person)
        overlays[path.stem] = distances.finished()
    return replace(evaluation, overlays=overlays)


def _joints_of(clip: EvaluationClip, joint_set: str) -> JointSet:
    if joint_set == AUTO:
        joint_set = MARKED if clip.truth.are_marked else COMMON
    try:
        return choose_joint_set(joint_set, clip.truth.names)
    except DatasetError as error:
        raise DatasetError(f"clip {clip.name}: {error}") from error
