"""The pictures of a report, each from the records of one benchmark that have values.

One look for all: colours with fixed meanings, few lines, values written beside the marks.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from benchmarks.results import Record, Summary
from realtime_vibe.packets import FloatArray

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

# Okabe and Ito's colours: distinct for colour-blind eyes.
_BLUE, _SKY, _GREEN, _ORANGE = "#0072B2", "#56B4E9", "#009E73", "#E69F00"
_RED, _PURPLE, _GREY = "#D55E00", "#CC79A7", "#8C8C8C"
_INK, _FAINT = "#222222", "#E2E2E2"
_STAGES = {"track": _BLUE, "features": _SKY, "temporal": _ORANGE, "body": _GREEN}
_MODES = {
    "stream": (_BLUE, "stream"),
    "window": (_ORANGE, "window of 16"),
    "whole": (_RED, "whole sequence"),
}
_BACKENDS = {
    "onnxruntime": _BLUE,
    "openvino": _GREEN,
    "tensorrt": _ORANGE,
    "torch": _GREY,
    "mediapipe": _GREY,
}
_FRAME_PERIODS_MS = {"60 fps": 1000 / 60, "30 fps": 1000 / 30}
_STYLE: "dict[RcKeyType, Any]" = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#999999",
    "axes.labelsize": 9,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": _INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "figure.constrained_layout.use": True,
    "font.size": 8.5,
    "grid.color": _FAINT,
    "grid.linewidth": 0.7,
    "legend.edgecolor": "white",
    "legend.framealpha": 1.0,
    "savefig.dpi": 150,
}

Draw = Callable[[Sequence[Record]], Figure]


def picture(draw: Draw, records: Sequence[Record]) -> bytes:
    """A PNG, without a word on who drew it or when."""
    buffer = BytesIO()
    with mpl.rc_context(_STYLE):
        draw(records).savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def ms_text(value: float) -> str:
    """Three figures: `0.29`, `7.01`, `69.4`, `181`."""
    digits = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:,.{digits}f}"


def draw_latency(records: Sequence[Record]) -> Figure:
    """ECDF of step and grab-to-mesh: what share of the frames was done in a given time."""
    figure, axes = _figure(1, height=3.8)
    shown = {("step", False): "step", ("end_to_end", True): "grab to mesh"}
    found = [
        (what, record)
        for record in records
        if (what := shown.get((record.metric, "camera" in record.case))) is not None
    ]
    end_ms = 1.15 * max(_summary(record).p99 for _, record in found)
    for number, (what, record) in enumerate(found):
        colour = (_BLUE, _ORANGE, _GREEN, _GREY)[number % 4]
        summary = _summary(record)
        label = f"{what}, {record.case}: {_p50_p95(summary)}"
        axes[0].ecdf(record.samples, color=colour, linewidth=2, label=label)
        axes[0].plot([summary.p50, summary.p95], [0.5, 0.95], "o", color=colour, markersize=5)
    for name, period_ms in _FRAME_PERIODS_MS.items():
        if period_ms < end_ms:
            axes[0].axvline(period_ms, color="#BBBBBB", linewidth=1, linestyle="--")
            axes[0].text(period_ms, 1.02, f"a frame at {name}", color="#777777", ha="center")
    _label(axes[0], "Share of frames done within a time\n", "ms", grid="both")
    axes[0].set(xlim=(0, end_ms), ylim=(0, 1.01))
    axes[0].yaxis.set_major_formatter(PercentFormatter(1.0))
    figure.legend(loc="outside lower center", frameon=False)
    return figure


def draw_stages(records: Sequence[Record]) -> Figure:
    """Where a step's time goes: each stage's median begins where the one before ended."""
    shown = [record for record in records if "camera" not in record.case]
    figure, panels = _panels("case", shown, columns=1, height=2.6)
    for axes, case, found in panels:
        by_metric = {record.metric: _summary(record) for record in found}
        step = by_metric["step"]
        medians = np.array([by_metric[stage].p50 for stage in _STAGES])
        rows = [
            (stage, by_metric[stage], colour, f", {by_metric[stage].p50 / step.p50:.0%}")
            for stage, colour in _STAGES.items()
        ]
        begins_ms = np.append(np.cumsum(medians) - medians, 0.0)
        _draw_bars(axes, [*rows, ("step", step, _GREY, "")], begins_ms, until="p95")
        title = f"{case}: medians, whiskers p25 to p95"
        _label(axes, title, "ms since the frame was taken up", grid="x")
        axes.set_xlim(0, 1.25 * step.p95)
    return figure


def draw_backends(records: Sequence[Record]) -> Figure:
    """Every graph on every backend: medians with their interquartile ranges, fastest on top."""
    most = max(map(len, _grouped("case", records).values()))
    figure, panels = _panels("case", records, height=0.9 + 0.36 * most)
    for axes, case, found in panels:
        rows = [
            (record.metric, _summary(record), _backend_colour(record.backend), "")
            for record in sorted(found, key=lambda record: _summary(record).p50)
        ]
        _draw_bars(axes, rows)
        _label(axes, case, "ms, median and interquartile range", grid="x")
        axes.set_ylim(most - 0.4, -0.6)  # room for as many bars: all are equally thick
    return figure


def draw_peers(records: Sequence[Record]) -> Figure:
    """Ours beside the others."""
    shown = [record for record in records if record.unit == "ms"]
    figure, panels = _panels("case", shown, columns=1, height=2.5)
    for axes, case, found in panels:
        rows = [
            (
                record.metric,
                _summary(record),
                _BLUE if record.metric.startswith("our") else _GREY,
                f"  (p95 {ms_text(_summary(record).p95)})",
            )
            for record in found
        ]
        _draw_bars(axes, rows)
        title = f"{case[0].upper()}{case[1:]}"
        _label(axes, title, "ms a frame, median and interquartile range", grid="x")
    return figure


def draw_streaming(records: Sequence[Record]) -> Figure:
    """Cost of a frame against the frames before it."""
    figure, panels = _panels("engine", records, height=3.8)
    for axes, engine, found in panels:
        lengths = sorted({record.length or 0 for record in found})
        for mode in _MODES:
            points = [record for record in found if f", {mode}, " in record.case]
            if points:
                _draw_mode(axes, mode, points, lengths[-1])
        title = f"{engine}: temporal part of one frame"
        _label(axes, title, "frames of the stream so far", "ms", grid="both")
        axes.set(xscale="log", yscale="log", xlim=(12, lengths[-1] * 7))
        axes.yaxis.set_major_formatter("{x:,.10g}")
        axes.yaxis.set_minor_formatter("")
        texts = [f"{length}" if length < 1000 else f"{length // 1000}k" for length in lengths]
        axes.set_xticks(lengths, texts)
        axes.set_xticks([], minor=True)
    return figure


def _draw_mode(axes: Axes, mode: str, points: Sequence[Record], longest: int) -> None:
    colour, name = _MODES[mode]
    lengths = [record.length or 0 for record in points]
    p25, medians, p75 = zip(*((s.p25, s.p50, s.p75) for s in map(_summary, points)), strict=True)
    axes.fill_between(lengths, p25, p75, color=colour, alpha=0.2, linewidth=0)
    axes.plot(lengths, medians, "o-", color=colour, linewidth=2, markersize=5)
    end = longest if mode == "window" else lengths[-1]
    axes.plot([lengths[-1], end], [medians[-1]] * 2, ":", color=colour, linewidth=1.5)
    axes.annotate(
        f"{name}\n{ms_text(medians[-1])} ms", (end, medians[-1]), xytext=(7, 0),
        textcoords="offset points", va="center", color=colour, fontweight="bold",
    )  # fmt: skip


def draw_people(records: Sequence[Record]) -> Figure:
    """Cost of a frame with more people, by stage."""
    figure, panels = _panels("engine", records, height=3.6)
    for axes, engine, found in panels:
        numbers = sorted({record.people for record in found})
        medians = {(record.people, record.metric): _summary(record).p50 for record in found}
        tops = np.zeros(len(numbers))
        for stage in ("features", "temporal", "body"):
            heights = np.array([medians[number, stage] for number in numbers])
            bars = axes.bar(numbers, heights, 0.7, bottom=tops, color=_STAGES[stage], label=stage)
            tops += heights
        axes.bar_label(bars, [ms_text(medians[number, "frame"] / number) for number in numbers])
        title = f"{engine}: above the bars ms a person"
        _label(axes, title, "people in the frame, tracker left out", "ms a frame")
        axes.set(xticks=numbers, ylim=(0, 1.12 * tops.max()))
        axes.legend(loc="upper left")
    return figure


def draw_glass(records: Sequence[Record]) -> Figure:
    """Grab to mesh and grab to pixels, as distributions."""
    figure, panels = _panels("case", records, columns=1, height=2.6)
    for axes, case, found in panels:
        shown = {record.metric: record for record in found}
        series = (shown["grab to mesh"], _GREY), (shown["grab to pixels"], _BLUE)
        end_ms = 1.05 * max(_summary(record).p99 for record, _ in series)
        for record, colour in series:
            summary = _summary(record)
            label = f"{record.metric}: {_p50_p95(summary)}"
            axes.hist(record.samples, 60, range=(0, end_ms), color=colour, alpha=0.75, label=label)
            axes.axvline(summary.p50, color=colour, linewidth=1.5)
            axes.axvline(summary.p95, color=colour, linewidth=1.2, linestyle=":")
        _label(axes, f"{case[0].upper()}{case[1:]}: lines at p50, dotted at p95", "ms", "frames")
        axes.set_xlim(0, end_ms)
        axes.legend(loc="upper right").set_zorder(5)
    return figure


def draw_soak(records: Sequence[Record]) -> Figure:
    """Memory and step time over a long run."""
    cases = _grouped("case", records)
    figure, all_axes = _figure(2 * len(cases), height=2.6)
    for number, (case, found) in enumerate(cases.items()):
        left, right = all_axes[2 * number : 2 * number + 2]
        by_metric = {record.metric: record for record in found}
        memory, step = by_metric["memory"], by_metric["step"]
        step_ms, grown = _summary(step).p50, memory.samples[-1] - memory.samples[0]
        _draw_over_frames(left, memory, _BLUE, f"{case}: memory, {grown:+.1f} MB")
        left.set_ylim(0, 1.15 * _summary(memory).max)
        _draw_over_frames(right, step, _ORANGE, f"step, median {ms_text(step_ms)} ms")
        right.set_ylim(0, 1.3 * _summary(step).p99)
        right.axhline(step_ms, color=_INK, linewidth=1)
    return figure


DRAWINGS: Mapping[str, tuple[str, Draw]] = {
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


def _figure(count: int, *, columns: int = 2, height: float) -> tuple[Figure, list[Axes]]:
    """A figure with so many panels and nothing else; the height is a row's [inches]."""
    columns = min(columns, count)
    rows = -(-count // columns)
    figure = Figure(figsize=(10.0 if columns == 2 else 9.0, rows * height))
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid[count:]:
        axes.set_visible(False)
    return figure, list(grid[:count])


def _panels(
    key: str, records: Sequence[Record], *, columns: int = 2, height: float
) -> tuple[Figure, Iterator[tuple[Axes, str, list[Record]]]]:
    """A figure, and for each value of a field its panel, the value and its records."""
    groups = _grouped(key, records)
    figure, all_axes = _figure(len(groups), columns=columns, height=height)
    return figure, zip(all_axes, groups.keys(), groups.values(), strict=True)


def _grouped(key: str, records: Sequence[Record]) -> dict[str, list[Record]]:
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(getattr(record, key), []).append(record)
    return groups


def _label(
    axes: Axes, title: str, x: str, y: str = "", *, grid: Literal["x", "y", "both"] = "y"
) -> None:
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.grid(axis=grid)


def _draw_bars(
    axes: Axes,
    rows: Sequence[tuple[str, Summary, str, str]],
    begins_ms: FloatArray | float = 0.0,
    *,
    until: Literal["p75", "p95"] = "p75",
) -> None:
    """Medians as bars, first row on top, whiskers from p25 on, the median written behind them.

    Args:
        rows: label, what was measured, colour, words behind the median.
    """
    low, medians, high = np.array([(s.p25, s.p50, getattr(s, until)) for _, s, _, _ in rows]).T
    # One outlier series must not shrink all the others' bars.
    end_ms = min(high.max(), 1.6 * medians.max())
    whiskers = (medians - low, np.minimum(high, end_ms) - medians)
    places, colours = range(len(rows)), [colour for _, _, colour, _ in rows]
    bars = axes.barh(places, medians, 0.62, left=begins_ms, xerr=whiskers, color=colours, capsize=3)
    texts = [f"{ms_text(summary.p50)} ms{more}" for _, summary, _, more in rows]
    axes.bar_label(bars, texts, padding=5)
    axes.set_yticks(places, [label for label, _, _, _ in rows])
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.3 * end_ms)


def _draw_over_frames(axes: Axes, record: Record, colour: str, title: str) -> None:
    frames = np.linspace(0, record.length or len(record.samples), len(record.samples))
    axes.plot(frames, record.samples, color=colour, linewidth=0.9)
    _label(axes, title, "frames", record.unit)


def _backend_colour(backend: str) -> str:
    """Of a library, whatever the provider or the precision."""
    return next((own for name, own in _BACKENDS.items() if backend.startswith(name)), _PURPLE)


def _p50_p95(summary: Summary) -> str:
    return f"p50 {ms_text(summary.p50)}, p95 {ms_text(summary.p95)} ms"


def _summary(record: Record) -> Summary:
    assert record.summary is not None
    return record.summary
