"""The files of figures and plots that a benchmark was asked for: refused before the run, written after it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from realtime_vibe.errors import ConfigError, OutputError
from realtime_vibe.system.machine import install_command


def check_figure_files(json_path: Path | None, plot_path: Path | None) -> None:
    """Refuses before the run what would fail after it.

    Raises:
        ConfigError: a plot is wanted and matplotlib is missing.
        OutputError: there is no such folder.
    """
    if plot_path is not None:
        try:
            import matplotlib  # noqa: F401
        except ImportError as error:
            raise ConfigError(
                f"--plot needs matplotlib: {install_command('benchmarks')}"
            ) from error
    for path in (json_path, plot_path):
        if path is not None and not path.resolve().parent.is_dir():
            raise OutputError(f"no folder {path.parent} to write {path.name} to; make it first")


@contextmanager
def writing() -> Iterator[None]:
    """Context in which files are written.

    Raises:
        OutputError: one of them could not be.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot write {error.filename}: {error.strerror}") from error


def write_json(path: Path, content: dict[str, Any] | list[dict[str, Any]]) -> None:
    """Writes figures; NaN is no JSON and refused."""
    text = json.dumps(content, indent=2, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")
