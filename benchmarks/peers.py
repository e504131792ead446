"""Our whole step against MediaPipe's landmarks alone: `python -m benchmarks.peers --source CLIP`.

Same clip, decoded to memory and scaled to fit 640x480, same process, taking turns; who begins a turn
alternates. Ours is track to mesh; MediaPipe is Tasks `PoseLandmarker` in VIDEO mode on the same two
networks, timed from the frame to the landmarks. Twice: a frame each with a pause before it, as
frames come from a camera, and 25 frames each without pauses, as they come from a file; after a pause
both find cold caches and sleeping cores. `--agreement` compares the landmarks instead of the time.
"""

import argparse
import importlib.util
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.agreement import Agreement, measure_agreement
from benchmarks.clips import Clip, read_clip
from export.blazepose_source import fetch_blazepose
from export.blazepose_task import write_task
from realtime_vibe.app import build_pipeline
from realtime_vibe.backends.engine_folder import engine_folder
from realtime_vibe.config import LiveConfig
from realtime_vibe.errors import ConfigError, RealtimeVibeError
from realtime_vibe.machine import installed_versions, machine_facts
from realtime_vibe.packets import Frame
from realtime_vibe.timing import LatencyStats
from realtime_vibe.tracking.factory import make_blazepose_tracker
from realtime_vibe.tracking.mediapipe_tracker import (
    MediaPipeTracker,
    default_task_path,
    open_landmarker,
)

_DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
_WARMUP = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How the turns follow each other."""

    name: str
    turn_frames: int
    """Frames that one of the two processes before it is the other's turn."""
    pause_s: float
    """Before each frame [s]."""


PACES = (
    Pace(name="as from a camera", turn_frames=1, pause_s=0.015),
    Pace(name="as from a file", turn_frames=25, pause_s=0.0),
)


def ensure_task(path: Path) -> Path:
    """Builds MediaPipe's bundle when it is missing; downloads the pinned wheel for that."""
    if not path.is_file():
        print(f"building {path} from the pinned MediaPipe wheel", file=sys.stderr)
        with tempfile.TemporaryDirectory() as folder:
            write_task(fetch_blazepose(Path(folder)), path)
    return path


def compare_speed(
    clip: Clip, num_frames: int, task: Path, pace: Pace, *, refine: bool = False
) -> dict[str, Any]:
    """Times both in turn.

    Args:
        clip: played forwards and backwards until there are enough frames.
        num_frames: counted frames of each, after 20 of warm-up.
        task: MediaPipe's bundle.
        pace: length of a turn and pauses.
        refine: ours refines landmarks with heat maps, as MediaPipe does.

    Returns:
        The report, ready for JSON.
    """
    built = build_pipeline(LiveConfig(refine=refine))
    landmarker = open_landmarker(task, min_presence=0.5, min_detection_score=0.5)
    ours, peer = LatencyStats(_WARMUP), LatencyStats(_WARMUP)
    turns: list[tuple[LatencyStats, Callable[[Frame], object]]] = [
        (ours, built.pipeline.step),
        (peer, partial(_detect, landmarker)),
    ]
    try:
        for first in range(0, num_frames + _WARMUP, pace.turn_frames):
            last = min(first + pace.turn_frames, num_frames + _WARMUP)
            for stats, action in turns:
                for index in range(first, last):
                    frame = clip.frame(index)
                    time.sleep(pace.pause_s)
                    stats.add(_timed_ms(partial(action, frame)))
            turns.reverse()
    finally:
        built.pipeline.close()
        landmarker.close()
    return {
        "pace": pace.name,
        "clip": clip.name,
        "size": clip.size,
        "frames": ours.count,
        "warmup_frames": ours.warmup_count,
        "engine": built.engine,
        "backend": built.backend,
        "refine": refine,
        "ours_track_to_mesh": ours.summary(),
        "mediapipe_landmarks": peer.summary(),
        "ratio_p50": round(peer.percentile_ms(50) / ours.percentile_ms(50), 2),
    }


def compare_landmarks(
    clips: Sequence[Clip], task: Path, *, refine: bool = False
) -> list[Agreement]:
    """Measures the agreement on each clip with fresh trackers."""
    engine = engine_folder("blazepose")
    return [
        measure_agreement(
            clip,
            lambda: make_blazepose_tracker(engine, refine=refine),
            lambda: MediaPipeTracker(task),
        )
        for clip in clips
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; gives its exit status."""
    options = _parser().parse_args(arguments)
    if importlib.util.find_spec("mediapipe") is None:
        print(
            "error: MediaPipe is not installed: pip install 'realtime-vibe[mediapipe]'",
            file=sys.stderr,
        )
        return 2
    try:
        report = _agreement(options) if options.agreement else _speed(options)
    except RealtimeVibeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.json is not None:
        report |= {
            "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "machine": machine_facts(),
            "versions": installed_versions(),
        }
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--source", type=Path, nargs="+", help="clip; --agreement takes several")
    parser.add_argument("--frames", type=int, default=300, help="frames to count (300)")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--agreement", action="store_true", help="compare landmarks, not time")
    parser.add_argument(
        "--refine", action="store_true", help="ours refines landmarks too; MediaPipe always does"
    )
    parser.add_argument(
        "--task", type=Path, default=default_task_path(), help="MediaPipe's bundle; built if absent"
    )
    return parser


def _speed(options: argparse.Namespace) -> dict[str, Any]:
    if not options.source:
        raise ConfigError("no clip: pass --source CLIP")
    clip = read_clip(options.source[0], options.frames)
    task = ensure_task(options.task)
    reports = [
        compare_speed(clip, options.frames, task, pace, refine=options.refine) for pace in PACES
    ]
    first = reports[0]
    print(
        f"{clip.name}, scaled to {clip.size}, {first['frames']} frames taken in turn after "
        f"{first['warmup_frames']} of warm-up, {first['engine']} on {first['backend']}, "
        f"landmarks {'refined' if options.refine else 'not refined'}"
    )
    for report in reports:
        print(f"{report['pace']:32}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}")
        for label, key in (
            ("  ours, track to mesh", "ours_track_to_mesh"),
            ("  MediaPipe, landmarks alone", "mediapipe_landmarks"),
        ):
            row = report[key]
            print(f"{label:32}{row['p50_ms']:9.2f}{row['p95_ms']:9.2f}{row['p99_ms']:9.2f}")
    ratios = ", ".join(f"{report['ratio_p50']:.2f} {report['pace']}" for report in reports)
    print(f"ratio of the medians, MediaPipe's to ours: {ratios}")
    return {"paces": reports}


def _agreement(options: argparse.Namespace) -> dict[str, Any]:
    paths = options.source or sorted((_DATA / "real3d").rglob("*.mp4")) + sorted(
        (_DATA / "video").rglob("*.mp4")
    )
    if not paths:
        raise ConfigError(f"no clips in {_DATA}: pass --source CLIP")
    clips = [read_clip(path, options.frames) for path in paths]
    results = compare_landmarks(clips, ensure_task(options.task), refine=options.refine)
    print("difference of landmarks in % of the longer side of the person's box")
    print(f"{'clip':36}{'both':>6}{'ours':>6}{'peer':>6}{'median':>9}{'p95':>9}")
    for row in results:
        counts = f"{row.both:6}{row.ours_only:6}{row.peer_only:6}"
        print(f"{row.clip[-35:]:36}{counts}{row.median_percent:9.2f}{row.p95_percent:9.2f}")
    worst = float(np.nanmax([row.median_percent for row in results]))
    print(f"largest median: {worst:.2f} %")
    return {"agreement": [asdict(row) for row in results], "largest_median_percent": worst}


def _timed_ms(action: Callable[[], object]) -> float:
    started_s = time.perf_counter()
    action()
    return (time.perf_counter() - started_s) * 1e3


def _detect(landmarker: Any, frame: Frame) -> None:
    import mediapipe as mp

    image_rgb = cv2.cvtColor(frame.image_bgr, cv2.COLOR_BGR2RGB)
    image = mp.Image(image_format=mp.ImageFormat.SRGB, data=image_rgb)
    landmarker.detect_for_video(image, int(frame.captured_at_s * 1e3))


if __name__ == "__main__":
    raise SystemExit(main())
