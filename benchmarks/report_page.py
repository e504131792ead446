"""A report as one HTML page: pictures and style inside, nothing from anywhere else."""

import base64
from collections.abc import Mapping, Sequence
from html import escape

from benchmarks.other_work import BUSY_PROCESSORS
from benchmarks.report_style import ms_text
from benchmarks.results import Environment, Record
from benchmarks.streaming import MODES, checks

_STYLE = """
:root { --ink:#1c1f23; --dim:#5d6670; --line:#e3e6ea; --blue:#0072B2; --paper:#fff; --wash:#f6f8fa }
* { box-sizing:border-box }
body { margin:0; background:var(--wash); color:var(--ink);
  font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif }
main { max-width:1080px; margin:0 auto; padding:40px 24px 80px }
h1 { font-size:30px; line-height:1.2; margin:0 0 4px }
h2 { font-size:20px; margin:0 0 4px }
p.lead, p.how { color:var(--dim); margin:0 0 16px; max-width:76ch }
section { background:var(--paper); border:1px solid var(--line); border-radius:10px;
  padding:24px; margin:20px 0 }
.cards { display:grid; grid-template-columns:repeat(auto-fit,minmax(190px,1fr)); gap:14px; margin:24px 0 }
.card { background:var(--paper); border:1px solid var(--line); border-radius:10px; padding:16px 18px }
.card b { display:block; font-size:27px; line-height:1.2; color:var(--blue); font-weight:650 }
.card span { color:var(--dim); font-size:13.5px; line-height:1.35; display:block }
img { width:100%; height:auto; display:block; margin:6px 0 }
table { border-collapse:collapse; font-size:13.5px; width:100%; font-variant-numeric:tabular-nums }
th { text-align:left; color:var(--dim); font-weight:600 }
th,td { padding:4px 10px 4px 0; border-bottom:1px solid var(--line); vertical-align:top }
td.n, th.n { text-align:right; white-space:nowrap }
details { margin-top:10px } summary { cursor:pointer; color:var(--blue); font-size:14px }
.wide { overflow-x:auto } .missing { color:#9a4a00 }
ul { font-size:14px; margin:10px 0; padding-left:20px }
dl { display:grid; grid-template-columns:max-content 1fr; gap:2px 18px; margin:0; font-size:14px }
dt { color:var(--dim) } dd { margin:0 }
"""

_NUMBERS = ("p50", "p25", "p75", "p95", "p99", "n")

_SECTIONS: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "latency": (
        "Latency of the live path",
        "Left is fast, steep is steady. Step is track to mesh; grab to mesh also has the waits between "
        "threads and is measured with frames that come at a camera's times. Below, where a step's time "
        "goes: each stage begins where the one before ended.",
        ("latency", "stages"),
    ),
    "glass": (
        "From grab to pixels",
        "Measured, not summed: frames carry a visible number, and another process reads it off the "
        "screen. The display's own scan-out is not in it.",
        ("glass",),
    ),
    "backends": (
        "Backends and precisions",
        "One graph a panel; all backends took turns in one process, so that they met the same machine. "
        "Shorter is faster; whiskers span the middle half of the runs.",
        ("backends",),
    ),
    "peers": (
        "Beside others",
        "The same clip, one process, in turn. MediaPipe's figure is its landmarks alone, ours is the "
        "whole step. The reference's way keeps the features of earlier frames and has no detector and no "
        "body in its figure.",
        ("peers",),
    ),
    "streaming": (
        "Cost against the length of the stream",
        "Both axes are logarithmic. A carried state costs the same after ten thousand frames as after "
        "sixteen; a window costs sixteen steps; running everything again grows with the stream. The dotted "
        "line continues the window's cost, which cannot depend on what it forgot.",
        ("streaming",),
    ),
    "people": (
        "Several people",
        "One person's track repeated; the tracker is left out.",
        ("people",),
    ),
    "soak": (
        "Long runs",
        "Memory of the process and the time of each step, warm-up left out.",
        ("soak",),
    ),
}

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
    """The whole page.

    Args:
        records: what was measured.
        pictures: PNG files by the names that the sections use.
        missing: benchmarks without values, and why.
    """
    by_name = {
        name: [record for record in records if record.benchmark == name] for name in _SECTIONS
    }
    sections = "".join(_section(name, found, pictures) for name, found in by_name.items() if found)
    gaps = "".join(
        f'<p class="missing">{escape(name)}: {escape(why)}</p>' for name, why in missing.items()
    )
    where = records[-1].environment
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>realtime-vibe: benchmarks {escape(where.commit)}</title><style>{_STYLE}</style></head>"
        "<body><main><h1>realtime-vibe benchmarks</h1>"
        f'<p class="lead">{_one_line(where)}</p>{_cards(records)}{_busy(records)}{gaps}{sections}'
        f"{_environment(records)}</main></body></html>\n"
    )


def _section(name: str, records: Sequence[Record], pictures: Mapping[str, bytes]) -> str:
    title, how, names = _SECTIONS[name]
    images = "".join(
        f'<img alt="{escape(title)}: {picture}" src="data:image/png;base64,'
        f'{base64.b64encode(pictures[picture]).decode()}">'
        for picture in names
        if picture in pictures
    )
    return (
        f'<section id="{name}"><h2>{escape(title)}</h2><p class="how">{escape(how)}</p>{images}'
        f"{_promises(records) if name == 'streaming' else ''}<details><summary>Figures</summary>{_table(records)}</details></section>"
    )


def _table(records: Sequence[Record]) -> str:
    words = "".join(f"<th>{name}</th>" for name in ("case", "", "backend", "precision", "unit"))
    numbers = "".join(f'<th class="n">{name}</th>' for name in _NUMBERS)
    rows = "".join(map(_row, records))
    return f'<div class="wide"><table><tr>{words}{numbers}<th>note</th></tr>{rows}</table></div>'


def _row(record: Record) -> str:
    values = ["-"] * len(_NUMBERS)
    if record.summary is not None:
        values = [ms_text(getattr(record.summary, name)) for name in _NUMBERS[:-1]]
        values.append(str(record.summary.n))
    cells = "".join(f'<td class="n">{value}</td>' for value in values)
    words = (record.case, record.metric, record.backend, record.precision, record.unit)
    texts = "".join(f"<td>{escape(word)}</td>" for word in words)
    return f"<tr>{texts}{cells}<td>{escape(record.note)}</td></tr>"


def _cards(records: Sequence[Record]) -> str:
    """The few numbers that everybody asks for."""
    cards = []
    for benchmark, case_part, metric, label in _CARDS:
        for record in records:
            is_it = (record.benchmark, record.metric) == (benchmark, metric)
            if is_it and case_part in record.case and record.summary is not None:
                p50, p95 = ms_text(record.summary.p50), ms_text(record.summary.p95)
                cards.append((f"{p50} ms", f"{label}; p95 {p95} ms ({record.case})"))
                break
    items = "".join(
        f'<div class="card"><b>{escape(value)}</b><span>{escape(text)}</span></div>'
        for value, text in cards + _ratios(records)
    )
    return f'<div class="cards">{items}</div>' if items else ""


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


def _promises(records: Sequence[Record]) -> str:
    """What stream mode promises, engine by engine, and whether it was kept."""
    engines: dict[str, dict[str, dict[int, float]]] = {}
    for record in records:
        mode = next((mode for mode in MODES if f", {mode}, " in record.case), None)
        if mode is not None and record.length is not None and record.summary is not None:
            modes = engines.setdefault(record.engine, {mode: {} for mode in MODES})
            modes[mode][record.length] = record.summary.p50
    lines = [
        f"<li>{escape(engine)}: {escape(str(check))}</li>"
        for engine, modes in engines.items()
        for check in checks(modes["stream"], modes["window"])
    ]
    return f"<ul>{''.join(lines)}</ul>" if lines else ""


def _busy(records: Sequence[Record]) -> str:
    """A warning when other work ran beside the benchmarks."""
    cores = records[-1].environment.machine.get("cores")
    load = max((record.environment.load or 0.0 for record in records), default=0.0)
    if load <= BUSY_PROCESSORS:
        return ""
    return (
        f'<p class="missing">Measured while other programs kept up to {load:.1f} of {cores} processors busy. '
        "Neither times nor ratios are worth quoting: several threads suffer more from it than one.</p>"
    )


def _environment(records: Sequence[Record]) -> str:
    where = records[-1].environment
    commits = sorted({record.environment.commit for record in records})
    dates = sorted(record.environment.date for record in records)
    loads = [record.environment.load for record in records if record.environment.load is not None]
    facts = {
        **{key: str(value) for key, value in where.machine.items()},
        "commit": ", ".join(commits),
        "measured": dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}",
        "other work": f"{min(loads):.1f} to {max(loads):.1f} processors" if loads else "not known",
        **where.versions,
    }
    entries = "".join(
        f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in facts.items()
    )
    is_one = all(record.environment.machine == where.machine for record in records)
    warning = "" if is_one else '<p class="missing">Records of several machines.</p>'
    return f'<section id="environment"><h2>Machine and versions</h2>{warning}<dl>{entries}</dl></section>'


def _one_line(where: Environment) -> str:
    cpu, cores, system = (where.machine.get(name) for name in ("cpu", "cores", "system"))
    date = where.date[:16].replace("T", " ")
    return escape(f"{cpu}, {cores} cores, {system} · commit {where.commit} · {date} UTC")
