"""One look for all plots of a report: colours with fixed meanings, few lines, values written beside marks."""

from collections.abc import Sequence
from io import BytesIO
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from benchmarks.results import Record, Summary

# Okabe and Ito's colours: distinct for colour-blind eyes.
BLUE, SKY, GREEN, ORANGE = "#0072B2", "#56B4E9", "#009E73", "#E69F00"
RED, PURPLE, GREY = "#D55E00", "#CC79A7", "#8C8C8C"
INK, FAINT = "#222222", "#E2E2E2"

STAGE_COLOURS = {"track": BLUE, "features": SKY, "temporal": ORANGE, "body": GREEN}
MODE_COLOURS = {"stream": BLUE, "window": ORANGE, "whole": RED}
_BACKEND_COLOURS = (
    ("onnxruntime", BLUE),
    ("openvino", GREEN),
    ("tensorrt", ORANGE),
    ("torch", GREY),
    ("mediapipe", GREY),
)
_DPI = 150


def backend_colour(name: str) -> str:
    """The colour of a library, whatever the provider or the precision."""
    return next((colour for start, colour in _BACKEND_COLOURS if name.startswith(start)), PURPLE)


def panels(
    count: int, *, columns: int = 2, width: float = 9.0, height: float = 3.2
) -> tuple[Figure, list[Axes]]:
    """A figure with so many panels and nothing else.

    Args:
        count: of panels.
        columns: side by side.
        width: of the figure [inches].
        height: of a row [inches].
    """
    columns = min(columns, count)
    rows = -(-count // columns)
    figure = Figure(figsize=(width, rows * height), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid[count:]:
        axes.set_visible(False)
    return figure, list(grid[:count])


def plain(axes: Axes, title: str, x_label: str, y_label: str = "", *, grid: str = "y") -> None:
    """Title to the left, no box, a faint grid, small words at the axes."""
    axes.set_title(title, loc="left", fontsize=10, fontweight="bold", color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#999999")
    axes.tick_params(labelsize=8.5, colors=INK, length=3)
    axes.grid(axis=grid, color=FAINT, linewidth=0.7)  # type: ignore[arg-type]
    axes.set_axisbelow(True)
    axes.set_xlabel(x_label, fontsize=9)
    axes.set_ylabel(y_label, fontsize=9)


def logarithmic(axes: Axes) -> None:
    """Both axes logarithmic, with plain numbers at their powers of ten."""
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
        axis.set_minor_formatter(NullFormatter())


def as_png(figure: Figure) -> bytes:
    """The picture, without a word on who drew it or when."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    return buffer.getvalue()


def ms_text(value: float) -> str:
    """Three figures: `0.29`, `7.01`, `69.4`, `181`."""
    digits = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:,.{digits}f}"


def p50_p95(summary: Summary) -> str:
    """Both as words for a legend, in ms."""
    return f"p50 {ms_text(summary.p50)}, p95 {ms_text(summary.p95)} ms"


def horizontal_bars(
    axes: Axes, rows: Sequence[tuple[str, Record, str]], *, tells_p95: bool = False
) -> None:
    """Medians as bars, first row on top, whiskers from p25 to p75, the value behind them.

    Args:
        axes: where.
        rows: label, record with values, colour.
        tells_p95: write the 95th percentile behind the median.
    """
    summaries = [summary_of(record) for _, record, _ in rows]
    longest = max(summary.p50 for summary in summaries)
    # One wild series must not make slivers of all the others' bars.
    end = min(max(summary.p75 for summary in summaries), 1.6 * longest)
    places = np.arange(len(rows))[::-1]
    for place, (_, _, colour), summary in zip(places, rows, summaries, strict=True):
        axes.barh(place, summary.p50, 0.62, color=colour, alpha=0.9)
        axes.hlines(place, summary.p25, summary.p75, color=INK, linewidth=1.2)
        ends = [summary.p25, summary.p75]
        axes.vlines(ends, place - 0.12, place + 0.12, color=INK, linewidth=1.2)
        text = f"{ms_text(summary.p50)} ms"
        if tells_p95:
            text += f"  (p95 {ms_text(summary.p95)})"
        at = min(summary.p75, end) + 0.015 * end
        axes.text(at, place, text, va="center", fontsize=8.5, color=INK, backgroundcolor="white")
    axes.set_yticks(places, [label for label, _, _ in rows])
    axes.set_xlim(0, (1.35 if tells_p95 else 1.22) * end)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)


def legend(axes: Axes, place: Literal["upper left", "upper right"]) -> None:
    """Names of the series on white, so that no line runs through them."""
    box = axes.legend(fontsize=8.5, loc=place, framealpha=1.0, edgecolor="white")
    box.set_zorder(5)


def summary_of(record: Record) -> Summary:
    """The summary of a record with values."""
    assert record.summary is not None
    return record.summary
