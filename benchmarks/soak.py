"""Do memory and speed stay as they are over many frames?

    python -m benchmarks soak                               # 20,000 frames of the demo clip, recorded
    python -m benchmarks soak --engine out/vibe-engine --frames 2000
    python -m benchmarks soak --mode step --engine out/vibe-engine     # 10,000 steps, no tracker

live    the real threads over every frame of the clip at 640x480, with the recorder
camera  the same as a 60 fps camera: frames may be dropped, and are counted
step    features, motion network and body alone, on random crops (landmarks repeat where an engine
        needs them)

Drift is the median step of the last tenth against that of the first tenth after the warm-up. Ends with
status 1 when the process grew by more than --limit-mb after the warm-up. At the end the memory of the
network alone runs over as many frames: its output must lie within --limit-mm of a fresh memory's.
"""

import argparse
import os
import tempfile
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.command_line import (
    add_json,
    command_parser,
    guarded,
    keep,
    positive,
    seconds,
)
from benchmarks.latency import MemorySource, decoded_frames, taken_to_the_end
from benchmarks.other_work import warn_if_busy
from benchmarks.rest import LAST_FRAMES, restlessness_mm
from benchmarks.results import Collected, Labels
from benchmarks.stages import RepeatedPerson, frame_of, open_stages, somebody_in
from realtime_vibe.app.live_run import LiveRun
from realtime_vibe.app.outputs import LiveOutputs
from realtime_vibe.app.run import build_pipeline
from realtime_vibe.app.settings import DEFAULT_ENGINE, LiveConfig
from realtime_vibe.app.settings_file import build_config
from realtime_vibe.errors import ConfigError
from realtime_vibe.features.factory import needs_landmarks
from realtime_vibe.outputs.stats import StatsCollector
from realtime_vibe.packets import FrameResult
from realtime_vibe.pipeline import MotionCapturePipeline
from realtime_vibe.sources.video_file import demo_clip_path

NAME = "soak"
MODES = ("live", "camera", "step")
_DEFAULT_FRAMES = {"live": 20_000, "camera": 3_000, "step": 10_000}
_CAMERA_HZ = 60.0
_MOST_WARMUP = 1000
_SIZE = (640, 480)


@dataclass(slots=True, kw_only=True)
class SoakRun:
    """What was watched."""

    engine: str
    backend: str
    precision: str
    step_ms: NDArray[np.float64]
    """Of every frame; taken whole at the start, or the growth of this list would be measured too."""
    num_done: int = 0
    memory: list[tuple[int, float]] = field(default_factory=list)
    """(frames so far, MB), the first one after the warm-up."""
    dropped: int = 0
    """Frames that a newer one replaced."""

    @property
    def growth_mb(self) -> float:
        """Memory since the warm-up [MB]."""
        return self.memory[-1][1] - self.memory[0][1]

    def drift(self, warmup: int) -> float:
        """Median of the last tenth over that of the first tenth after the warm-up."""
        return drift(self.step_ms[warmup : self.num_done])


def drift(values: NDArray[np.float64]) -> float:
    """Median of the last tenth of the values over that of the first; NaN below 20 values."""
    tenth = len(values) // 10
    if tenth < 2:
        return float("nan")
    return float(np.median(values[-tenth:]) / np.median(values[:tenth]))


def resident_mb() -> float:
    """Resident memory of this process [MB]; Linux only.

    Raises:
        ConfigError: another system.
    """
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError as error:
        raise ConfigError("soak reads /proc/self/statm, which only Linux has") from error
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def warmup_of(num_frames: int) -> int:
    """Frames that neither memory nor drift counts: a thousand, or a fifth of a short run."""
    return min(_MOST_WARMUP, num_frames // 5)


def soak_live(config: LiveConfig, num_frames: int, rate_hz: float | None, folder: Path) -> SoakRun:
    """Runs the live threads with the recorder.

    Args:
        rate_hz: of the camera; None: every frame as fast as it is taken.
    """
    images = decoded_frames(demo_clip_path(), _SIZE, limit=90)
    built = build_pipeline(config)
    run = SoakRun(
        engine=built.engine,
        backend=built.backend,
        precision=built.precision,
        step_ms=np.full(num_frames, np.nan),
    )
    steps = _StepTimes(run, warmup_of(num_frames), num_frames)
    with closing(built.pipeline), MemorySource(images, num_frames, rate_hz) as source:
        live = LiveRun(
            source,
            built.pipeline,
            StatsCollector(),
            every_frame=rate_hz is None,
            max_frames=None,
        )
        outputs = LiveOutputs(build_config({"view": "none", "record": folder / "soak.npz"}))
        outputs.attach(live, built.faces, built.recorded_body)
        live.add_writer(steps)
        live.start()
        try:
            taken_to_the_end(live, num_frames)
        finally:
            run.memory.append((live.frames_processed, resident_mb()))
            run.dropped = live.dropped
            live.close()
    return run


def soak_step(engine: str, backend: str, num_steps: int) -> SoakRun:
    """Runs the stages after the tracker on noise."""
    clip = decoded_frames(demo_clip_path(), _SIZE, limit=30)
    noise = np.random.default_rng(0).integers(0, 256, (8, _SIZE[1], _SIZE[0], 3)).astype(np.uint8)
    with closing(open_stages(engine, backend)) as stages:
        person = somebody_in(clip, with_landmarks=needs_landmarks(stages.engine))
        pipeline = MotionCapturePipeline(
            tracker=RepeatedPerson(person, 1),
            features=stages.features,
            temporal=stages.temporal(),
            body=stages.body,
        )
        run = SoakRun(
            engine=stages.engine.name,
            backend=stages.backend,
            precision=stages.engine.precision,
            step_ms=np.full(num_steps, np.nan),
        )
        steps = _StepTimes(run, warmup_of(num_steps), num_steps)
        for index in tqdm(range(num_steps), unit="step", leave=False, disable=None):
            steps.write(pipeline.step(frame_of(noise[index % len(noise)], index)))
        run.memory.append((num_steps, resident_mb()))
    return run


class _StepTimes:
    """Hangs on the inference thread; looks at the memory fifty times a run."""

    def __init__(self, run: SoakRun, warmup: int, num_frames: int) -> None:
        self._run, self._warmup = run, warmup
        self._every = max(1, (num_frames - warmup) // 50)

    def write(self, result: FrameResult) -> None:
        """Takes one result."""
        self._run.step_ms[self._run.num_done] = result.stage_ms["step"]
        self._run.num_done = done = self._run.num_done + 1
        if done >= self._warmup and (done - self._warmup) % self._every == 0:
            self._run.memory.append((done, resident_mb()))

    def close(self) -> None:
        """Nothing to finish."""


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns 0, 1 when memory grew too far, 2 after an error that the user can fix."""
    parser = command_parser(NAME, __doc__)
    parser.add_argument("--mode", choices=MODES, default="live")
    parser.add_argument("--frames", type=positive, help="20000 live, 3000 camera, 10000 step")
    parser.add_argument("--engine", default=DEFAULT_ENGINE)
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--limit-mb", type=seconds, default=5.0, help="largest growth allowed (5)")
    parser.add_argument("--limit-mm", type=seconds, default=1.0, help="largest unrest allowed (1)")
    add_json(parser)
    options = parser.parse_args(arguments)
    return guarded(NAME, lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    warn_if_busy()
    resident_mb()  # refuses other systems at once
    num_frames = options.frames or _DEFAULT_FRAMES[options.mode]
    started_s = perf_counter()
    if options.mode == "step":
        run = soak_step(options.engine, options.backend, num_frames)
    else:
        config = LiveConfig(engine=options.engine, backend=options.backend, view="none")
        rate_hz = _CAMERA_HZ if options.mode == "camera" else None
        with tempfile.TemporaryDirectory() as folder:
            run = soak_live(config, num_frames, rate_hz, Path(folder))
    _report(run, options.mode, num_frames, perf_counter() - started_s)
    _keep(run, options, num_frames)
    unrest_mm = restlessness_mm(options.engine, options.backend, num_frames)
    print(
        f"after {num_frames} frames of a looped clip the worst joint lies {unrest_mm:.2f} mm from that of a "
        f"memory of the last {LAST_FRAMES}"
    )
    return int(run.growth_mb > options.limit_mb or unrest_mm > options.limit_mm)


def _report(run: SoakRun, mode: str, num_frames: int, spent_s: float) -> None:
    print(f"{run.engine} on {run.backend}, {mode}, {num_frames} frames in {spent_s:.0f} s")
    for frame, size_mb in run.memory[:: max(1, len(run.memory) // 10)]:
        print(f"{frame:>8} frames {size_mb:8.1f} MB")
    first = run.memory[0][0]
    print(f"growth after the first {first} frames: {run.growth_mb:+.1f} MB")
    change = run.drift(warmup_of(num_frames)) - 1
    print(
        f"median step {np.median(run.step_ms[: run.num_done]):.2f} ms, last tenth against first: {change:+.1%}"
    )
    print(f"dropped: {run.dropped} frames")


def _keep(run: SoakRun, options: argparse.Namespace, num_frames: int) -> None:
    collected = Collected(NAME)
    labels = Labels(
        engine=run.engine,
        backend=run.backend,
        precision=run.precision,
        length=num_frames,
        note=f"{run.growth_mb:+.1f} MB, {run.dropped} dropped",
    )
    case = f"{run.engine}, {options.mode}, {num_frames} frames"
    steps_ms = run.step_ms[warmup_of(num_frames) : run.num_done].tolist()
    collected.add(case, steps_ms, labels, metric="step")
    sizes_mb = [size_mb for _, size_mb in run.memory]
    collected.add(case, sizes_mb, labels, metric="memory", unit="MB")
    collected.add(case, [float(run.dropped)], labels, metric="dropped", unit="frames")
    keep(collected, options.json)


if __name__ == "__main__":
    raise SystemExit(main())
