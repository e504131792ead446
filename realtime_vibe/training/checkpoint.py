"""Everything a training run needs to go on as if it had never stopped, in one file."""

from pathlib import Path
from typing import Any

from realtime_vibe.errors import ConfigError, DatasetError, one_line
from realtime_vibe.models.torch_file import load_torch, save_torch
from realtime_vibe.system.file_boundary import file_boundary

CHECKPOINT_NAME = "checkpoint.pt"
_FORMAT_VERSION = 1
_KEYS = {"format_version", "settings", "step", "elapsed_s", "ranks"}
"""What every checkpoint has beside the states of the networks."""


def write_checkpoint(folder: Path, content: dict[str, Any]) -> None:
    """Writes a run's `checkpoint.pt` for `read_checkpoint`.

    Raises:
        OutputError: it cannot be written; the old one stays.
    """
    save_torch(folder / CHECKPOINT_NAME, {"format_version": _FORMAT_VERSION, **content})


def read_checkpoint(folder: Path) -> dict[str, Any]:
    """Reads what `write_checkpoint` wrote; runs no code from the file.

    Raises:
        DatasetError: there is none, or it is damaged or of another version.
    """
    path = folder / CHECKPOINT_NAME
    if not path.is_file():
        raise DatasetError(f"no {CHECKPOINT_NAME} in {folder}; leave --resume out to start anew")
    with file_boundary(path, DatasetError, "expected a checkpoint of a training run"):
        content = load_torch(path)
        if not isinstance(content, dict) or not set(content) >= _KEYS:
            raise ValueError(f"expected a checkpoint with {sorted(_KEYS)}")
        if content["format_version"] != _FORMAT_VERSION:
            raise DatasetError(
                f"checkpoint version {one_line(content['format_version'], 40)}, expected {_FORMAT_VERSION}; "
                "go on with the program that wrote it"
            )
    return dict(content)


def check_same_settings(saved: dict[str, Any], current: dict[str, Any]) -> None:
    """Refuses to go on under another recipe: rates follow from the number of steps.

    Raises:
        ConfigError: a setting differs.
    """
    different = [
        f"{name} was {saved.get(name)}, is {current.get(name)}"
        for name in sorted(saved.keys() | current.keys())
        if saved.get(name) != current.get(name)
    ]
    if different:
        raise ConfigError(
            f"--resume with other settings: {'; '.join(different)}; expected those of the "
            "checkpoint. Use --start-from network.pt to begin a new run with its weights"
        )
