"""Latency of the live path, per stage and from grab to mesh.

    python -m benchmarks latency                      # bundled demo clip at 640x480
    python -m benchmarks latency --source CLIP --size 1280x720 --engine out/vibe-engine

Frames are decoded and scaled to memory first, so only our own stages are timed: track, features,
temporal, body with everybody's mesh, and their sum `step`. The first frames warm up and are left out. A second part runs
the real threads over the same frames as a live source would and reports `end_to_end`: from the grab
to the finished mesh, hand-over between threads included.
"""

import argparse
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from benchmarks.command_line import add_json, add_refine, command_parser, guarded, keep, positive
from benchmarks.other_work import warn_if_busy
from benchmarks.results import Collected, Labels
from benchmarks.stages import WithMesh
from realtime_vibe.app.live_run import LiveRun
from realtime_vibe.app.run import build_pipeline
from realtime_vibe.app.settings import LiveConfig
from realtime_vibe.errors import ConfigError, SourceError
from realtime_vibe.outputs.stats import RunFacts, StatsCollector
from realtime_vibe.packets import Frame, FrameResult, ImageArray
from realtime_vibe.sources.base import SourceInfo
from realtime_vibe.sources.video_file import demo_clip_path
from realtime_vibe.system.closing import ClosedByWith
from realtime_vibe.system.threads import SlotClosed
from realtime_vibe.temporal.modes import MODES
from realtime_vibe.tracking.choices import FULL, TRACKER_MODELS

NAME = "latency"
WARMUP_FRAMES = 50
_ORDER = ("track", "features", "temporal", "body", "step", "end_to_end")


def decoded_frames(path: Path, size: tuple[int, int], limit: int) -> list[ImageArray]:
    """The first frames of a clip, scaled to fit into `size` (width, height) on black.

    Raises:
        SourceError: the clip cannot be read.
    """
    capture = cv2.VideoCapture(str(path))
    frames: list[ImageArray] = []
    while len(frames) < limit:
        is_read, image = capture.read()
        if not is_read:
            break
        frames.append(_letterboxed(np.asarray(image, np.uint8), size))
    capture.release()
    if not frames:
        raise SourceError(f"{path} cannot be read as a video")
    return frames


class MemorySource(ClosedByWith):
    """Plays frames from memory, back and forth so that no jump breaks the track.

    Args:
        rate_hz: frames a second; None as fast as they are taken.
    """

    def __init__(self, images: list[ImageArray], count: int, rate_hz: float | None) -> None:
        self._images = images + images[-2:0:-1]
        self._count = count
        self._rate_hz = rate_hz
        self._index = 0
        self._started_s = time.perf_counter()

    @property
    def info(self) -> SourceInfo:
        """A live source when paced."""
        height, width = self._images[0].shape[:2]
        return SourceInfo(
            name="memory",
            width=width,
            height=height,
            fps=self._rate_hz,
            frame_count=self._count,
            is_live=self._rate_hz is not None,
        )

    @property
    def status(self) -> str:
        """Always well."""
        return "ok"

    def read(self, stop: threading.Event) -> Frame | None:
        """The next frame at its time."""
        if self._index >= self._count or stop.is_set():
            return None
        if self._rate_hz is not None:
            due_s = self._started_s + self._index / self._rate_hz
            time.sleep(max(0.0, due_s - time.perf_counter()))
        now_s = time.perf_counter()
        frame = Frame(
            image_bgr=self._images[self._index % len(self._images)],
            index=self._index,
            captured_at_s=now_s if self._rate_hz is not None else self._index / 30.0,
            grabbed_at_s=now_s,
        )
        self._index += 1
        return frame

    def close(self) -> None:
        """Ends the stream."""
        self._count = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One run of the live threads."""

    document: dict[str, object]
    """As `--stats` of the app writes it."""
    samples_ms: dict[str, list[float]]
    """Every stage's times, in order, warm-up left out."""


class StageTimes:
    """Keeps the times of every frame; hangs on the inference thread."""

    def __init__(self) -> None:
        self.samples_ms: dict[str, list[float]] = {name: [] for name in _ORDER}
        self._seen = 0

    def write(self, result: FrameResult) -> None:
        """Takes one result."""
        self._seen += 1
        if self._seen <= WARMUP_FRAMES:
            return
        end_to_end_ms = (time.perf_counter() - result.frame.grabbed_at_s) * 1e3
        for name, spent_ms in {**result.stage_ms, "end_to_end": end_to_end_ms}.items():
            self.samples_ms.setdefault(name, []).append(spent_ms)

    def close(self) -> None:
        """Nothing to finish."""


def measure(
    images: list[ImageArray], config: LiveConfig, count: int, rate_hz: float | None
) -> Measured:
    """Runs the threads of the live app over frames from memory."""
    built = build_pipeline(config)
    stats = StatsCollector(warmup=WARMUP_FRAMES)
    times = StageTimes()
    source = MemorySource(images, count, rate_hz)
    with source:
        live = LiveRun(
            source,
            WithMesh(built.pipeline),  # type: ignore[arg-type]  # all that a run asks for is `step`
            stats,
            every_frame=rate_hz is None,
            max_frames=None,
        )
        live.add_writer(times)
        live.start()
        try:
            taken_to_the_end(live, count)
        finally:
            live.close()
        built.pipeline.close()
    facts = RunFacts(
        frames_grabbed=live.frames_grabbed,
        frames_dropped=live.dropped,
        engine=built.engine,
        backend=built.backend,
        backends=built.backends,
        precision=built.precision,
    )
    return Measured(document=stats.document(facts), samples_ms=times.samples_ms)


def taken_to_the_end(live: LiveRun, count: int) -> None:
    """Takes every result of a started run of so many frames, showing progress."""
    with tqdm(total=count, unit="frame", leave=False, disable=None) as bar, suppress(SlotClosed):
        while True:
            live.take(0.2)
            bar.update(live.frames_processed - bar.n)


def as_table(document: dict[str, object]) -> str:
    """Stages as rows."""
    stages = document["stages"]
    assert isinstance(stages, dict)
    lines = [f"{'stage':<12}{'count':>8}{'p50 ms':>10}{'p95 ms':>10}{'p99 ms':>10}"]
    for name in _ORDER:
        row = stages[name]
        lines.append(
            f"{name:<12}{row['count']:>8}{row['p50_ms']:>10.2f}{row['p95_ms']:>10.2f}{row['p99_ms']:>10.2f}"
        )
    return "\n".join(lines)


def _letterboxed(image: ImageArray, size: tuple[int, int]) -> ImageArray:
    width, height = size
    scale = min(width / image.shape[1], height / image.shape[0])
    inner = cv2.resize(
        image,
        (round(image.shape[1] * scale), round(image.shape[0] * scale)),
        interpolation=cv2.INTER_AREA,
    )
    out = np.zeros((height, width, 3), np.uint8)
    top, left = (height - inner.shape[0]) // 2, (width - inner.shape[1]) // 2
    out[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
    return out


def _size(text: str) -> tuple[int, int]:
    width, height = text.lower().split("x")
    return int(width), int(height)


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns 0, or 2 after an error that the user can fix."""
    options = _parser().parse_args(arguments)
    return guarded(NAME, lambda: _run(options))


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(NAME, __doc__)
    parser.add_argument("--source", type=Path, default=demo_clip_path(), help="a clip")
    parser.add_argument("--size", type=_size, default=(640, 480), help="frame size, 640x480")
    parser.add_argument("--frames", type=positive, default=1000, help="of each part (1000)")
    parser.add_argument("--rate", type=float, default=60.0, help="camera rate of the second part")
    parser.add_argument("--engine", default="blazepose-gru")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--tracker-model", choices=TRACKER_MODELS, default=FULL)
    add_refine(parser)
    parser.add_argument("--temporal", choices=MODES, default="stream")
    add_json(parser)
    return parser


def _run(options: argparse.Namespace) -> None:
    if options.frames <= WARMUP_FRAMES:
        raise ConfigError(
            f"--frames is {options.frames}, expected more than the {WARMUP_FRAMES} of warm-up"
        )
    warn_if_busy()
    config = replace(
        LiveConfig(view="none"),
        engine=options.engine,
        backend=options.backend,
        temporal=options.temporal,
        tracker_model=options.tracker_model,
        refine=options.refine,
    )
    images = decoded_frames(options.source, options.size, limit=300)
    fast = measure(images, config, options.frames, None)
    live = measure(images, config, options.frames, options.rate)
    facts = fast.document
    print(
        f"{options.source.name} at {options.size[0]}x{options.size[1]}, {facts['engine']}, "
        f"{facts['backend']}, {options.temporal}, "
        f"tracker model {options.tracker_model}, "
        f"landmarks {'refined' if options.refine else 'not refined'}, "
        f"{WARMUP_FRAMES} warm-up frames left out\n"
        f"machine: {facts['machine']}\n\nevery frame, as fast as possible: {facts['fps']} fps"
    )
    print(as_table(facts))
    print(f"\nas a {options.rate:g} fps camera: {live.document['frames']}")
    print(as_table(live.document))
    collected = Collected(NAME)
    # The engine and the mode are part of the case: two of them in one file must not be one case.
    what = f"{facts['engine']}, {options.temporal}{'' if options.refine else ', not refined'}"
    if options.tracker_model != FULL:
        what += f", {options.tracker_model}"
    for pace, part in (("every frame", fast), (f"{options.rate:g} fps camera", live)):
        labels = Labels(
            engine=str(facts["engine"]),
            backend=str(facts["backend"]),
            precision=str(facts["precision"]),
        )
        for stage, samples_ms in part.samples_ms.items():
            if samples_ms:
                collected.add(f"{what}, {pace}", samples_ms, labels, metric=stage)
    keep(collected, options.json)


if __name__ == "__main__":
    raise SystemExit(main())
