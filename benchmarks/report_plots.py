"""The pictures of a report, each from the records of one benchmark that have values.

Three kinds: how a time is distributed, medians as bars, and courses over frames.
"""

from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.results import Record, Summary

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

# Okabe and Ito's colours: distinct for colour-blind eyes.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#8C8C8C")
_STYLE: "dict[RcKeyType, Any]" = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.prop_cycle": f"cycler(color={list(_COLOURS)})",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "figure.constrained_layout.use": True,
    "font.size": 8.5,
    "grid.color": "#E2E2E2",
    "savefig.dpi": 150,
}

Draw = Callable[[Axes, Sequence[Record]], None]
_LATENCY = {("step", False): "step", ("end_to_end", True): "grab to mesh"}
"""Metric, and whether frames came at a camera's times: what the distribution is drawn of."""


def picture(name: str, records: Sequence[Record]) -> bytes:
    """A PNG with a panel for each value of the field by which its drawing is divided.

    Args:
        name: one of `DRAWINGS`.
        records: at least one, of its benchmark.
    """
    _, field, draw = DRAWINGS[name]
    panels: dict[str, list[Record]] = {}
    for record in records:
        panels.setdefault(getattr(record, field), []).append(record)
    buffer = BytesIO()
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(9.0, 3.2 * len(panels)))
        all_axes = figure.subplots(len(panels), squeeze=False).ravel()
        for axes, (title, found) in zip(all_axes, panels.items(), strict=True):
            axes.set_title(title)
            draw(axes, found)
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def ms_text(value: float) -> str:
    """Three figures: `0.29`, `7.01`, `69.4`, `181`."""
    digits = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:,.{digits}f}"


def _draw_shares(axes: Axes, found: Mapping[str, Record]) -> None:
    """What share of the frames was done within a time, with p50 and p95 marked."""
    for label, record in found.items():
        summary = _summary(record)
        words = f"{label}: p50 {ms_text(summary.p50)}, p95 {ms_text(summary.p95)} ms"
        curve = axes.ecdf(record.samples, linewidth=2, label=words)
        axes.plot([summary.p50, summary.p95], [0.5, 0.95], "o", color=curve.get_color())
    axes.set(xlabel="ms", ylabel="share of the frames")
    axes.set_xlim(0, 1.15 * max(_summary(record).p99 for record in found.values()))
    axes.legend(loc="lower right")


def _draw_latency(axes: Axes, records: Sequence[Record]) -> None:
    shown = [(_LATENCY.get((record.metric, "camera" in record.case)), record) for record in records]
    _draw_shares(axes, {f"{what}, {record.case}": record for what, record in shown if what})


def _draw_glass(axes: Axes, records: Sequence[Record]) -> None:
    _draw_shares(axes, {each.metric: each for each in records if each.metric.startswith("grab")})


def _draw_bars(axes: Axes, records: Sequence[Record]) -> None:
    """Medians in ms, first on top, with the middle half of the runs as whiskers."""
    shown = [record for record in records if record.unit == "ms"]
    medians = np.array([_summary(record).p50 for record in shown])
    ends = np.array([(_summary(record).p25, _summary(record).p75) for record in shown]).T
    colours = ["#0072B2" if record.metric.startswith("our") else "#56B4E9" for record in shown]
    places = range(len(shown))
    whiskers = np.abs(ends - medians)
    bars = axes.barh(places, medians, xerr=whiskers, color=colours, capsize=3)
    axes.bar_label(bars, [f"{ms_text(median)} ms" for median in medians], padding=5)
    axes.set_yticks(places, [record.metric for record in shown])
    axes.invert_yaxis()
    axes.set(xlabel="ms, median and interquartile range", xlim=(0, 1.3 * ends.max()))


def _draw_streaming(axes: Axes, records: Sequence[Record]) -> None:
    for mode in ("stream", "window", "whole"):
        points = [record for record in records if f", {mode}, " in record.case]
        medians = [_summary(record).p50 for record in points]
        axes.plot([record.length or 0 for record in points], medians, "o-", label=mode)
    axes.set(xscale="log", yscale="log", xlabel="frames of the stream so far", ylabel="ms a frame")
    axes.legend()


def _draw_people(axes: Axes, records: Sequence[Record]) -> None:
    for metric in dict.fromkeys(record.metric for record in records):
        points = [record for record in records if record.metric == metric]
        medians = [_summary(record).p50 for record in points]
        axes.plot([record.people for record in points], medians, "o-", label=metric)
    axes.set(xlabel="people in the frame, tracker left out", ylabel="ms a frame", ylim=(0, None))
    axes.legend()


def _draw_soak(axes: Axes, records: Sequence[Record]) -> None:
    """The time of each step on the left axis, memory on the right one."""
    by_metric = {record.metric: record for record in records}
    sides = zip((axes, axes.twinx()), ("step", "memory"), _COLOURS, strict=False)
    for side, metric, colour in sides:
        record = by_metric[metric]
        frames = np.linspace(0, record.length or len(record.samples), len(record.samples))
        side.plot(frames, record.samples, color=colour, linewidth=0.9)
        side.set_ylabel(f"{metric} [{record.unit}]", color=colour)
        side.set_ylim(0, 1.2 * _summary(record).p99)
    axes.set_xlabel("frames")


DRAWINGS: Mapping[str, tuple[str, str, Draw]] = {
    "latency": ("latency", "engine", _draw_latency),
    "stages": ("latency", "case", _draw_bars),
    "glass": ("glass", "case", _draw_glass),
    "backends": ("backends", "case", _draw_bars),
    "peers": ("peers", "case", _draw_bars),
    "streaming": ("streaming", "engine", _draw_streaming),
    "people": ("people", "engine", _draw_people),
    "soak": ("soak", "case", _draw_soak),
}
"""By the picture's name: the benchmark it is of, the field that divides it into panels, and who draws one."""


def _summary(record: Record) -> Summary:
    assert record.summary is not None
    return record.summary
