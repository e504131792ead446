"""Did anything get faster or slower between two runs?

    python -m benchmarks compare before.jsonl after.jsonl

For every case both files have, the ratio of the medians, after to before. Its noise band is a 95 %
interval of that ratio by block bootstrap: neighbouring values depend on each other, so runs of them
are drawn, not single ones. The band is widened by a margin (5 % unless --margin says otherwise) for
what changes from one start of a program to the next, such as where memory lies. Outside it a case is
called faster or slower. Always ends with status 0: it is a report, not a test.
"""

import argparse
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.command_line import command_parser, guarded, table
from benchmarks.results import Environment, Record, read
from realtime_vibe.errors import ConfigError

NAME = "compare"
DEFAULT_MARGIN = 0.05
_DRAWS = 1000
_INTERVAL = (2.5, 97.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One case in two runs."""

    key: tuple[str, str, str]
    unit: str
    before: float
    """Median."""
    after: float
    """Median."""
    ratio: float
    """After to before."""
    low: float
    """Lower end of the noise band about `ratio`."""
    high: float

    @property
    def verdict(self) -> str:
        """`faster`, `slower` or `within noise`; `less` and `more` for what is no time."""
        if self.low <= 1.0 <= self.high:
            return "within noise"
        is_time = self.unit == "ms"
        if self.ratio < 1.0:
            return "faster" if is_time else "less"
        return "slower" if is_time else "more"


def compare(
    before: Sequence[Record], after: Sequence[Record], margin: float = DEFAULT_MARGIN
) -> tuple[Change, ...]:
    """The cases that both have values for, in the order of `before`.

    Args:
        margin: share by which the noise band is widened on both sides.
    """
    others = {record.key: record for record in after}
    pairs = ((record, others.get(record.key)) for record in before)
    return tuple(
        _change(old, new, margin)
        for old, new in pairs
        if new is not None and old.summary is not None and new.summary is not None
        if old.summary.p50 > 0 and new.summary.p50 > 0
    )


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns 0, or 2 after an error that the user can fix."""
    parser = command_parser(NAME, __doc__)
    parser.add_argument("before", type=Path, help="results of one run")
    parser.add_argument("after", type=Path, help="results of the other")
    parser.add_argument("--margin", type=float, default=DEFAULT_MARGIN, help="0.05: 5 %%")
    options = parser.parse_args(arguments)
    return guarded(NAME, lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    if not 0 <= options.margin < 1:
        raise ConfigError(f"--margin is {options.margin}, expected a share from 0 to below 1")
    before, after = read([options.before]), read([options.after])
    changes = compare(before, after, options.margin)
    for name, records in (("before", before), ("after", after)):
        print(f"{name}: {_described(records[-1].environment)}")
    if before[-1].environment.machine != after[-1].environment.machine:
        print("the machines differ: ratios compare machines as much as versions")
    print(
        f"noise band: 95 % of the median's ratio by block bootstrap, and {options.margin:.0%} on "
        "either side\n"
    )
    print(as_table(changes))
    lost = sorted({record.key for record in before} - {record.key for record in after})
    new = sorted({record.key for record in after} - {record.key for record in before})
    for label, keys in (("only before", lost), ("only after", new)):
        if keys:
            print(f"\n{label}: {'; '.join(', '.join(key) for key in keys)}")


def as_table(changes: Sequence[Change]) -> str:
    """One row a case."""
    rows = [
        (
            " / ".join(change.key),
            f"{change.before:.3f}",
            f"{change.after:.3f}",
            change.unit,
            f"{change.ratio:.2f}",
            f"{change.low:.2f} to {change.high:.2f}",
            change.verdict,
        )
        for change in changes
    ]
    header = ("case", "before", "after", "", "ratio", "noise band", "")
    return table(header, rows) if rows else "no case is in both files"


def _change(old: Record, new: Record, margin: float) -> Change:
    assert old.summary is not None
    assert new.summary is not None
    # The same draws for the same case: comparing two files twice gives the same answer twice.
    rng = np.random.default_rng(zlib.crc32("/".join(old.key).encode()))
    ratios = _drawn_medians(new.samples, rng) / _drawn_medians(old.samples, rng)
    low, high = np.percentile(ratios, _INTERVAL)
    return Change(
        key=old.key,
        unit=old.unit,
        before=old.summary.p50,
        after=new.summary.p50,
        ratio=new.summary.p50 / old.summary.p50,
        low=float(low) * (1 - margin),
        high=float(high) * (1 + margin),
    )


def _drawn_medians(samples: Sequence[float], rng: np.random.Generator) -> NDArray[np.float64]:
    """(`_DRAWS`,) medians of as many values, drawn in runs of about the square root of their number."""
    values = np.asarray(samples, np.float64)
    length = max(1, round(values.size**0.5))
    num_runs = -(-values.size // length)
    starts = rng.integers(0, values.size, (_DRAWS, num_runs, 1))
    # Runs wrap around the end, so that every value is as likely as any other.
    places = (starts + np.arange(length)) % values.size
    return np.asarray(np.median(values[places.reshape(_DRAWS, -1)], axis=1), np.float64)


def _described(where: Environment) -> str:
    machine = where.machine
    return (
        f"{where.commit}, {where.date}, {machine.get('cpu')}, {machine.get('cores')} cores, "
        f"other work {where.load} processors"
    )


if __name__ == "__main__":
    raise SystemExit(main())
