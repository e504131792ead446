"""Our whole step against MediaPipe's landmarks alone: `python -m benchmarks.peers --source CLIP`.

Same clip, decoded to memory and scaled to fit 640x480, same process, taking turns frame by frame,
and the order within a turn alternates. Ours is track to mesh; MediaPipe is Tasks `PoseLandmarker`
in VIDEO mode on the same two networks, timed from the RGB array to the landmarks. `--agreement`
compares the landmarks instead of the time.
"""

import argparse
import importlib.util
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
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
_PAUSE_S = 0.015
"""Before each run, as between a camera's frames: worker threads of both libraries go on spinning for
a while after a run, and whoever came next at once would have one core instead of two."""


def ensure_task(path: Path) -> Path:
    """Builds MediaPipe's bundle when it is missing; downloads the pinned wheel for that."""
    if not path.is_file():
        print(f"building {path} from the pinned MediaPipe wheel", file=sys.stderr)
        with tempfile.TemporaryDirectory() as folder:
            write_task(fetch_blazepose(Path(folder)), path)
    return path


def compare_speed(
    clip: Clip, num_frames: int, task: Path, *, refine: bool = False
) -> dict[str, Any]:
    """Times both in turn.

    Args:
        clip: played forwards and backwards until there are enough frames.
        num_frames: counted frames, after 20 of warm-up.
        task: MediaPipe's bundle.
        refine: ours refines landmarks with heat maps, as MediaPipe does.

    Returns:
        The report, ready for JSON.
    """
    built = build_pipeline(LiveConfig(refine=refine))
    landmarker = open_landmarker(task, min_presence=0.5, min_detection_score=0.5)
    ours, peer = LatencyStats(_WARMUP), LatencyStats(_WARMUP)
    try:
        for index in range(num_frames + _WARMUP):
            frame = clip.frame(index)
            image_rgb = cv2.cvtColor(frame.image_bgr, cv2.COLOR_BGR2RGB)
            turns: list[tuple[LatencyStats, Callable[[], object]]] = [
                (ours, partial(built.pipeline.step, frame)),
                (peer, partial(_detect, landmarker, image_rgb, frame)),
            ]
            for stats, action in turns if index % 2 == 0 else reversed(turns):
                time.sleep(_PAUSE_S)
                stats.add(_timed_ms(action))
    finally:
        built.pipeline.close()
        landmarker.close()
    return {
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
    report = compare_speed(clip, options.frames, task, refine=options.refine)
    print(
        f"{clip.name}, scaled to {clip.size}, {report['frames']} frames taken in turn after "
        f"{report['warmup_frames']} of warm-up, {report['engine']} on {report['backend']}, "
        f"landmarks {'refined' if options.refine else 'not refined'}"
    )
    print(f"{'':32}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}")
    for label, key in (
        ("ours, track to mesh", "ours_track_to_mesh"),
        ("MediaPipe, landmarks alone", "mediapipe_landmarks"),
    ):
        row = report[key]
        print(f"{label:32}{row['p50_ms']:9.2f}{row['p95_ms']:9.2f}{row['p99_ms']:9.2f}")
    print(f"ratio of the medians: ours is {report['ratio_p50']:.2f} times as fast")
    return report


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


def _detect(landmarker: Any, image_rgb: Any, frame: Frame) -> None:
    import mediapipe as mp

    image = mp.Image(image_format=mp.ImageFormat.SRGB, data=image_rgb)
    landmarker.detect_for_video(image, int(frame.captured_at_s * 1e3))


if __name__ == "__main__":
    raise SystemExit(main())
