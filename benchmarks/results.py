"""Measured series as JSON lines: what was measured, on what, when, and the values themselves.

Every line stands alone. A file may hold several runs; the last record of a case counts.
"""

import json
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.figure_files import writing
from benchmarks.other_work import busy_at_start
from realtime_vibe.errors import DatasetError
from realtime_vibe.system.file_boundary import file_boundary, read_regular
from realtime_vibe.system.machine import installed_versions, machine_facts, package_version

FORMAT = 1
MAX_SAMPLES = 1000
"""Values kept of a series, evenly picked in order; the summary is of all of them."""
_MAX_BYTES = 1_000_000_000
RESULTS_FOLDER = Path("out") / "benchmarks"

_MORE_PACKAGES = ("openvino", "tensorrt", "tensorrt-rtx-cu13-bindings", "torch-tensorrt", "mss")
_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Order statistics of a series."""

    n: int
    min: float
    p25: float
    p50: float
    p75: float
    p95: float
    p99: float
    max: float

    @property
    def iqr(self) -> float:
        """Interquartile range."""
        return self.p75 - self.p25


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Where and with what a series was measured."""

    machine: Mapping[str, Any]
    """`realtime_vibe.system.machine.machine_facts`."""
    versions: Mapping[str, str]
    commit: str
    """Short hash, with `-dirty` when tracked files differ from it; `unknown` outside a checkout."""
    date: str
    """UTC, ISO 8601."""
    load: float | None
    """Processors that other programs kept busy as the run began; None where the system does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One series, or one thing that could not be measured."""

    benchmark: str
    case: str
    """What was measured, unique within the benchmark together with `metric`."""
    metric: str
    unit: str
    summary: Summary | None
    """None when there are no values; `note` says why."""
    samples: tuple[float, ...]
    """At most `MAX_SAMPLES`, in order."""
    environment: Environment
    engine: str = ""
    backend: str = ""
    precision: str = ""
    people: int = 1
    length: int | None = None
    """Stream length [frames], where the case has one."""
    note: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """What the record is about: two runs are compared by it."""
        return (self.benchmark, self.case, self.metric)


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """What a record says beside its values."""

    engine: str = ""
    backend: str = ""
    precision: str = ""
    people: int = 1
    length: int | None = None
    note: str = ""


@dataclass(slots=True)
class Collected:
    """The records of one benchmark, all of one environment."""

    benchmark: str
    records: list[Record] = field(default_factory=list)
    _environment: Environment | None = None

    def add(
        self,
        case: str,
        samples: Sequence[float],
        labels: Labels | None = None,
        *,
        metric: str = "time",
        unit: str = "ms",
    ) -> Record:
        """Keeps one series; an empty one needs a note."""
        if self._environment is None:
            self._environment = environment()
        record = make_record(
            (self.benchmark, case, metric), unit, samples, labels or Labels(), self._environment
        )
        self.records.append(record)
        return record


def make_record(
    key: tuple[str, str, str],
    unit: str,
    samples: Sequence[float],
    labels: Labels,
    where: Environment,
) -> Record:
    """A record of a series.

    Args:
        samples: all values in the order they were taken.
    """
    benchmark, case, metric = key
    return Record(
        benchmark=benchmark,
        case=case,
        metric=metric,
        unit=unit,
        summary=summarise(samples) if len(samples) else None,
        samples=thinned(samples),
        environment=where,
        **asdict(labels),
    )


def summarise(samples: Sequence[float]) -> Summary:
    """Order statistics of at least one value."""
    values = np.asarray(samples, np.float64)
    quantiles = np.percentile(values, [0, 25, 50, 75, 95, 99, 100])
    low, p25, p50, p75, p95, p99, high = (round(float(value), 5) for value in quantiles)
    return Summary(n=values.size, min=low, p25=p25, p50=p50, p75=p75, p95=p95, p99=p99, max=high)


def thinned(samples: Sequence[float]) -> tuple[float, ...]:
    """At most `MAX_SAMPLES` of the values, first and last included, in their order."""
    values = np.asarray(samples, np.float64)
    if values.size > MAX_SAMPLES:
        values = values[np.linspace(0, values.size - 1, MAX_SAMPLES).round().astype(int)]
    return tuple(round(float(value), 5) for value in values)


def environment() -> Environment:
    """Machine, versions and commit of this moment, and the other work when the process began."""
    busy = busy_at_start()
    versions = installed_versions()
    for name in _MORE_PACKAGES:
        version = package_version(name)
        if version is not None:
            versions[name] = version
    return Environment(
        machine=machine_facts(),
        versions=versions,
        commit=current_commit(),
        date=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        load=None if busy is None else round(busy, 2),
    )


@cache
def current_commit() -> str:
    """Short hash of the checkout this file lies in, see `Environment.commit`."""
    short = _git("rev-parse", "--short", "HEAD")
    if not short:
        return "unknown"
    return short + ("-dirty" if _git("status", "--porcelain", "--untracked-files=no") else "")


def default_path() -> Path:
    """`out/benchmarks/DATE-COMMIT.jsonl` below the current folder."""
    return RESULTS_FOLDER / f"{time.strftime('%Y-%m-%d', time.gmtime())}-{current_commit()}.jsonl"


def newest_path() -> Path | None:
    """The default folder's file that was written last; None where there is none."""
    files = list(RESULTS_FOLDER.glob("*.jsonl"))
    return max(files, key=lambda path: path.stat().st_mtime) if files else None


def append(path: Path, records: Iterable[Record]) -> None:
    """Adds records to a file, making it and its folder where they are missing.

    Raises:
        OutputError: it cannot be written.
    """
    text = "".join(json.dumps(as_json(record), allow_nan=False) + "\n" for record in records)
    with writing():
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(text)


def read(paths: Iterable[Path]) -> tuple[Record, ...]:
    """The last record of each key, in the order in which the keys first came.

    Raises:
        DatasetError: a file is missing, holds no record, or a line is none of ours.
    """
    newest: dict[tuple[str, str, str], Record] = {}
    for path in paths:
        with file_boundary(path, DatasetError, "expected a file that `python -m benchmarks` wrote"):
            lines = read_regular(path, _MAX_BYTES).decode().splitlines()
        for number, line in enumerate(lines, start=1):
            place = f"{path}:{number}"
            with file_boundary(place, DatasetError, fault="is no benchmark result"):
                record = _parsed(line)
                newest[record.key] = record
    if not newest:
        raise DatasetError(f"no results in {', '.join(map(str, paths))}: run a benchmark first")
    return tuple(newest.values())


def as_json(record: Record) -> dict[str, Any]:
    """A record as plain values."""
    return {"format": FORMAT, **asdict(record)}


def _parsed(line: str) -> Record:
    content = json.loads(line)
    if content.pop("format") != FORMAT:
        raise DatasetError(f"is of another format than {FORMAT}: measure again")
    content["environment"] = Environment(**content["environment"])
    content["samples"] = tuple(float(value) for value in content["samples"])
    summary = content["summary"]
    if summary is not None:
        content["summary"] = Summary(**summary)
    numbers = (*content["samples"], *(summary or {}).values())
    if not np.isfinite(np.array(numbers, np.float64)).all():
        raise ValueError("its values are not finite")
    if {item.name for item in fields(Record)} != set(content):
        raise KeyError("its fields")
    return Record(**content)


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(_ROOT), *arguments], capture_output=True, text=True, timeout=10,
            check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
