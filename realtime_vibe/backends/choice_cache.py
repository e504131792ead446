"""Keeps which backend was fastest for which graph on this machine."""

import contextlib
import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from realtime_vibe.backends.graph import Graph
from realtime_vibe.errors import OutputError
from realtime_vibe.system.file_boundary import file_boundary, read_regular
from realtime_vibe.system.folders import cache_folder
from realtime_vibe.system.machine import machine_facts, package_version

logger = logging.getLogger(__name__)

FORMAT_VERSION = 1
_LIBRARIES = ("onnxruntime", "onnxruntime-gpu", "openvino")
_MAX_BYTES = 1 << 20


def cache_file() -> Path:
    """Where this user's choices are kept; nothing is created."""
    return cache_folder() / "backends.json"


def choice_key(graph: Graph, candidates: tuple[str, ...], num_threads: int) -> str:
    """What a choice between backends depends on (the graph's content among it), as one hexadecimal number."""
    facts = machine_facts()
    parts = {
        "graph": graph.sha256,
        "candidates": candidates,
        "threads": num_threads,
        "machine": [facts["cpu"], facts["cores"], facts["architecture"]],
        "versions": {name: package_version(name) for name in _LIBRARIES},
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class ChoiceCache:
    """Choices by key, in a file that may be missing, damaged or read-only.

    Args:
        path: the file; its folder is made when something is to be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def get(self, key: str) -> str | None:
        """The backend that was chosen; None when it is not known."""
        choice = self._read().get(key)
        backend = choice.get("backend") if isinstance(choice, dict) else None
        return backend if isinstance(backend, str) else None

    def put(self, key: str, backend: str, graph: str, times_ms: Mapping[str, float]) -> None:
        """Keeps a choice; where that is impossible the next start measures again.

        Args:
            key: see `choice_key`.
            graph: its name, for people who read the file.
            times_ms: what the candidates took [ms], for them too.
        """
        choices = self._read()
        rounded = {name: round(value, 3) for name, value in times_ms.items()}
        choices[key] = {"backend": backend, "graph": graph, "median_ms": rounded}
        text = json.dumps({"format_version": FORMAT_VERSION, "choices": choices}, indent=2) + "\n"
        try:
            with file_boundary(self.path, OutputError, fault="cannot be written"):
                self._write(text)
        except OutputError as error:
            logger.debug("choices of backends are not kept: %s", error)

    def _read(self) -> dict[str, Any]:
        try:
            with file_boundary(self.path, OutputError, "it will be written anew"):
                content = json.loads(read_regular(self.path, _MAX_BYTES))
                if content["format_version"] == FORMAT_VERSION:
                    choices = content["choices"].items()
                    return {key: dict(each) for key, each in choices if _is_choice(each)}
        except OutputError as error:
            logger.debug("%s", error)  # none yet, too
        return {}

    def _write(self, text: str) -> None:
        """In one step: a start beside this one must never read half a file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=self.path.parent, prefix=f"{self.path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            Path(part).replace(self.path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(part).unlink()
            raise


def _is_choice(entry: object) -> bool:
    """Whether an entry is one that `put` made: what it holds beside texts and numbers would be written again."""
    if not isinstance(entry, dict) or entry.keys() != {"backend", "graph", "median_ms"}:
        return False
    times = entry["median_ms"]
    is_timed = isinstance(times, dict) and all(isinstance(each, float) for each in times.values())
    return is_timed and all(isinstance(entry[name], str) for name in ("backend", "graph"))
