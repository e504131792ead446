"""Saved networks of a training on real clips, over training time.

    python -m benchmarks.real_curve ../shared/data/real3d --cache out/tracked --plot curve.png
        --networks engines/blazepose-gru runs/a/*.pt

Clips are tracked once and kept in the folder --cache; then every network runs as a stream through the
live pipeline after the tracker, in seconds a network, and is scored as `benchmarks.accuracy` scores.
A network is a `network.pt` of training, or an engine's folder to compare with.
"""

import argparse
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from benchmarks.accuracy_clips import find_clips
from benchmarks.accuracy_joints import MARKED, SET_NAMES
from benchmarks.accuracy_report import finite
from benchmarks.accuracy_scores import ClipResult
from benchmarks.figure_files import check_figure_files, write_json, writing
from benchmarks.replayed_clips import Playback, open_network, score_replayed
from benchmarks.tracked_clips import TrackedClip, tracked_clips
from realtime_vibe.app.settings import DEFAULT_ENGINE
from realtime_vibe.backends.graph_folder import Engine
from realtime_vibe.body.model_file import BodyModel, load_body
from realtime_vibe.errors import RealtimeVibeError
from realtime_vibe.temporal.modes import MODES
from realtime_vibe.tracking.choices import FULL, TRACKER_MODELS


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One network on one clip, or the mean of its clips."""

    pa_mpjpe_mm: float
    mpjpe_mm: float
    accel_mm: float
    overlay: float
    """Median distance of the mesh from the tracked landmarks, % of the person's height."""
    wrists: float
    ankles: float
    straight_knee_deg: float
    """Mean error of knees that are straight in truth."""
    knee_bias_deg: float
    trunk_deg: float
    flips_per_min: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """All that one network scored."""

    name: str
    hours: float | None
    """Of training, as the file says; None where it does not."""
    steps: int | None
    clips: dict[str, Row]

    @property
    def mean(self) -> Row:
        """Over clips that have a figure, each counting alike."""
        return Row(
            **{
                key: _mean([getattr(row, key) for row in self.clips.values()])
                for key in Row.__dataclass_fields__
            }
        )


def score_network(
    path: Path, clips: Sequence[TrackedClip], body: BodyModel, playback: Playback
) -> Scored:
    """Runs one network over all clips."""
    model, provenance = open_network(path)
    with closing(model):
        rows = {clip.name: _row(score_replayed(clip, model, body, playback)) for clip in clips}
    hours, steps = provenance.get("hours"), provenance.get("steps")
    return Scored(
        name=path.stem if path.stem != "network" else path.parent.name,
        hours=None if hours is None else float(hours),
        steps=None if steps is None else int(steps),
        clips=rows,
    )


def _row(result: ClipResult) -> Row:
    scores, posture, overlay = result.ours.scores, result.ours.posture, result.overlay
    nan = float("nan")
    return Row(
        pa_mpjpe_mm=scores.pa_mpjpe_mm,
        mpjpe_mm=scores.mpjpe_mm,
        accel_mm=scores.accel_mm,
        overlay=nan if overlay is None else overlay.median,
        wrists=nan if overlay is None else overlay.wrist_median,
        ankles=nan if overlay is None else overlay.ankle_median,
        straight_knee_deg=posture.straight_knee,
        knee_bias_deg=posture.knee_bias,
        trunk_deg=posture.trunk,
        flips_per_min=posture.flips_per_min,
    )


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


_COLUMNS = {
    "PA-MPJPE": "pa_mpjpe_mm", "MPJPE": "mpjpe_mm", "Accel": "accel_mm", "overlay": "overlay",
    "wrists": "wrists", "ankles": "ankles", "straight": "straight_knee_deg", "knee": "knee_bias_deg",
    "trunk": "trunk_deg", "flips": "flips_per_min",
}  # fmt: skip


def as_table(networks: Sequence[Scored]) -> str:
    """The clips of each network and their mean; then the means beside one another."""
    width = max(4, *(len(name) for each in networks for name in (each.name, *each.clips)))
    header = f"{'':<{width}}  {'hours':>6}" + "".join(f"{column:>9}" for column in _COLUMNS)
    lines = []
    for each in networks:
        lines += [each.name, header]
        lines += [_line(width, name, "", row) for name, row in each.clips.items()]
        lines += [_line(width, "mean", _hours(each), each.mean), ""]
    if len(networks) > 1:
        lines += ["means", header]
        lines += [_line(width, each.name, _hours(each), each.mean) for each in networks]
        lines.append("")
    return "\n".join(
        [
            *lines,
            "mm; Accel mm/frame^2 at about 30 frames a second; overlay, wrists, ankles: median, % of the person's",
            "height; straight: error of knees that are straight in truth, knee: signed error of all knees,",
            "negative where too bent, trunk: its direction [degrees]; flips a minute; see benchmarks.accuracy",
        ]
    )


def _hours(network: Scored) -> str:
    return "-" if network.hours is None else f"{network.hours:.2f}"


def _line(width: int, name: str, hours: str, row: Row) -> str:
    values = (getattr(row, field) for field in _COLUMNS.values())
    cells = (f"{value:>9.1f}" if np.isfinite(value) else f"{'-':>9}" for value in values)
    return f"{name:<{width}}  {hours:>6}" + "".join(cells)


def as_json(networks: Sequence[Scored]) -> list[dict[str, Any]]:
    """All figures; what cannot be said is null."""
    return [
        {
            "name": each.name,
            "hours": each.hours,
            "steps": each.steps,
            "clips": {name: finite(asdict(row)) for name, row in each.clips.items()},
            "mean": finite(asdict(each.mean)),
        }
        for each in networks
    ]


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns 0, or 2 after an error that the user can fix."""
    options = _parser().parse_args(arguments)
    try:
        check_figure_files(options.json, options.plot)
        threadpool_limits(1, user_api="blas")  # as the live pipeline has it
        clips = tracked_clips(find_clips(options.folder), options.cache, options.tracker_model)
        body = load_body(Engine(options.engine).body)
        playback = Playback(
            temporal=options.temporal, smooth=options.smooth, joint_set=options.joints
        )
        tqdm.monitor_interval = 0  # its watchdog thread would outlive the run
        bar = tqdm(options.networks, unit="network", file=sys.stderr, disable=None, leave=False)
        networks = [score_network(path, clips, body, playback) for path in bar]
        print(as_table(networks))
        _write(networks, options)
    except RealtimeVibeError as error:
        print(f"benchmarks.real_curve: error: {error}", file=sys.stderr)
        return 2
    return 0


def _write(networks: Sequence[Scored], options: argparse.Namespace) -> None:
    with writing():
        if options.json is not None:
            write_json(options.json, as_json(networks))
        if options.plot is not None:
            from benchmarks.real_curve_plot import draw_curve

            draw_curve(networks, options.plot)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.real_curve",
        description="Saved networks of a training on real clips, over training time.",
    )
    add = parser.add_argument
    add("folder", type=Path, help="folder of clips, or one clip folder")
    add("--networks", type=Path, nargs="+", required=True, help="network.pt files, engine folders")
    add("--cache", type=Path, help="folder that keeps what was tracked")
    add("--tracker-model", choices=TRACKER_MODELS, default=FULL)
    add("--engine", default=DEFAULT_ENGINE, help="engine whose body is posed")
    add("--temporal", choices=MODES, default="stream")
    add("--smooth", type=float, default=0.0, help="strength in [0, 1]")
    add("--joints", choices=SET_NAMES[1:], default=MARKED, help="which joints to score")
    add("--json", type=Path, help="also write the figures to this file")
    add("--plot", type=Path, help="also draw them over training time to this PNG")
    return parser


if __name__ == "__main__":
    sys.exit(main())
