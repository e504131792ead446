"""How fast the joints of a person seem to move who stands still.

    python -m benchmarks.stillness still.mp4                  # a recording of somebody standing still
    python -m benchmarks.stillness ../shared/data/real3d      # pictures held still, for want of one

A video is taken as it is, whole; of clip folders the first picture is held for 10 s at 30 frames a
second and degraded as by a webcam, see `still_frames`. A joint's speed is its way from one frame to
the next over the time between; the first 2 s are left out. It is given for the output as it is
(`placed`: in the camera frame, so with the jitter of depth), about the pelvis (`pose`), and for the
tracker's world landmarks of the same 12 joints (`blazepose`, never smoothed). Everything runs twice:
unsmoothed, and with --smooth.
"""

import argparse
import math
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.command_line import add_refine
from benchmarks.figure_files import check_figure_files, write_json, writing
from benchmarks.still_frames import StillSource, find_sources
from realtime_vibe.app.run import build_pipeline
from realtime_vibe.app.settings import DEFAULT_ENGINE, DEFAULT_SMOOTH, LiveConfig
from realtime_vibe.body.joints import LANDMARK_JOINTS
from realtime_vibe.errors import ConfigError, DatasetError, RealtimeVibeError
from realtime_vibe.packets import NUM_SMPL_JOINTS
from realtime_vibe.temporal.modes import MODES

GOAL_MM_S = 15.0
"""Mean speed of the placed joints, smoothed as by default."""

WARMUP_S = 2.0

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class JointSpeed:
    """Speed of the joints of a person who stands still."""

    mean_mm_s: float
    p95_mm_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Stillness:
    """What was measured on one source with one strength of smoothing."""

    source: str
    smooth: float
    placed: JointSpeed
    pose: JointSpeed
    blazepose: JointSpeed
    coverage: float
    """Share of frames with a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tracks:
    """One run; NaN where nobody was found."""

    placed: FloatArray
    """(N, 24, 3) [m], camera frame."""
    landmarks: FloatArray
    """(N, 12, 3) [m], about the hips."""
    times_s: FloatArray
    """(N,)."""


def joint_speed(joints: FloatArray, times_s: FloatArray) -> JointSpeed:
    """Speeds over all joints and pairs of neighbouring frames.

    Args:
        joints: (N, K, 3) [m]; pairs with NaN do not count.
        times_s: (N,) [s], rising.

    Returns:
        NaN where no pair counts.
    """
    steps = np.linalg.norm(np.diff(joints, axis=0), axis=-1) / np.diff(times_s)[:, None]
    speeds = steps[np.isfinite(steps)] * 1e3
    if not speeds.size:
        return JointSpeed(mean_mm_s=float("nan"), p95_mm_s=float("nan"))
    return JointSpeed(mean_mm_s=float(speeds.mean()), p95_mm_s=float(np.percentile(speeds, 95)))


def measure(source: StillSource, config: LiveConfig, seconds: float) -> Stillness:
    """Runs one source from an empty pipeline.

    Args:
        seconds: how long a picture is held [s]; videos are run whole.

    Raises:
        RealtimeVibeError: the video cannot be read, is too short, or shows nobody.
    """
    tracks = _run(source, config, seconds)
    late = tracks.times_s > WARMUP_S
    if late.sum() < 2:
        raise DatasetError(
            f"{source.path} was shown for {len(tracks.times_s)} frames, expected more than the "
            f"first {WARMUP_S:g} s that are left out"
        )
    found = np.asarray(np.isfinite(tracks.placed).all(axis=(1, 2)), np.bool_)
    if not found[late].any():
        raise DatasetError(f"nobody was found in {source.path}; expected one person in full view")
    placed, times_s = tracks.placed[late], tracks.times_s[late]
    return Stillness(
        source=source.name,
        smooth=config.smooth,
        placed=joint_speed(placed, times_s),
        pose=joint_speed(placed[:, 1:] - placed[:, :1], times_s),
        blazepose=joint_speed(tracks.landmarks[late], times_s),
        coverage=float(found.mean()),
    )


def as_table(results: Sequence[Stillness]) -> str:
    """Speeds of each source and strength, then the means beside the goal."""
    width = max(len("joint speed, mm/s"), *(len(result.source) for result in results))
    kinds = ("placed", "pose", "blazepose")
    lines = [
        f"{'joint speed, mm/s':<{width}}{'':>8}" + "".join(f"{kind:>18}" for kind in kinds),
        f"{'':<{width}}{'smooth':>8}" + f"{'mean':>11}{'p95':>7}" * len(kinds) + f"{'found':>8}",
    ]
    for result in results:
        speeds = (result.placed, result.pose, result.blazepose)
        lines.append(
            f"{result.source:<{width}}{result.smooth:8.2f}"
            + "".join(f"{speed.mean_mm_s:11.1f}{speed.p95_mm_s:7.1f}" for speed in speeds)
            + f"{result.coverage:8.0%}"
        )
    lines.append("")
    for smooth in dict.fromkeys(result.smooth for result in results):
        chosen = [result for result in results if result.smooth == smooth]
        placed = float(np.mean([result.placed.mean_mm_s for result in chosen]))
        pose = float(np.mean([result.pose.mean_mm_s for result in chosen]))
        line = f"mean with smoothing {smooth:g}: placed {placed:.1f}, pose {pose:.1f} mm/s"
        if smooth == DEFAULT_SMOOTH:
            verdict = "reached" if placed <= GOAL_MM_S else "missed"
            line += f"; goal for placed: {GOAL_MM_S:g} or less, {verdict}"
        lines.append(line)
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns 0, or 2 after an error that the user can fix."""
    options = _parser().parse_args(arguments)
    try:
        if not (math.isfinite(options.seconds) and options.seconds > WARMUP_S):
            raise ConfigError(f"--seconds is {options.seconds}, expected more than {WARMUP_S:g}")
        check_figure_files(options.json, None)
        configs = [_config(options, smooth) for smooth in dict.fromkeys((0.0, options.smooth))]
        results = [
            measure(source, config, options.seconds)
            for source in find_sources(options.video)
            for config in configs
        ]
        print(as_table(results))
        if options.json is not None:
            _write(options.json, results)
    except RealtimeVibeError as error:
        print(f"benchmarks.stillness: error: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.stillness",
        description="How fast the joints of a person seem to move who stands still.",
    )
    parser.add_argument("video", type=Path, help="a video of it, or a folder of clip folders")
    parser.add_argument("--engine", default=DEFAULT_ENGINE, help="engine name or folder")
    parser.add_argument("--temporal", choices=MODES, default="stream")
    add_refine(parser)
    parser.add_argument("--smooth", type=float, default=DEFAULT_SMOOTH, help="besides 0, in [0, 1]")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long a picture is held")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser


def _config(options: argparse.Namespace, smooth: float) -> LiveConfig:
    return LiveConfig(
        engine=options.engine,
        temporal=options.temporal,
        refine=options.refine,
        smooth=smooth,
        view="none",
    )


def _run(source: StillSource, config: LiveConfig, seconds: float) -> _Tracks:
    placed, landmarks, times_s = [], [], []
    built = build_pipeline(config)
    with closing(built.pipeline) as pipeline, closing(source.frames(seconds)) as frames:
        for frame in frames:
            people = pipeline.step(frame).people
            found = people[0].person.landmarks if people else None
            placed.append(
                people[0].mesh.joints if people else np.full((NUM_SMPL_JOINTS, 3), np.nan)
            )
            landmarks.append(
                np.full((len(LANDMARK_JOINTS), 3), np.nan)
                if found is None
                else found.world_m[list(LANDMARK_JOINTS)]
            )
            times_s.append(frame.captured_at_s)
    return _Tracks(
        placed=np.stack(placed).astype(np.float64),
        landmarks=np.stack(landmarks).astype(np.float64),
        times_s=np.asarray(times_s),
    )


def _write(path: Path, results: Sequence[Stillness]) -> None:
    content: dict[str, Any] = {
        "goal_mm_s": GOAL_MM_S,
        "default_smooth": DEFAULT_SMOOTH,
        "runs": [asdict(result) for result in results],
    }
    with writing():
        write_json(path, content)


if __name__ == "__main__":
    sys.exit(main())
