"""Folders of exported graphs, by path or name: what the manifest states is checked before anything of it runs."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar

from realtime_vibe.backends.base import InferenceSession, TensorSpec
from realtime_vibe.backends.factory import open_session
from realtime_vibe.backends.graph import ONNX, Graph, described_graph
from realtime_vibe.errors import EngineError, one_line
from realtime_vibe.system.file_boundary import file_boundary, read_regular

MANIFEST_NAME = "engine.json"
_PACKAGE = Path(__file__).resolve().parent.parent
_SHELVES = (_PACKAGE.parent / "engines", _PACKAGE / "engines")
"""A checkout keeps its engines beside the package, a wheel inside."""

FORMAT_VERSION = 1
_MAX_BYTES = 4 << 20


def engine_folder(name_or_dir: str) -> Path:
    """The folder of an engine by its path, or by a name such as `blazepose-gru`.

    Raises:
        EngineError: there is no such folder; the message lists the names there are.
    """
    known = ", ".join(engine_names()) or "none installed (reinstall the package)"
    expected = f"expected a folder with {MANIFEST_NAME}, or one of {known}"
    return named_folder("engine", name_or_dir, expected)


def named_folder(kind: str, name_or_dir: str, expected: str) -> Path:
    """What `find_folder` finds; `kind` and `expected` are for the message.

    Raises:
        EngineError: there is no such folder, or nobody may enter it.
    """
    with file_boundary(name_or_dir, EngineError, expected):
        folder = find_folder(name_or_dir)
    if folder is None:
        raise EngineError(f"no {kind} '{one_line(name_or_dir, 1000)}': {expected}")
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


class GraphFolder(ABC):
    """A folder whose manifest lists graphs; each graph's file is checked when it is first asked for.

    Args:
        backend: what opens the graphs, one of `factory.BACKENDS`.
        used: where `used` is kept; another folder's to collect both.

    Raises:
        EngineError: there is no manifest, it is damaged or from another format version.
    """

    manifest: ClassVar[str]
    """File name of the manifest."""

    def __init__(
        self, path: Path, backend: str = "auto", *, used: dict[str, str] | None = None
    ) -> None:
        self.path = path
        self.backend = backend
        self.used = used if used is not None else {}
        """What really runs each graph that was opened: `{"landmarks": "openvino:CPU:f32"}`."""
        self._checked: dict[str, Graph] = {}
        self.content = self._read()
        """The manifest."""

    @property
    @abstractmethod
    def advice(self) -> str:
        """What to do when something is wrong with the folder, as the end of an error message."""

    @property
    def target(self) -> str:
        """What the graphs were built for; `onnx` runs anywhere."""
        return str(self.content.get("target", ONNX))

    @property
    def precision(self) -> str:
        """What the graphs hold: `fp32`, `fp16`, `bf16` or `int8`."""
        return str(self.content.get("precision", "fp32"))

    @property
    def graph_names(self) -> tuple[str, ...]:
        """All that the manifest lists, in its order.

        Raises:
            EngineError: it lists none.
        """
        with self._parsing():
            return tuple(dict(self.content["graphs"]))

    def graphs(self) -> dict[str, Graph]:
        """All graphs, checked; see `graph`."""
        return {name: self.graph(name) for name in self.graph_names}

    def graph(self, name: str) -> Graph:
        """One graph of the folder.

        Raises:
            EngineError: it is not described, or its file is missing or does not have the stated sha256.
        """
        if name in self._checked:
            return self._checked[name]
        names = self.graph_names
        with self._parsing():
            if name not in names:
                raise self._error(f"describes no graph '{name}' (it has {one_line(sorted(names))})")
            entry = self.content["graphs"][name]
            if "weights" in entry:  # OpenVINO keeps them beside the graph
                self._checked_file(entry["weights"])
            graph = described_graph(self._checked_file(entry), entry, self.content)
        self._checked[name] = graph
        return graph

    def session(self, name: str, *, num_threads: int = 2) -> InferenceSession:
        """Opens a graph and compares its inputs and outputs with the manifest's.

        Raises:
            EngineError: the graph is missing or damaged, was built for another backend or machine, or names,
                shapes or types differ.
            BackendUnavailableError: the backend is not installed or cannot run here.
        """
        graph = self.graph(name)
        session = open_session(graph, self.backend, num_threads=num_threads)
        for side, stated, found in (
            ("inputs", graph.inputs, session.inputs),
            ("outputs", graph.outputs, session.outputs),
        ):
            if _signature(stated) != _signature(found):
                session.close()
                raise self._error(
                    f"{graph.path}: {side} are {one_line(str(_signature(found)))}, {self.manifest} says "
                    f"{one_line(str(_signature(stated)))}"
                )
        self.used[name] = session.backend
        return session

    def _read(self) -> dict[str, Any]:
        with self._parsing():
            found = json.loads(read_regular(self.path / self.manifest, _MAX_BYTES))
            version, content = found["format_version"], dict(found)
            if version != FORMAT_VERSION:
                raise self._error(
                    f"has format version {one_line(version, 40)}, expected {FORMAT_VERSION}"
                )
            return content

    def _checked_file(self, entry: Mapping[str, Any]) -> Path:
        name, stated = str(entry["file"]), str(entry["sha256"])
        path = self.path / name
        if Path(name).name != name:
            raise self._error(f"names '{one_line(name, 80)}', expected a file beside it")
        if not path.is_file():
            raise self._error(f"the folder lacks {one_line(name, 80)}")
        found = file_sha256(path)
        if found != stated:
            raise self._error(f"{name} has sha256 {found[:12]}…, it says {one_line(stated[:12])}…")
        return path

    def _parsing(self) -> AbstractContextManager[None]:
        """Around what reads the manifest: whatever is wrong with it is said with its name."""
        return file_boundary(self.path / self.manifest, EngineError, self.advice)

    def _error(self, text: str) -> EngineError:
        return EngineError(f"{text}: {self.advice}")


class Engine(GraphFolder):
    """An engine: the motion model's graphs, the body, and the features the model reads; all files are checked.

    It is named as `engine_folder` takes it.

    Raises:
        EngineError: there is no such engine, or something is missing, damaged or from another format version.
    """

    manifest = MANIFEST_NAME

    def __init__(self, name_or_folder: str | Path, backend: str = "auto") -> None:
        super().__init__(engine_folder(str(name_or_folder)), backend)
        self.graphs()
        with self._parsing():
            self.name = str(self.content["name"])
            self.body = self._checked_file(self.content["body"])
            """The body's file."""
            features = self.content["features"]
            self.feature_layout = str(features["layout"])
            self.feature_layout_version = int(features["version"])
            self.feature_size = int(features["size"])
            self.crop_scale = float(features["crop_scale"])
            if not 1.0 <= self.crop_scale < 10.0:  # NaN included
                raise ValueError(f"crop_scale is {self.crop_scale}, expected 1 to 10")
            """Margin of the square crop the camera was trained in."""

    @property
    def advice(self) -> str:
        """See `GraphFolder.advice`."""
        return (
            "reinstall the engine, or rebuild it with `python -m export.engine` or "
            "`python -m export.vibe`"
        )


def file_sha256(path: Path) -> str:
    """Hexadecimal sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _signature(specs: tuple[TensorSpec, ...]) -> list[tuple[str, tuple[int | None, ...], str]]:
    """Names, shapes with free dimensions as None, types."""
    return [
        (
            spec.name,
            tuple(size if isinstance(size, int) else None for size in spec.shape),
            spec.dtype,
        )
        for spec in specs
    ]
