"""From grab to pixels on the screen, measured: the screen is read back.

    python -m benchmarks glass                    # needs a display, or Xvfb to make one

A video whose frames carry their number as a visible code plays at a camera's rate through the real
threads, the real overlay and the real preview window. Another process watches the screen and notes when
each number first appears. A frame's latency is that moment less its grab; it counts only if a person was
found in it, so that a mesh was drawn over it: overlay and picture come from one result, and the code that
is seen belongs to the mesh around it. Frames that a newer one replaced before they were drawn have no
latency and are counted as not shown.

Twice: the preview alone, and the preview while the 3D window is open too. The 3D window itself shows no
picture, hence no code; both windows are served by the same thread in turn, 3D first, so its pixels are
not later than those of the preview. The display's own scan-out, up to one refresh, is not in the figures.
"""

import argparse
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.coded_source import CodedSource, with_room_for_code
from benchmarks.command_line import (
    add_json,
    command_parser,
    guarded,
    keep,
    seconds,
    table,
)
from benchmarks.frame_code import MAX_NUMBER
from benchmarks.latency import decoded_frames
from benchmarks.other_work import warn_if_busy
from benchmarks.results import Collected, Labels
from benchmarks.screen_reader import ScreenReader, Sightings, require_mss
from benchmarks.virtual_screen import has_screen, virtual_screen
from realtime_vibe.app.live_run import LiveRun
from realtime_vibe.app.outputs import LiveOutputs
from realtime_vibe.app.run import BuiltPipeline, build_pipeline
from realtime_vibe.app.settings import DEFAULT_ENGINE, LiveConfig
from realtime_vibe.errors import ConfigError, OutputError
from realtime_vibe.outputs.stats import StatsCollector
from realtime_vibe.packets import FrameResult, ImageArray
from realtime_vibe.sources.video_file import demo_clip_path

NAME = "glass"
WARMUP_S = 2.0
"""At the start of each part, left out: windows open, networks tune."""
_VIEWS = ("preview", "both")
_TITLES = {"preview": "preview", "both": "preview beside the 3D window"}
_SIZE = (640, 480)
_MARK = "REALTIME_VIBE_BENCHMARK_VIRTUAL_SCREEN"


@dataclass(frozen=True, slots=True, kw_only=True)
class GlassTimes:
    """Latencies of the frames that were seen, in order [ms]."""

    to_mesh_ms: list[float]
    """Grab to mesh ready."""
    to_pixels_ms: list[float]
    """Grab to pixels."""
    num_processed: int
    """Frames with a person, warm-up left out."""

    @property
    def num_shown(self) -> int:
        """How many of them were seen on the screen."""
        return len(self.to_pixels_ms)


class FrameLedger:
    """Notes of every processed frame when it was grabbed and when its mesh was ready."""

    def __init__(self) -> None:
        self.grabbed_s: dict[int, float] = {}
        self.ready_s: dict[int, float] = {}

    def write(self, result: FrameResult) -> None:
        """Takes one result; those without a person are left out, nothing is drawn over them."""
        if result.people:
            self.grabbed_s[result.frame.index] = result.frame.grabbed_at_s
            self.ready_s[result.frame.index] = time.perf_counter()

    def close(self) -> None:
        """Nothing to finish."""


def matched(ledger: FrameLedger, seen: Sightings, warmup_s: float = WARMUP_S) -> GlassTimes:
    """Joins what was processed with what was seen.

    Args:
        warmup_s: left out after the first grab [s].
    """
    begin_s = min(ledger.grabbed_s.values(), default=0.0) + warmup_s
    counted = [index for index, at_s in sorted(ledger.grabbed_s.items()) if at_s >= begin_s]
    shown = [index for index in counted if index in seen.first_seen_s]
    return GlassTimes(
        to_mesh_ms=[(ledger.ready_s[index] - ledger.grabbed_s[index]) * 1e3 for index in shown],
        to_pixels_ms=[
            (seen.first_seen_s[index] - ledger.grabbed_s[index]) * 1e3 for index in shown
        ],
        num_processed=len(counted),
    )


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns 0, or 2 after an error that the user can fix."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(arguments)
    return guarded(NAME, lambda: _run(options, arguments))


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(NAME, __doc__)
    parser.add_argument("--source", type=Path, default=demo_clip_path(), help="a clip")
    parser.add_argument("--engine", default=DEFAULT_ENGINE)
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--rate", type=seconds, default=30.0, help="camera rate (30)")
    parser.add_argument("--seconds", type=seconds, default=12.0, help="of each part (12)")
    parser.add_argument("--view", choices=_VIEWS, action="append", help="only this part")
    add_json(parser)
    return parser


def _run(options: argparse.Namespace, arguments: list[str]) -> int:
    require_mss()
    count = round((options.seconds + WARMUP_S) * options.rate)
    if count > MAX_NUMBER:
        raise ConfigError(f"{count} frames were asked for, expected at most {MAX_NUMBER}")
    if not has_screen():
        # In a process of its own: Qt ends the process it is in when its screen goes.
        with virtual_screen() as environment:
            command = [sys.executable, "-m", "benchmarks.glass", *arguments]
            return subprocess.run(command, env={**environment, _MARK: "1"}, check=False).returncode
    warn_if_busy()
    collected = Collected(NAME)
    images = [
        with_room_for_code(image, _SIZE)
        for image in decoded_frames(options.source, _SIZE, limit=300)
    ]
    where = "Xvfb, drawn by the CPU" if _MARK in os.environ else "this display"
    rows = []
    for view in options.view or _VIEWS:
        built = build_pipeline(
            LiveConfig(engine=options.engine, backend=options.backend, view=view)
        )
        seen, ledger = _watch(built, images, view, count, options.rate)
        times = matched(ledger, seen)
        _collect(collected, _TITLES[view], times, seen, built, where)
        rows += _rows(_TITLES[view], times, seen)
    print(f"{options.source.name} as a {options.rate:g} fps camera, {where}\n")
    print(table(("", "p50 ms", "p95 ms", "p99 ms", "frames"), rows))
    keep(collected, options.json)
    return 0


def _watch(
    built: BuiltPipeline, images: list[ImageArray], view: str, count: int, rate_hz: float
) -> tuple[Sightings, FrameLedger]:
    """Runs the app's own loop and a reader beside it."""
    outputs = LiveOutputs(LiveConfig(view=view))
    stats, ledger = StatsCollector(), FrameLedger()
    with ExitStack() as cleanup:
        cleanup.callback(built.pipeline.close)
        display = outputs.open_display(built.faces)
        cleanup.callback(display.close)
        reader = ScreenReader(dict(os.environ))
        cleanup.callback(reader.kill)
        reader.wait_until_ready()
        source = CodedSource(images, count, rate_hz)
        live = LiveRun(source, built.pipeline, stats, every_frame=False, max_frames=None)
        cleanup.callback(live.close)
        live.add_writer(ledger)
        live.start()
        titles = (built.engine, f"{built.backend} {built.precision}")
        while outputs.serve(display, live, titles):
            pass
        return reader.stop(), ledger


def _collect(
    collected: Collected,
    case: str,
    times: GlassTimes,
    seen: Sightings,
    built: BuiltPipeline,
    where: str,
) -> None:
    if not times.num_shown:
        raise OutputError(
            f"{case}: none of {times.num_processed} frames was seen on the screen; expected the "
            "preview window in view, not covered by another"
        )
    share = f"{times.num_shown} of {times.num_processed} processed frames were shown"
    labels = Labels(
        engine=built.engine,
        backend=built.backend,
        precision=built.precision,
        note=f"{where}; {share}",
    )
    collected.add(case, times.to_pixels_ms, labels, metric="grab to pixels")
    collected.add(case, times.to_mesh_ms, labels, metric="grab to mesh")
    drawing_ms = np.subtract(times.to_pixels_ms, times.to_mesh_ms).tolist()
    collected.add(case, drawing_ms, labels, metric="mesh to pixels")
    collected.add(case, seen.looks_ms, labels, metric="time between looks")


def _rows(title: str, times: GlassTimes, seen: Sightings) -> list[tuple[str, ...]]:
    drawing_ms = np.subtract(times.to_pixels_ms, times.to_mesh_ms).tolist()
    rows: list[tuple[str, ...]] = [
        (f"{title} ({times.num_shown} of {times.num_processed} shown)", "", "", "", "")
    ]
    for label, samples_ms in (
        ("  grab to mesh", times.to_mesh_ms),
        ("  mesh to pixels", drawing_ms),
        ("  grab to pixels", times.to_pixels_ms),
        ("  time between looks", seen.looks_ms),
    ):
        cells = (f"{value:.1f}" for value in np.percentile(samples_ms, [50, 95, 99]))
        rows.append((label, *cells, str(len(samples_ms))))
    return rows


if __name__ == "__main__":
    raise SystemExit(main())
