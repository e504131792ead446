"""The pictures of a report, each from the records of one benchmark that have values."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.report_style import (
    BLUE,
    FAINT,
    GREEN,
    GREY,
    INK,
    MODE_COLOURS,
    ORANGE,
    STAGE_COLOURS,
    backend_colour,
    horizontal_bars,
    legend,
    logarithmic,
    ms_text,
    p50_p95,
    panels,
    plain,
    summary_of,
)
from benchmarks.results import Record

_FRAME_PERIODS_MS = {"60 fps": 1000 / 60, "30 fps": 1000 / 30}
_SERIES = (BLUE, ORANGE, GREEN, GREY)
_MODES = {"stream": "stream", "window": "window of 16", "whole": "whole sequence"}


def draw_latency(records: Sequence[Record]) -> Figure:
    """ECDF of step and grab-to-mesh: what share of the frames was done in a given time."""
    figure, (axes,) = panels(1, height=3.8)
    shown = [
        record
        for record in records
        if (record.metric, "camera" in record.case) in {("step", False), ("end_to_end", True)}
    ]
    end_ms = 1.15 * max(summary_of(record).p99 for record in shown)
    for number, record in enumerate(shown):
        colour = _SERIES[number % len(_SERIES)]
        what = "step" if record.metric == "step" else "grab to mesh"
        summary = summary_of(record)
        share = np.arange(1, len(record.samples) + 1) / len(record.samples) * 100
        label = f"{what}, {record.case}: {p50_p95(summary)}"
        axes.plot(np.sort(record.samples), share, color=colour, linewidth=2, label=label)
        axes.plot([summary.p50, summary.p95], [50, 95], "o", color=colour, markersize=5)
    for name, period_ms in _FRAME_PERIODS_MS.items():
        if period_ms < end_ms:
            axes.axvline(period_ms, color="#BBBBBB", linewidth=1, linestyle="--")
            text = f"a frame at {name}"
            axes.text(period_ms, 102, text, fontsize=8, color="#777777", ha="center")
    plain(axes, "Share of frames done within a time [%]\n", "ms", grid="both")
    axes.set_xlim(0, end_ms)
    axes.set_ylim(0, 101)
    figure.legend(loc="outside lower center", fontsize=8.5, frameon=False)
    return figure


def draw_stages(records: Sequence[Record]) -> Figure:
    """Where a step's time goes: each stage's median begins where the one before ended."""
    shown = [record for record in records if "camera" not in record.case]
    figure, drawn = _by("case", shown, columns=1, height=2.6)
    for axes, case, found in drawn:
        medians = {record.metric: summary_of(record) for record in found}
        step_ms, begin_ms = medians["step"].p50, 0.0
        rows = [*STAGE_COLOURS, "step"]
        for place, stage in zip(range(len(rows), 0, -1), rows, strict=True):
            summary, share = medians[stage], ""
            if stage == "step":
                begin_ms = 0.0
            else:
                share = f", {summary.p50 / step_ms:.0%}"
            colour = STAGE_COLOURS.get(stage, GREY)
            axes.barh(place, summary.p50, 0.62, left=begin_ms, color=colour)
            low, high = begin_ms + summary.p25, begin_ms + summary.p95
            axes.hlines(place, low, high, color=INK, linewidth=1)
            text = f"{ms_text(summary.p50)} ms{share}"
            axes.text(high + 0.01 * step_ms, place, text, va="center", fontsize=8.5, color=INK)
            begin_ms += summary.p50
        axes.set_yticks(range(len(rows), 0, -1), rows)
        title = f"{case}: medians, whiskers p25 to p95"
        plain(axes, title, "ms since the frame was taken up", grid="x")
        axes.set_xlim(0, 1.25 * medians["step"].p95)
    return figure


def draw_backends(records: Sequence[Record]) -> Figure:
    """Every graph on every backend: medians with their interquartile ranges, fastest on top."""
    most = max(map(len, _grouped("case", records).values()))
    figure, drawn = _by("case", records, height=0.9 + 0.36 * most)
    for axes, case, found in drawn:
        found.sort(key=lambda record: summary_of(record).p50)
        plain(axes, case, "ms, median and interquartile range", grid="x")
        horizontal_bars(
            axes, [(record.metric, record, backend_colour(record.backend)) for record in found]
        )
        # All panels have room for as many bars, so that bars are equally thick.
        axes.set_ylim(len(found) - most - 0.6, len(found) - 0.4)
    return figure


def draw_peers(records: Sequence[Record]) -> Figure:
    """Ours beside the others."""
    shown = [record for record in records if record.unit == "ms"]
    figure, drawn = _by("case", shown, columns=1, height=2.5)
    for axes, case, found in drawn:
        rows = [
            (record.metric, record, BLUE if record.metric.startswith("our") else GREY)
            for record in found
        ]
        title = f"{case[0].upper()}{case[1:]}"
        plain(axes, title, "ms a frame, median and interquartile range", grid="x")
        horizontal_bars(axes, rows, tells_p95=True)
    return figure


def draw_streaming(records: Sequence[Record]) -> Figure:
    """Cost of a frame against the frames before it."""
    figure, drawn = _by("engine", records, height=3.8)
    for axes, engine, found in drawn:
        lengths = sorted({record.length or 0 for record in found})
        for mode in MODE_COLOURS:
            points = [record for record in found if f", {mode}, " in record.case]
            if points:
                _draw_mode(axes, mode, points, lengths[-1])
        title = f"{engine}: temporal part of one frame"
        plain(axes, title, "frames of the stream so far", "ms", grid="both")
        logarithmic(axes)
        axes.set_xlim(12, lengths[-1] * 7)
        texts = [f"{length}" if length < 1000 else f"{length // 1000}k" for length in lengths]
        axes.set_xticks(lengths, texts, minor=False)
        axes.tick_params(axis="x", which="minor", length=0)
    return figure


def draw_people(records: Sequence[Record]) -> Figure:
    """Cost of a frame with more people, by stage."""
    figure, drawn = _by("engine", records, height=3.6)
    for axes, engine, found in drawn:
        numbers = sorted({record.people for record in found})
        medians = {(record.people, record.metric): summary_of(record).p50 for record in found}
        base = np.zeros(len(numbers))
        for stage in ("features", "temporal", "body"):
            heights = np.array([medians[number, stage] for number in numbers])
            axes.bar(numbers, heights, 0.7, bottom=base, color=STAGE_COLOURS[stage], label=stage)
            base += heights
        for number, top in zip(numbers, base, strict=True):
            text = ms_text(medians[number, "frame"] / number)
            axes.text(number, top, text, ha="center", va="bottom", fontsize=8, color=INK)
        title = f"{engine}: above the bars ms a person"
        plain(axes, title, "people in the frame, tracker left out", "ms a frame")
        axes.set_xticks(numbers)
        axes.set_ylim(0, 1.12 * float(base.max()))
        legend(axes, "upper left")
    return figure


def draw_glass(records: Sequence[Record]) -> Figure:
    """Grab to mesh and grab to pixels, as distributions."""
    figure, drawn = _by("case", records, columns=1, height=2.6)
    for axes, case, found in drawn:
        shown = {record.metric: record for record in found}
        series = (shown["grab to mesh"], GREY), (shown["grab to pixels"], BLUE)
        end_ms = 1.05 * max(summary_of(record).p99 for record, _ in series)
        bins = np.linspace(0, end_ms, 60).tolist()
        for record, colour in series:
            summary = summary_of(record)
            label = f"{record.metric}: {p50_p95(summary)}"
            axes.hist(record.samples, bins=bins, color=colour, alpha=0.75, label=label)
            axes.axvline(summary.p50, color=colour, linewidth=1.5)
            axes.axvline(summary.p95, color=colour, linewidth=1.2, linestyle=":")
        title = f"{case[0].upper()}{case[1:]}: lines at p50, dotted at p95"
        plain(axes, title, "ms", "frames")
        axes.set_xlim(0, end_ms)
        legend(axes, "upper right")
    return figure


def draw_soak(records: Sequence[Record]) -> Figure:
    """Memory and step time over a long run."""
    cases = _grouped("case", records)
    figure, all_axes = panels(2 * len(cases), width=10, height=2.6)
    for left, right, (case, found) in zip(
        all_axes[::2], all_axes[1::2], cases.items(), strict=True
    ):
        by_metric = {record.metric: record for record in found}
        memory, step = by_metric["memory"], by_metric["step"]
        grown = memory.samples[-1] - memory.samples[0]
        _over_frames(left, memory, BLUE, f"{case}: memory, {grown:+.1f} MB")
        left.set_ylim(0, 1.15 * summary_of(memory).max)
        step_ms = summary_of(step).p50
        _over_frames(right, step, ORANGE, f"step, median {ms_text(step_ms)} ms")
        right.set_ylim(0, 1.3 * summary_of(step).p99)
        right.axhline(step_ms, color=INK, linewidth=1)
    return figure


DRAWINGS: Mapping[str, tuple[str, Callable[[Sequence[Record]], Figure]]] = {
    "latency": ("latency", draw_latency),
    "stages": ("latency", draw_stages),
    "backends": ("backends", draw_backends),
    "peers": ("peers", draw_peers),
    "streaming": ("streaming", draw_streaming),
    "people": ("people", draw_people),
    "glass": ("glass", draw_glass),
    "soak": ("soak", draw_soak),
}
"""By the picture's name: the benchmark it is of, and who draws it."""


def _draw_mode(axes: Axes, mode: str, points: Sequence[Record], longest: int) -> None:
    colour = MODE_COLOURS[mode]
    lengths = [record.length or 0 for record in points]
    p25, medians, p75 = zip(*((s.p25, s.p50, s.p75) for s in map(summary_of, points)), strict=True)
    axes.fill_between(lengths, p25, p75, color=colour, alpha=0.2, linewidth=0)
    axes.plot(lengths, medians, "o-", color=colour, linewidth=2, markersize=5)
    end = lengths[-1]
    if mode == "window" and end < longest:
        axes.plot([end, longest], [medians[-1]] * 2, ":", color=colour, linewidth=1.5)
        end = longest
    axes.annotate(
        f"{_MODES[mode]}\n{ms_text(medians[-1])} ms",
        (end, medians[-1]),
        xytext=(7, 0),
        textcoords="offset points",
        va="center",
        fontsize=8.5,
        color=colour,
        fontweight="bold",
    )


def _over_frames(axes: Axes, record: Record, colour: str, title: str) -> None:
    frames = np.linspace(0, record.length or len(record.samples), len(record.samples))
    axes.plot(frames, record.samples, color=colour, linewidth=0.9)
    axes.axhline(0, color=FAINT)
    plain(axes, title, "frames", record.unit)


def _by(
    key: str, records: Sequence[Record], *, columns: int = 2, height: float
) -> tuple[Figure, Iterator[tuple[Axes, str, list[Record]]]]:
    """A figure, and for each value of a field its panel, the value and its records."""
    groups = _grouped(key, records)
    width = 9.0 if columns == 1 else 10.0
    figure, all_axes = panels(len(groups), columns=columns, width=width, height=height)
    return figure, zip(all_axes, groups.keys(), groups.values(), strict=True)


def _grouped(key: str, records: Sequence[Record]) -> dict[str, list[Record]]:
    groups: defaultdict[str, list[Record]] = defaultdict(list)
    for record in records:
        groups[getattr(record, key)].append(record)
    return dict(groups)
