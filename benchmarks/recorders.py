"""What recording costs the live step, and how long takes need to become files.

    python -m benchmarks.recorders               # 30 frames a second, as from a camera
    python -m benchmarks.recorders --rate 0      # as fast as frames can be processed

Blocks of 25 frames take turns, so that other load affects all alike: without outputs, with motion in every
format, and with every output there is: motion, overlay video, VMC, VRChat, WebSocket with a receiver each.

step     track to joints, the mesh where an output asks for it, and the hand-over to the outputs
thread   processor time of the same in the thread that runs inference: a busy machine hardly changes it
files    from the last row to the finished file, by format
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from benchmarks.command_line import command_parser, guarded, keep
from benchmarks.network_outputs import BLOCK, KINDS, WARMUP_FRAMES, Outputs
from benchmarks.other_work import warn_if_busy
from benchmarks.paced_clip import MEDIA_RATE_HZ, add_clip_options, opened_clip
from benchmarks.results import Collected, Labels
from realtime_vibe.app.outputs import VideoSink
from realtime_vibe.app.run import BuiltPipeline
from realtime_vibe.outputs.base import ResultSink
from realtime_vibe.outputs.record.motion_recorder import MotionRecorder, spool_path
from realtime_vibe.outputs.record.row_blocks import TakeRows
from realtime_vibe.outputs.record.spool_reader import open_spool
from realtime_vibe.outputs.record.take_files import MOTION_SUFFIXES, Take, write_take
from realtime_vibe.outputs.record.video_writer import VideoWriter
from realtime_vibe.outputs.view.composite import CompositeRenderer
from realtime_vibe.packets import Frame

NAME = "recorders"
MODES = ("without", "motion", "everything")

Samples = dict[str, list[float]]


def measure(
    built: BuiltPipeline,
    writers: Mapping[str, tuple[ResultSink | Outputs, ...]],
    frames: list[Frame],
    rate_hz: float,
) -> tuple[Samples, Samples]:
    """Runs the pipeline over `frames`; the blocks go round the modes.

    Returns:
        Step and thread time [ms] by mode, warm-up left out.
    """
    step_ms: Samples = {mode: [] for mode in writers}
    thread_ms: Samples = {mode: [] for mode in writers}
    modes = tuple(writers)
    started_s = time.perf_counter()
    for frame in frames:
        if rate_hz:
            time.sleep(max(0.0, started_s + frame.index / rate_hz - time.perf_counter()))
        mode = modes[(frame.index // BLOCK) % len(modes)]
        before_s, before_thread_s = time.perf_counter(), time.thread_time()
        result = built.pipeline.step(frame)
        for writer in writers[mode]:
            writer.write(result)
        if frame.index >= WARMUP_FRAMES:
            step_ms[mode].append((time.perf_counter() - before_s) * 1e3)
            thread_ms[mode].append((time.thread_time() - before_thread_s) * 1e3)
    return step_ms, thread_ms


def file_times_s(
    recorder: MotionRecorder, built: BuiltPipeline, minutes: float
) -> dict[str, float]:
    """Seconds to write a take of `minutes`, the recorded rows over and over, by format."""
    count = round(minutes * 60 * MEDIA_RATE_HZ)
    with open_spool(spool_path(recorder.paths[0])) as spool:
        rows = np.resize(np.concatenate(list(spool.rows.blocks())), count)
    rows["frame_index"] = np.arange(count)
    rows["timestamp_s"] = np.arange(count) / MEDIA_RATE_HZ
    take = Take(rows=TakeRows.of(rows), facts=spool.facts, skin=built.recorded_body.skin)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for suffix in MOTION_SUFFIXES:
            before_s = time.perf_counter()
            write_take(Path(folder) / f"take{suffix}", take)
            found[suffix] = time.perf_counter() - before_s
    return found


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns 0, or 2 after an error that the user can fix."""
    parser = command_parser(NAME, __doc__)
    add_clip_options(parser)
    parser.add_argument("--minutes", type=float, default=10.0, help="take to write (10)")
    options = parser.parse_args(arguments)
    return guarded(NAME, lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    warn_if_busy()
    built, frames = opened_clip(options)
    with ExitStack() as stack:
        stack.callback(built.pipeline.close)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        network = stack.enter_context(Outputs(built, KINDS))
        paths = (folder / f"o{suffix}" for suffix in MOTION_SUFFIXES)
        motion = stack.enter_context(MotionRecorder(*paths, body=built.recorded_body))
        renderer = CompositeRenderer(built.faces)
        video = VideoSink(VideoWriter(folder / "o.mkv", fps=30), renderer, lossless=False)
        stack.callback(video.close)
        writers = dict(zip(MODES, ((), (motion,), (motion, video, network)), strict=True))
        step_ms, thread_ms = measure(built, writers, frames, options.rate)
        files_s = file_times_s(motion, built, options.minutes)
    _report(options, built, step_ms, thread_ms)
    for suffix, seconds in files_s.items():
        print(f"file {suffix} of {options.minutes:g} min {seconds:6.2f} s")


def _report(
    options: argparse.Namespace, built: BuiltPipeline, step_ms: Samples, thread_ms: Samples
) -> None:
    collected = Collected(NAME)
    labels = Labels(engine=built.engine, backend=built.backend, precision=built.precision)
    pace = f"{options.rate:g} fps" if options.rate else "as fast as possible"
    print(f"{built.engine}, {built.backend}, {pace}\n")
    for word, samples in (("step", step_ms), ("thread", thread_ms)):
        without = statistics.median(samples["without"])
        for mode, values in samples.items():
            cost = statistics.median(values) / without - 1
            cuts = statistics.quantiles(values, n=20)
            print(
                f"{word:<7} {mode:<11} p50 {cuts[9]:.2f} ms   p95 {cuts[18]:.2f} ms   {cost:+.1%}"
            )
            collected.add(f"{mode}, {pace}", values, labels, metric=word)
    keep(collected, options.json)


if __name__ == "__main__":
    raise SystemExit(main())
