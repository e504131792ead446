"""The pictures of a report, each from the records of one benchmark."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

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
    ecdf,
    horizontal_bars,
    legend,
    log_ms,
    ms_text,
    panels,
    plain,
)
from benchmarks.results import Record, Summary

_FRAME_PERIODS_MS = {"60 fps": 1000 / 60, "30 fps": 1000 / 30}
_SERIES = (BLUE, ORANGE, GREEN, GREY)


def draw_latency(records: Sequence[Record]) -> Figure:
    """ECDF of step and grab-to-mesh: what share of the frames was done in a given time."""
    figure, (axes,) = panels(1, height=3.8)
    shown = [
        record
        for record in timed(records)
        if (record.metric, "camera" in record.case) in {("step", False), ("end_to_end", True)}
    ]
    end_ms = 1.15 * max(_of(record).p99 for record in shown)
    for number, record in enumerate(shown):
        colour = _SERIES[number % len(_SERIES)]
        what = "step" if record.metric == "step" else "grab to mesh"
        values, share = ecdf(record.samples)
        summary = _of(record)
        label = f"{what}, {record.case}: p50 {ms_text(summary.p50)}, p95 {ms_text(summary.p95)} ms"
        axes.plot(values, share, color=colour, linewidth=2, label=label)
        axes.plot([summary.p50, summary.p95], [50, 95], "o", color=colour, markersize=5)
    for name, period_ms in _FRAME_PERIODS_MS.items():
        if period_ms < end_ms:
            axes.axvline(period_ms, color="#BBBBBB", linewidth=1, linestyle="--")
            axes.text(
                period_ms, 102, f"a frame at {name}", fontsize=8, color="#777777", ha="center"
            )
    plain(axes, "Share of frames done within a time [%]\n", grid="both")
    axes.set_xlim(0, end_ms)
    axes.set_ylim(0, 101)
    axes.set_xlabel("ms", fontsize=9)
    figure.legend(loc="outside lower center", fontsize=8.5, frameon=False)
    return figure


def draw_stages(records: Sequence[Record]) -> Figure:
    """Where a step's time goes: each stage's median begins where the one before ended."""
    cases = _grouped(timed(records), lambda record: record.case)
    cases = {case: found for case, found in cases.items() if "camera" not in case}
    figure, all_axes = panels(len(cases), columns=1, height=2.6)
    for axes, (case, found) in zip(all_axes, cases.items(), strict=True):
        medians = {record.metric: _of(record) for record in found}
        step_ms = medians["step"].p50
        begin_ms = 0.0
        rows = [*STAGE_COLOURS, "step"]
        for place, stage in zip(range(len(rows), 0, -1), rows, strict=True):
            summary = medians[stage]
            start_ms = 0.0 if stage == "step" else begin_ms
            colour = STAGE_COLOURS.get(stage, GREY)
            axes.barh(place, summary.p50, 0.62, left=start_ms, color=colour)
            low, high = start_ms + summary.p25, start_ms + summary.p95
            axes.hlines(place, low, high, color=INK, linewidth=1)
            share = "" if stage == "step" else f", {summary.p50 / step_ms:.0%}"
            text = f"{ms_text(summary.p50)} ms{share}"
            axes.text(high + 0.01 * step_ms, place, text, va="center", fontsize=8.5, color=INK)
            begin_ms += 0.0 if stage == "step" else summary.p50
        axes.set_yticks(range(len(rows), 0, -1), rows)
        plain(axes, f"{case}: medians, whiskers p25 to p95", grid="x")
        axes.set_xlim(0, 1.25 * medians["step"].p95)
        axes.set_xlabel("ms since the frame was taken up", fontsize=9)
    return figure


def draw_backends(records: Sequence[Record]) -> Figure:
    """Every graph on every backend: medians with their interquartile ranges, fastest on top."""
    cases = _grouped(timed(records), lambda record: record.case)
    most = max(map(len, cases.values()))
    figure, all_axes = panels(len(cases), columns=2, width=10, height=0.9 + 0.36 * most)
    for axes, (case, found) in zip(all_axes, cases.items(), strict=True):
        found.sort(key=lambda record: _of(record).p50)
        rows = [(record.metric, record, backend_colour(record.backend)) for record in found]
        plain(axes, case, grid="x")
        horizontal_bars(axes, rows)
        axes.set_xlabel("ms, median and interquartile range", fontsize=8.5)
        # All panels have room for as many bars, so that bars are equally thick.
        axes.set_ylim(len(found) - most - 0.6, len(found) - 0.4)
    return figure


def draw_peers(records: Sequence[Record]) -> Figure:
    """Ours beside the others."""
    cases = _grouped(
        [record for record in timed(records) if record.unit == "ms"], lambda record: record.case
    )
    figure, all_axes = panels(len(cases), columns=1, height=2.5)
    for axes, (case, found) in zip(all_axes, cases.items(), strict=True):
        rows = [
            (record.metric, record, BLUE if record.metric.startswith("our") else GREY)
            for record in found
        ]
        plain(axes, f"{case[0].upper()}{case[1:]}", grid="x")
        horizontal_bars(axes, rows, tells_p95=True)
        axes.set_xlabel("ms a frame, median and interquartile range", fontsize=9)
    return figure


def draw_streaming(records: Sequence[Record]) -> Figure:
    """Cost of a frame against the frames before it."""
    engines = _grouped(timed(records), lambda record: record.engine)
    figure, all_axes = panels(len(engines), columns=2, width=10, height=3.8)
    for axes, (engine, found) in zip(all_axes, engines.items(), strict=True):
        longest = max(record.length or 0 for record in found)
        for mode, colour in MODE_COLOURS.items():
            points = [record for record in found if f", {mode}, " in record.case]
            if points:
                _draw_mode(axes, mode, colour, points, longest)
        plain(axes, f"{engine}: temporal part of one frame", grid="both")
        log_ms(axes, "x")
        log_ms(axes, "y")
        axes.set_xlim(12, longest * 7)
        lengths = sorted({record.length or 0 for record in found})
        axes.set_xticks(lengths, [_short(length) for length in lengths], minor=False)
        axes.tick_params(axis="x", which="minor", length=0)
        axes.set_xlabel("frames of the stream so far", fontsize=9)
        axes.set_ylabel("ms", fontsize=9)
    return figure


def draw_people(records: Sequence[Record]) -> Figure:
    """Cost of a frame with more people, by stage."""
    engines = _grouped(timed(records), lambda record: record.engine)
    figure, all_axes = panels(len(engines), columns=2, width=10, height=3.6)
    for axes, (engine, found) in zip(all_axes, engines.items(), strict=True):
        numbers = sorted({record.people for record in found})
        medians = {(record.people, record.metric): _of(record).p50 for record in found}
        base = np.zeros(len(numbers))
        for stage in ("features", "temporal", "body"):
            heights = np.array([medians[number, stage] for number in numbers])
            axes.bar(numbers, heights, 0.7, bottom=base, color=STAGE_COLOURS[stage], label=stage)
            base += heights
        for number, top in zip(numbers, base, strict=True):
            each = medians[number, "frame"] / number
            axes.text(
                number, top, f"{ms_text(each)}", ha="center", va="bottom", fontsize=8, color=INK
            )
        plain(axes, f"{engine}: above the bars ms a person")
        axes.set_xticks(numbers)
        axes.set_ylim(0, 1.12 * float(base.max()))
        axes.set_xlabel("people in the frame, tracker left out", fontsize=9)
        axes.set_ylabel("ms a frame", fontsize=9)
        legend(axes, "upper left")
    return figure


def draw_glass(records: Sequence[Record]) -> Figure:
    """Grab to mesh and grab to pixels, as distributions."""
    cases = _grouped(timed(records), lambda record: record.case)
    figure, all_axes = panels(len(cases), columns=1, height=2.6)
    for axes, (case, found) in zip(all_axes, cases.items(), strict=True):
        by_metric = {record.metric: record for record in found}
        end_ms = 1.05 * max(_of(by_metric[name]).p99 for name in ("grab to pixels", "grab to mesh"))
        bins = np.linspace(0, end_ms, 60)
        for name, colour in (("grab to mesh", GREY), ("grab to pixels", BLUE)):
            record = by_metric[name]
            summary = _of(record)
            label = f"{name}: p50 {ms_text(summary.p50)}, p95 {ms_text(summary.p95)} ms"
            axes.hist(record.samples, bins=bins.tolist(), color=colour, alpha=0.75, label=label)
            axes.axvline(summary.p50, color=colour, linewidth=1.5)
            axes.axvline(summary.p95, color=colour, linewidth=1.2, linestyle=":")
        plain(axes, f"{case[0].upper()}{case[1:]}: lines at p50, dotted at p95")
        axes.set_xlim(0, end_ms)
        axes.set_xlabel("ms", fontsize=9)
        axes.set_ylabel("frames", fontsize=9)
        legend(axes, "upper right")
    return figure


def draw_soak(records: Sequence[Record]) -> Figure:
    """Memory and step time over a long run."""
    cases = _grouped(timed(records), lambda record: record.case)
    figure, all_axes = panels(2 * len(cases), columns=2, width=10, height=2.6)
    for number, (case, found) in enumerate(cases.items()):
        by_metric = {record.metric: record for record in found}
        memory, step = by_metric["memory"], by_metric["step"]
        left, right = all_axes[2 * number : 2 * number + 2]
        _over_frames(left, memory, BLUE)
        top = 1.15 * _of(memory).max
        left.set_ylim(0, top)
        grown = memory.samples[-1] - memory.samples[0]
        plain(left, f"{case}: memory, {grown:+.1f} MB")
        left.set_ylabel("MB", fontsize=9)
        right.set_ylim(0, 1.3 * _of(step).p99)
        _over_frames(right, step, ORANGE)
        right.axhline(_of(step).p50, color=INK, linewidth=1)
        plain(right, f"step, median {ms_text(_of(step).p50)} ms")
        right.set_ylabel("ms", fontsize=9)
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


def timed(records: Sequence[Record]) -> list[Record]:
    """Those with values."""
    return [record for record in records if record.summary is not None]


def _draw_mode(axes: Axes, mode: str, colour: str, points: Sequence[Record], longest: int) -> None:
    lengths = [record.length or 0 for record in points]
    summaries = [_of(record) for record in points]
    medians = [summary.p50 for summary in summaries]
    axes.fill_between(
        lengths,
        [summary.p25 for summary in summaries],
        [summary.p75 for summary in summaries],
        color=colour,
        alpha=0.2,
        linewidth=0,
    )
    axes.plot(lengths, medians, "o-", color=colour, linewidth=2, markersize=5)
    end = lengths[-1]
    if mode == "window" and end < longest:
        axes.plot([end, longest], [medians[-1]] * 2, ":", color=colour, linewidth=1.5)
        end = longest
    label = {"stream": "stream", "window": "window of 16", "whole": "whole sequence"}[mode]
    axes.annotate(
        f"{label}\n{ms_text(medians[-1])} ms",
        (end, medians[-1]),
        xytext=(7, 0),
        textcoords="offset points",
        va="center",
        fontsize=8.5,
        color=colour,
        fontweight="bold",
    )


def _short(length: int) -> str:
    return f"{length}" if length < 1000 else f"{length // 1000}k"


def _over_frames(axes: Axes, record: Record, colour: str) -> None:
    frames = np.linspace(0, record.length or len(record.samples), len(record.samples))
    axes.plot(frames, record.samples, color=colour, linewidth=0.9)
    axes.set_xlabel("frames", fontsize=9)
    axes.axhline(0, color=FAINT)


def _grouped(records: Sequence[Record], key: Callable[[Record], str]) -> dict[str, list[Record]]:
    groups: defaultdict[str, list[Record]] = defaultdict(list)
    for record in records:
        groups[key(record)].append(record)
    return dict(groups)


def _of(record: Record) -> Summary:
    assert record.summary is not None
    return record.summary
