"""Our step beside others on the same clip, in one process, in turn.

    python -m benchmarks peers                     # the bundled clip
    python -m benchmarks peers --source CLIP

MediaPipe is Tasks `PoseLandmarker` in VIDEO mode on the same two networks as ours, timed from the frame to
the landmarks; ours is track to mesh. The reference's way is torch with the published networks (random
weights), one crop a frame and the last 16 frames run again, beside the same from our ResNet-50 engine.

The clip is decoded to memory and scaled to fit 640x480. Twice: a frame each with a pause before it, as
frames come from a camera, and 25 frames each without pauses, as they come from a file; after a pause all
find cold caches and sleeping cores. `--agreement` compares the landmarks instead of the time.
"""

import argparse
import importlib.util
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.agreement import Agreement, measure_agreement
from benchmarks.backends import HOW_TO_MAKE_VIBE, VIBE_ENGINE
from benchmarks.clips import Clip, read_clip
from benchmarks.command_line import (
    add_json,
    add_refine,
    command_parser,
    guarded,
    keep,
    positive,
    table,
)
from benchmarks.graphs import engine_graphs, random_feeds
from benchmarks.other_work import warn_if_busy
from benchmarks.peers_reference import OurWay, ReferenceWay
from benchmarks.results import Collected, Labels
from benchmarks.stages import WithMesh, open_stages, somebody_in
from export.blazepose_source import fetch_blazepose
from export.blazepose_task import write_task
from realtime_vibe.app.run import build_pipeline
from realtime_vibe.app.settings import LiveConfig
from realtime_vibe.backends.factory import open_session
from realtime_vibe.backends.graph_folder import engine_folder
from realtime_vibe.errors import ConfigError
from realtime_vibe.packets import Frame
from realtime_vibe.sources.video_file import demo_clip_path
from realtime_vibe.system.machine import install_command
from realtime_vibe.tracking.choices import BLAZEPOSE, DEFAULT_TRACKER, TrackerChoice
from realtime_vibe.tracking.factory import make_blazepose_tracker
from realtime_vibe.tracking.mediapipe_tracker import (
    MediaPipeTracker,
    default_task_path,
    open_landmarker,
)

_DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
NAME = "peers"
OURS = "ours, track to mesh"
OUR_LANDMARKS = "our landmark network alone"
MEDIAPIPE = "MediaPipe, landmarks alone"
OUR_RESNET = "our ResNet-50 engine, crop to parameters"
REFERENCE = "the reference's way, crop to parameters"
_RATIOS = ((OURS, MEDIAPIPE), (OUR_LANDMARKS, MEDIAPIPE), (OUR_RESNET, REFERENCE))
_WARMUP = 20
_FRAMES_OF_LARGE = 60
"""Frames of those that take a tenth of a second for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How the turns follow each other."""

    name: str
    turn_frames: int
    """Frames that one of the two processes before it is the other's turn."""
    pause_s: float
    """Before each frame [s]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Somebody to time."""

    name: str
    action: Callable[[Frame], object]
    labels: Labels
    most_frames: int = sys.maxsize
    """Counted ones."""


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
    clip: Clip, peers: Sequence[Peer], num_frames: int, pace: Pace, *, begin: int = 0
) -> dict[str, list[float]]:
    """Times all of them in turn.

    Args:
        clip: played forwards and backwards until there are enough frames.
        num_frames: counted frames of each, after 20 of warm-up.
        begin: number of the first frame; MediaPipe refuses one that came before.

    Returns:
        Times of each [ms] by their names.
    """
    samples_ms: dict[str, list[float]] = {peer.name: [] for peer in peers}
    order = list(peers)
    rng = random.Random(0)
    for first in range(0, num_frames + _WARMUP, pace.turn_frames):
        for peer in order:
            last = min(first + pace.turn_frames, min(num_frames, peer.most_frames) + _WARMUP)
            for index in range(first, last):
                frame = clip.frame(begin + index)
                time.sleep(pace.pause_s)
                samples_ms[peer.name].append(_timed_ms(partial(peer.action, frame)))
        # Drawn anew: in a fixed order one of them would always find the threads of the same other.
        rng.shuffle(order)
    return {name: values[_WARMUP:] for name, values in samples_ms.items()}


def speed_peers(
    clip: Clip, task: Path, options: argparse.Namespace, cleanup: ExitStack
) -> tuple[Peer, ...]:
    """Ours, MediaPipe, and the reference beside our ResNet-50 engine where they can run.

    Args:
        clip: somebody must be in its first frames.
        task: MediaPipe's bundle.
        cleanup: closes the networks.

    Raises:
        RealtimeVibeError: an engine or MediaPipe cannot be opened.
    """
    built = build_pipeline(LiveConfig(refine=options.refine))
    cleanup.callback(built.pipeline.close)
    landmarker = open_landmarker(task)
    cleanup.callback(landmarker.close)
    labels = Labels(engine=built.engine, backend=built.backend, precision=built.precision)
    peers = [
        Peer(name=OURS, action=WithMesh(built.pipeline).step, labels=labels),
        Peer(
            name=MEDIAPIPE,
            action=partial(_detect, landmarker),
            labels=Labels(engine="BlazePose", backend="mediapipe"),
        ),
    ]
    peers.append(_landmark_network(cleanup))
    person = somebody_in(clip.images, with_landmarks=False)
    if options.vibe_engine.is_dir():
        stages = open_stages(str(options.vibe_engine))
        cleanup.callback(stages.close)
        peers.append(
            Peer(
                name=OUR_RESNET,
                action=OurWay(stages, person),
                labels=Labels(
                    engine=stages.engine.name,
                    backend=stages.backend,
                    precision=stages.engine.precision,
                ),
                most_frames=_FRAMES_OF_LARGE,
            )
        )
    else:
        print(f"no ResNet-50 engine at {options.vibe_engine}; make one: {HOW_TO_MAKE_VIBE}\n")
    # Last, so that the limit on BLAS threads that the app sets does not meet torch.
    peers.append(
        Peer(
            name=REFERENCE,
            action=ReferenceWay(person, options.threads),
            labels=Labels(engine="random weights", backend="torch-eager", precision="fp32"),
            most_frames=_FRAMES_OF_LARGE,
        )
    )
    return tuple(peers)


def _landmark_network(cleanup: ExitStack) -> Peer:
    """The network alone, on noise: what of MediaPipe's time is comparable to one graph's."""
    graph = engine_graphs(engine_folder(BLAZEPOSE))[0]
    session = open_session(graph.spec, num_threads=2)
    cleanup.callback(session.close)
    feeds = random_feeds(session.inputs, 1)
    return Peer(
        name=OUR_LANDMARKS,
        action=lambda _: session.run(feeds),
        labels=Labels(engine=BLAZEPOSE, backend=session.backend, precision=graph.precision),
    )


def compare_landmarks(
    clips: Sequence[Clip], task: Path, *, refine: bool = DEFAULT_TRACKER.refine
) -> list[Agreement]:
    """Measures the agreement on each clip with fresh trackers."""
    return [
        measure_agreement(
            clip,
            lambda: make_blazepose_tracker(choice=TrackerChoice(refine=refine)),
            lambda: MediaPipeTracker(task),
        )
        for clip in clips
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; gives its exit status."""
    options = _parser().parse_args(arguments)
    return guarded(NAME, lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    if importlib.util.find_spec("mediapipe") is None:
        raise ConfigError(f"MediaPipe is not installed: {install_command('mediapipe')}")
    collected = Collected(NAME)
    if options.agreement:
        _agreement(options, collected)
    else:
        _speed(options, collected)
    keep(collected, options.json)


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(NAME, __doc__)
    parser.add_argument("--source", type=Path, nargs="+", help="clip; --agreement takes several")
    parser.add_argument("--frames", type=positive, default=200, help="frames to count (200)")
    parser.add_argument("--agreement", action="store_true", help="compare landmarks, not time")
    add_refine(parser)
    parser.add_argument("--vibe-engine", type=Path, default=VIBE_ENGINE, help="ResNet-50 engine")
    parser.add_argument("--threads", type=positive, default=2, help="of torch (2)")
    parser.add_argument(
        "--task", type=Path, default=default_task_path(), help="MediaPipe's bundle; built if absent"
    )
    add_json(parser)
    return parser


def _speed(options: argparse.Namespace, collected: Collected) -> None:
    warn_if_busy()
    clip = read_clip((options.source or [demo_clip_path()])[0], options.frames)
    with ExitStack() as cleanup:
        peers = speed_peers(clip, ensure_task(options.task), options, cleanup)
        print(
            f"{clip.name}, scaled to {clip.size}, {options.frames} frames taken in turn after "
            f"{_WARMUP} of warm-up, {peers[0].labels.engine} on {peers[0].labels.backend}, "
            f"landmarks {'refined' if options.refine else 'not refined'}"
        )
        for number, pace in enumerate(PACES):
            begin = number * (options.frames + _WARMUP)
            samples_ms = compare_speed(clip, peers, options.frames, pace, begin=begin)
            medians: dict[str, float] = {}
            rows = []
            for peer in peers:
                case = f"{pace.name}{'' if options.refine else ', not refined'}"
                record = collected.add(case, samples_ms[peer.name], peer.labels, metric=peer.name)
                assert record.summary is not None
                medians[peer.name] = record.summary.p50
                values = (record.summary.p50, record.summary.p95, record.summary.p99)
                cells = (f"{value:.2f}" for value in values)
                rows.append((f"  {peer.name}", *cells, str(record.summary.n)))
            print("\n" + table((pace.name, "p50 ms", "p95 ms", "p99 ms", "frames"), rows))
            for ours, theirs in _RATIOS:
                if ours in medians:
                    ratio = medians[theirs] / medians[ours]
                    print(f"  {theirs} takes {ratio:.2f} times as long as {ours}")


def _agreement(options: argparse.Namespace, collected: Collected) -> None:
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
    for row in results:
        case = f"agreement, {row.clip}{'' if options.refine else ', not refined'}"
        collected.add(case, [row.median_percent], metric="median difference", unit="%")


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
