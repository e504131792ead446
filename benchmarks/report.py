"""One HTML page and the plots of a run.

    python -m benchmarks report --out out/report
    python -m benchmarks report --out out/report --from results.jsonl --from more.jsonl

Without --from, the newest file in out/benchmarks is taken, and whatever benchmark it lacks is run in a short
version, a few minutes in all. The page holds its pictures and needs nothing else.
"""

import argparse
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.command_line import command_parser, guarded, require_matplotlib
from benchmarks.figure_files import writing
from benchmarks.results import Record, default_path, newest_path, read
from realtime_vibe.errors import DatasetError

NAME = "report"
SHORT_VERSIONS: Mapping[str, tuple[str, ...]] = {
    "latency": ("--frames", "400"),
    "backends": ("--seconds", "3"),
    "peers": ("--frames", "50"),
    "streaming": ("--seconds", "12"),
    "people": ("--seconds", "5"),
    "glass": ("--seconds", "6"),
    "soak": ("--frames", "1500"),
}
PAGE_NAME = "report.html"


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns 0, or 2 after an error that the user can fix."""
    parser = command_parser(NAME, __doc__)
    parser.add_argument("--out", type=Path, default=Path("out") / "report", help="folder to write")
    parser.add_argument(
        "--from", dest="sources", type=Path, action="append", help="results to show; runs nothing"
    )
    options = parser.parse_args(arguments)
    return guarded(NAME, lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    require_matplotlib("the report")
    with writing():
        options.out.mkdir(parents=True, exist_ok=True)
    reasons: dict[str, str] = {}
    if options.sources:
        records = read(options.sources)
    else:
        records, reasons = _measured()
    for path in write_report(records, options.out, reasons):
        print(path)


def write_report(
    records: Sequence[Record], out: Path, reasons: Mapping[str, str] | None = None
) -> tuple[Path, ...]:
    """Writes the page and its plots; the page comes first in what is returned.

    Args:
        records: at least one.
        out: an existing folder.

    Raises:
        OutputError: a file cannot be written.
    """
    from benchmarks.report_page import page
    from benchmarks.report_plots import DRAWINGS, picture

    pictures = {}
    for name, (benchmark, _, _) in DRAWINGS.items():
        found = [record for record in records if record.benchmark == benchmark and record.summary]
        if found:
            pictures[name] = picture(name, found)
    missing = {
        name: (reasons or {}).get(name, "not measured")
        for name in SHORT_VERSIONS
        if not any(record.benchmark == name and record.summary for record in records)
    }
    paths = [out / PAGE_NAME, *(out / f"{name}.png" for name in pictures)]
    contents = [page(records, pictures, missing).encode(), *pictures.values()]
    with writing():
        for path, content in zip(paths, contents, strict=True):
            path.write_bytes(content)
    return tuple(paths)


def _measured() -> tuple[tuple[Record, ...], dict[str, str]]:
    """The newest results, completed; and why what is still missing is."""
    newest, own = newest_path(), default_path()
    known = read([newest]) if newest is not None else ()
    reasons = {}
    for name, arguments in SHORT_VERSIONS.items():
        if any(record.benchmark == name for record in known):
            continue
        print(f"measuring {name}, short version", flush=True)
        # Each in a process of its own: a benchmark must not find the threads and memory of another.
        command = [sys.executable, "-m", "benchmarks", name, *arguments, "--json", str(own)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 2 or (done.returncode and not own.is_file()):
            lines = done.stderr.strip().splitlines()
            reasons[name] = lines[-1] if lines else f"ended with status {done.returncode}"
            print(f"  {reasons[name]}")
    paths = dict.fromkeys(path for path in (newest, own) if path is not None and path.is_file())
    if not paths:
        raise DatasetError("no benchmark could be run: see the lines above")
    return read(paths), reasons


if __name__ == "__main__":
    raise SystemExit(main())
