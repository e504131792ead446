"""Finds engine folders: a path, or the name of one that ships with the project."""

from pathlib import Path

from realtime_vibe.errors import EngineError, one_line
from realtime_vibe.system.file_boundary import file_boundary

MANIFEST_NAME = "engine.json"
_PACKAGE = Path(__file__).resolve().parent.parent
_SHELVES = (_PACKAGE.parent / "engines", _PACKAGE / "engines")
"""A checkout keeps its engines beside the package, a wheel inside."""


def engine_folder(name_or_dir: str) -> Path:
    """The folder of an engine by its path, or by a name such as `blazepose-gru`.

    Raises:
        EngineError: there is no such folder; the message lists the names there are.
    """
    known = ", ".join(engine_names()) or "none installed (reinstall the package)"
    expected = f"expected a folder with {MANIFEST_NAME}, or one of {known}"
    with file_boundary(name_or_dir, EngineError, expected):
        folder = find_folder(name_or_dir)
    if folder is None:
        raise EngineError(f"no engine '{one_line(name_or_dir, 1000)}': {expected}")
    return folder


def find_folder(name_or_dir: str) -> Path | None:
    """A folder by its path, or by its name where the project keeps its engines; None: neither."""
    as_path = Path(name_or_dir).expanduser()
    if as_path.is_dir():
        return as_path
    if as_path.name == name_or_dir:
        for shelf in _SHELVES:
            if (shelf / name_or_dir).is_dir():
                return shelf / name_or_dir
    return None


def engine_names() -> tuple[str, ...]:
    """Names of the engines that ship with the project."""
    found = {
        manifest.parent.name for shelf in _SHELVES for manifest in shelf.glob(f"*/{MANIFEST_NAME}")
    }
    return tuple(sorted(found))
