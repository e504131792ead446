"""Does anything that goes wrong cost a recording, a traceback or a hang?

    python -m benchmarks faults                  # every fault that the tests know, and 50 kills
    python -m benchmarks faults --kills 10 -- -x # options after -- go to pytest

Faults are injected by tests that carry the mark `fault`: hostile files for each reader, damaged takes, full
disks, numbers that are not finite, signals, closed terminals, clients that never read. Each is a case of its
own here, and so is each kill of a recorder at a random moment, whose take must be rescued to the last row.
Ends with status 1 when one was not survived.
"""

import argparse
import re
import subprocess
import sys
import time
from collections import Counter

import pytest

from benchmarks.command_line import command_parser, guarded, positive
from realtime_vibe.errors import ConfigError

NAME = "faults"
_KILLS = 50
_RESCUED = re.compile(r"(\d+) of (\d+) takes rescued")


class Tally:
    """A pytest plugin that counts cases; the parts of a test are cases where it has any."""

    def __init__(self) -> None:
        self.tried: Counter[str] = Counter()
        """Cases of each file of tests."""
        self.failed: list[str] = []
        """What was not survived."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Takes the outcome of a test or of a part of one."""
        if report.skipped or (report.when != "call" and report.passed):
            return
        part = getattr(report, "context", None)
        file, _, test = report.nodeid.partition("::")
        self.tried[file] += 1
        if report.failed:
            self.failed.append(f"{file}::{test} {part or ''}".rstrip())


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns 0, 1 where a fault was not survived, 2 after an error that the user can fix."""
    parser = command_parser(NAME, __doc__)
    parser.add_argument("--kills", type=positive, default=_KILLS, help="of recorders (50)")
    parser.add_argument("pytest", nargs="*", metavar="OPTION", help="for pytest, after --")
    options = parser.parse_args(arguments)
    return guarded(NAME, lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    started_s = time.perf_counter()
    tally = Tally()
    quiet = ["-q", "--no-header", "--no-summary", "-p", "no:cacheprovider", "-m", "fault", "tests"]
    code = pytest.main([*quiet, *options.pytest], plugins=[tally])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise ConfigError(
            f"pytest ended with {code!r} before all faults were tried; it says why above"
        )
    rescued, killed = _killed_takes(options.kills)
    print()
    for file, count in sorted(tally.tried.items()):
        print(f"{count:>5} {file}")
    print(f"{killed:>5} kills of a recorder at a random moment, {killed - rescued} with rows lost")
    for name in tally.failed:
        print(f"not survived: {name}")
    tried = tally.tried.total() + killed
    survived = tried - len(tally.failed) - (killed - rescued)
    print(f"{tried} faults tried, {survived} survived, {time.perf_counter() - started_s:.0f} s")
    return int(survived < tried)


def _killed_takes(kills: int) -> tuple[int, int]:
    """How many takes of killed recorders kept every row, and how many there were."""
    command = [sys.executable, "-m", "tests.outputs.record.killed_takes", "--kills", str(kills)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    counts = _RESCUED.search(done.stdout)
    if counts is None:
        print(done.stdout + done.stderr, file=sys.stderr)
        return 0, kills
    return int(counts[1]), int(counts[2])
