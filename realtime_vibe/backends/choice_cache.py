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
from realtime_vibe.system.folders import cache_folder
from realtime_vibe.system.machine import machine_facts, package_version

_log = logging.getLogger(__name__)

FORMAT_VERSION = 1
_LIBRARIES = ("onnxruntime", "onnxruntime-gpu", "openvino")


def cache_file() -> Path:
    """Where this user's choices are kept; nothing is created."""
    return cache_folder() / "backends.json"


def choice_key(graph: Graph, candidates: tuple[str, ...], num_threads: int) -> str:
    """What a choice depends on, as one hexadecimal number.

    Args:
        graph: by its content.
        candidates: the backends that were compared.
        num_threads: of each network.
    """
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
            backend: the choice.
            graph: its name, for people who read the file.
            times_ms: what the candidates took [ms], for them too.
        """
        choices = self._read()
        rounded = {name: round(value, 3) for name, value in times_ms.items()}
        choices[key] = {"backend": backend, "graph": graph, "median_ms": rounded}
        text = json.dumps({"format_version": FORMAT_VERSION, "choices": choices}, indent=2) + "\n"
        try:
            self._write(text)
        except OSError as error:
            _log.debug("choices of backends are not kept: %s: %s", self.path, error.strerror)

    def _read(self) -> dict[str, Any]:
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            if content["format_version"] == FORMAT_VERSION:
                return dict(content["choices"])
        except FileNotFoundError:
            pass  # the first start
        except (OSError, ValueError, TypeError, KeyError) as error:
            _log.debug("%s is not read and will be written anew: %s", self.path, error)
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
