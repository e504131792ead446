"""What the benchmarks' commands share: the results' file, errors as one line, tables."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.results import Collected, append, default_path
from realtime_vibe.errors import ConfigError, RealtimeVibeError
from realtime_vibe.system.machine import install_command
from realtime_vibe.tracking.choices import DEFAULT_TRACKER


def command_parser(name: str, description: str | None) -> argparse.ArgumentParser:
    """A parser whose help shows a module's own words."""
    return argparse.ArgumentParser(
        prog=f"python -m benchmarks {name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """The option that says where the results go."""
    parser.add_argument(
        "--json", type=Path, help="add the results to this file (out/benchmarks/DATE-COMMIT.jsonl)"
    )


def add_refine(parser: argparse.ArgumentParser) -> None:
    """Adds the option `--no-refine`, the live setting of that name."""
    parser.add_argument(
        "--refine",
        action=argparse.BooleanOptionalAction,
        default=DEFAULT_TRACKER.refine,
        help="refine landmarks with heat maps, as MediaPipe does",
    )


def keep(collected: Collected, path: Path | None) -> None:
    """Adds the records to their file and says so.

    Raises:
        OutputError: it cannot be written.
    """
    path = path or default_path()
    append(path, collected.records)
    print(f"\n{len(collected.records)} results added to {path}")


def guarded(name: str, body: Callable[[], int | None]) -> int:
    """Runs a command; an error that the user can fix is one line and status 2."""
    try:
        return body() or 0
    except RealtimeVibeError as error:
        print(f"benchmarks {name}: error: {error}", file=sys.stderr)
        return 2


def positive(text: str) -> int:
    """A whole number of 1 or more, as an argparse type."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not 1 or more")
    return value


def seconds(text: str) -> float:
    """A time above 0, as an argparse type."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a time above 0")
    return value


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they must be: the first to the left, the others to the right."""
    widths = [max(len(row[place]) for row in (header, *rows)) for place in range(len(header))]
    lines = []
    for row in (header, *rows):
        first, *others = (
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join((first, *others)).rstrip())
    return "\n".join(lines)


def require_matplotlib(option: str) -> None:
    """Refuses before a run what would fail after it.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ConfigError(f"{option} needs matplotlib: {install_command('benchmarks')}") from error
