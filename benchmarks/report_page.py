"""A report as one HTML page: pictures and style inside, nothing from anywhere else."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from benchmarks.other_work import BUSY_PROCESSORS
from benchmarks.report_plots import DRAWINGS, ms_text
from benchmarks.results import Record
from benchmarks.streaming import MODES, checks

_WORDS = ["case", "metric", "backend", "precision", "unit"]
_NUMBERS = ["p50", "p25", "p75", "p95", "p99"]
_SECTIONS = (
    (
        "latency",
        "Latency of the live path",
        "Left is fast, steep is steady. Step is track to mesh; grab to mesh also has the waits between threads and "
        "is measured with frames that come at a camera's times. Below, the time of each stage.",
    ),
    (
        "glass",
        "From grab to pixels",
        "Measured, not summed: frames carry a visible number, and another process reads it off the screen. The "
        "display's own scan-out is not in it.",
    ),
    (
        "backends",
        "Backends and precisions",
        "One graph a panel; all backends took turns in one process, so that they met the same machine.",
    ),
    (
        "peers",
        "Beside others",
        "The same clip, one process, in turn. MediaPipe's figure is its landmarks alone, ours is the whole step. "
        "The reference's way keeps the features of earlier frames and has no detector and no body in its figure.",
    ),
    (
        "streaming",
        "Cost against the length of the stream",
        "A carried state costs the same after ten thousand frames as after sixteen; a window costs sixteen steps; "
        "running everything again grows with the stream.",
    ),
    ("people", "Several people", "One person's track repeated; the tracker is left out."),
    (
        "soak",
        "Long runs",
        "Memory of the process and the time of each step, warm-up left out.",
    ),
)
"""Benchmark, title, and how it was measured."""

_CARDS = (
    ("latency", "every frame", "step", "track to mesh, median"),
    ("latency", "camera", "end_to_end", "grab to mesh, median"),
    ("glass", "preview", "grab to pixels", "grab to pixels on the screen, median"),
)
"""Benchmark, part of the case, metric, text: the first record of each, never the one of the best figure."""

_RIVALS = (
    (
        "peers",
        "ours, track to mesh",
        "MediaPipe, landmarks alone",
        "MediaPipe's landmarks alone against our whole step",
    ),
    (
        "peers",
        "our landmark network alone",
        "MediaPipe, landmarks alone",
        "MediaPipe's landmarks against the same network on our backend",
    ),
    (
        "peers",
        "our ResNet-50 engine, crop to parameters",
        "the reference's way, crop to parameters",
        "the reference's way against our ResNet-50 engine",
    ),
    (
        "streaming",
        ", stream,",
        ", window,",
        "re-running a window of 16 against the carried state",
    ),
)
"""Benchmark, what in ours is exchanged for what to have theirs, text."""


def page(
    records: Sequence[Record], pictures: Mapping[str, bytes], missing: Mapping[str, str]
) -> str:
    """The whole page, of `report.html`.

    Args:
        pictures: PNG files by the names of `DRAWINGS`.
    """
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    templates.filters["ms"] = ms_text
    sections = [
        {
            "title": title,
            "how": how,
            "records": found,
            "pictures": [
                base64.b64encode(pictures[picture]).decode()
                for picture, (benchmark, _, _) in DRAWINGS.items()
                if benchmark == name and picture in pictures
            ],
        }
        for name, title, how in _SECTIONS
        if (found := [record for record in records if record.benchmark == name])
    ]
    load = max((record.environment.load or 0.0 for record in records), default=0.0)
    where = records[-1].environment
    return templates.get_template("report.html").render(
        words=_WORDS,
        numbers=_NUMBERS,
        sections=sections,
        missing=missing,
        headlines=[*_cards(records), *_ratios(records), *_promises(records)],
        busy=load if load > BUSY_PROCESSORS else None,
        where=where,
        facts=_facts(records),
        is_one_machine=all(record.environment.machine == where.machine for record in records),
    )


def _cards(records: Sequence[Record]) -> list[str]:
    """The few numbers that everybody asks for."""
    cards = []
    for benchmark, case_part, metric, label in _CARDS:
        for record in records:
            is_it = (record.benchmark, record.metric) == (benchmark, metric)
            if is_it and case_part in record.case and record.summary is not None:
                p50, p95 = ms_text(record.summary.p50), ms_text(record.summary.p95)
                cards.append(f"{p50} ms {label}; p95 {p95} ms ({record.case})")
                break
    return cards


def _ratios(records: Sequence[Record]) -> list[str]:
    """How many times as long the others take; the smallest where it was measured in several ways."""
    medians = {
        (record.benchmark, record.case, record.metric): record.summary.p50
        for record in records
        if record.summary is not None
    }
    found = []
    for benchmark, ours, theirs, text in _RIVALS:
        ratios = []
        for (measured_by, case, metric), median in medians.items():
            other = measured_by, case.replace(ours, theirs), metric.replace(ours, theirs)
            if measured_by == benchmark and other != (measured_by, case, metric):
                ratios += [medians[other] / median] if other in medians else []
        if ratios:
            found.append(f"{min(ratios):.1f}x: {text}")
    return found


def _promises(records: Sequence[Record]) -> list[str]:
    """What stream mode promises, engine by engine, and whether it was kept."""
    engines: dict[str, dict[str, dict[int, float]]] = {}
    for record in records:
        mode = next((mode for mode in MODES if f", {mode}, " in record.case), None)
        if mode is not None and record.length is not None and record.summary is not None:
            modes = engines.setdefault(record.engine, {mode: {} for mode in MODES})
            modes[mode][record.length] = record.summary.p50
    return [
        f"{engine}: {check}"
        for engine, modes in engines.items()
        for check in checks(modes["stream"], modes["window"])
    ]


def _facts(records: Sequence[Record]) -> dict[str, Any]:
    """Machine, versions, and when it was measured beside how much other work."""
    where = records[-1].environment
    dates = sorted({record.environment.date for record in records})
    loads = [record.environment.load for record in records if record.environment.load is not None]
    return {
        **where.machine,
        "commit": ", ".join(sorted({record.environment.commit for record in records})),
        "measured": " to ".join(dict.fromkeys((dates[0], dates[-1]))),
        "other work": f"{min(loads):.1f} to {max(loads):.1f} processors" if loads else "not known",
        **where.versions,
    }
