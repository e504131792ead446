"""A report as one HTML page: pictures and style inside, nothing from anywhere else."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from benchmarks.other_work import BUSY_PROCESSORS
from benchmarks.report_plots import ms_text
from benchmarks.results import Record
from benchmarks.streaming import MODES, checks

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
        pictures: PNG files by the names that the sections use.
    """
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    templates.filters["ms"] = ms_text
    load = max((record.environment.load or 0.0 for record in records), default=0.0)
    return templates.get_template("report.html").render(
        records=records,
        pictures={name: base64.b64encode(png).decode() for name, png in pictures.items()},
        missing=missing,
        cards=_cards(records) + _ratios(records),
        promises=_promises(records),
        busy=load if load > BUSY_PROCESSORS else None,
        where=records[-1].environment,
        facts=_facts(records),
        is_one_machine=all(
            record.environment.machine == records[-1].environment.machine for record in records
        ),
    )


def _cards(records: Sequence[Record]) -> list[tuple[str, str]]:
    """The few numbers that everybody asks for."""
    cards = []
    for benchmark, case_part, metric, label in _CARDS:
        for record in records:
            is_it = (record.benchmark, record.metric) == (benchmark, metric)
            if is_it and case_part in record.case and record.summary is not None:
                p50, p95 = ms_text(record.summary.p50), ms_text(record.summary.p95)
                cards.append((f"{p50} ms", f"{label}; p95 {p95} ms ({record.case})"))
                break
    return cards


def _ratios(records: Sequence[Record]) -> list[tuple[str, str]]:
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
            found.append((f"{min(ratios):.1f}x", text))
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
