"""Manifests: what a folder of exported graphs holds, checked before anything of it runs.

Every folder lists its graphs in the same way; `engine.json` says more, see `EngineManifest`.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from realtime_vibe.backends.base import InferenceSession, TensorSpec
from realtime_vibe.backends.build import Build, GraphFile, build_of
from realtime_vibe.backends.opener import GraphOpener
from realtime_vibe.errors import EngineError

FORMAT_VERSION = 1
MANIFEST_NAME = "engine.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestKind:
    """A file that lists graphs, and the cure when it is wrong."""

    file_name: str
    cure: str
    """What to do, as the end of an error message."""


ENGINE = ManifestKind(
    file_name=MANIFEST_NAME,
    cure="reinstall the engine, or rebuild it with `python -m export.engine` or `python -m export.vibe`",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphSpec:
    """One exported graph as a manifest describes it; its file is there and unchanged."""

    path: Path
    sha256: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    kind: ManifestKind = ENGINE
    """Where it is listed."""
    build: Build = field(default_factory=Build)
    """What its file was built for."""

    @property
    def file(self) -> GraphFile:
        """What the backends must know of it."""
        return GraphFile(path=self.path, sha256=self.sha256, build=self.build)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineManifest:
    """A checked `engine.json`."""

    folder: Path
    name: str
    family: str
    """Which code drives the engine: `blazepose-gru` or `vibe-resnet50`."""
    build: Build
    graphs: Mapping[str, GraphSpec]
    body: Path
    feature_layout: str
    feature_layout_version: int
    feature_size: int
    crop_scale: float
    """Margin of the square crop the camera was trained in."""
    frame_rate_hz: tuple[float, float]
    """Frame rates the network was trained for."""
    extra: Mapping[str, Any]
    """Joint set, licence, training data and measured figures, for people."""

    @property
    def precision(self) -> str:
        """What the graphs hold: `fp32`, `fp16`, `bf16` or `int8`."""
        return self.build.precision


def load_manifest(folder: Path) -> EngineManifest:
    """Reads and checks an engine folder: every file is there and has the stated sha256.

    Raises:
        EngineError: something is missing, damaged or from another format version.
    """
    content = read_manifest(folder, ENGINE)
    try:
        return _parsed(folder, content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _garbled(folder, ENGINE, error) from error


def open_graph(
    manifest: EngineManifest, name: str, backend: str | GraphOpener, *, num_threads: int = 1
) -> InferenceSession:
    """Opens one graph of the engine and compares its inputs and outputs with the manifest's.

    Args:
        manifest: the engine.
        name: the graph's name.
        backend: what opens it, or the name of a backend.
        num_threads: threads inside one operator.

    Raises:
        EngineError: the engine has no such graph, or names, shapes or types differ.
        BackendUnavailableError: the backend is not installed.
    """
    if name not in manifest.graphs:
        raise _no_graph(manifest.folder, ENGINE, name, manifest.graphs)
    return open_spec(manifest.graphs[name], backend, num_threads=num_threads)


def read_manifest(folder: Path, kind: ManifestKind) -> dict[str, Any]:
    """Reads a folder's manifest; its graphs are checked one by one, see `graph_spec`.

    Raises:
        EngineError: there is none, it is damaged or from another format version.
    """
    path = folder / kind.file_name
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise EngineError(f"{folder} has no {kind.file_name}: {kind.cure}") from error
    except (OSError, ValueError) as error:
        raise EngineError(f"{path} cannot be read ({error}): {kind.cure}") from error
    try:
        version, manifest = content["format_version"], dict(content)
    except (KeyError, TypeError, ValueError) as error:
        raise _garbled(folder, kind, error) from error
    if version != FORMAT_VERSION:
        raise EngineError(
            f"{path} has format version {version}, expected {FORMAT_VERSION}: {kind.cure}"
        )
    return manifest


def graph_spec(
    folder: Path, kind: ManifestKind, content: Mapping[str, Any], name: str
) -> GraphSpec:
    """One graph of a manifest.

    Args:
        folder: where the manifest lies.
        kind: which manifest it is.
        content: as `read_manifest` gives it.
        name: the graph's name.

    Raises:
        EngineError: the graph is not described, or its file is missing or changed.
    """
    try:
        graphs = dict(content["graphs"])
        if name not in graphs:
            raise _no_graph(folder, kind, name, graphs)
        graph = graphs[name]
        if "weights" in graph:  # OpenVINO keeps them beside the graph
            _checked_file(folder, kind, graph["weights"]["file"], graph["weights"]["sha256"])
        return GraphSpec(
            path=_checked_file(folder, kind, graph["file"], graph["sha256"]),
            sha256=graph["sha256"],
            inputs=tuple(tensor_spec(item) for item in graph["inputs"]),
            outputs=tuple(tensor_spec(item) for item in graph["outputs"]),
            kind=kind,
            build=build_of(content, graph),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _garbled(folder, kind, error) from error


def open_spec(
    spec: GraphSpec, backend: str | GraphOpener, *, num_threads: int = 1
) -> InferenceSession:
    """Opens a graph and compares its inputs and outputs with the manifest's.

    Args:
        spec: the graph.
        backend: what opens it, or the name of a backend.
        num_threads: threads inside one operator.

    Raises:
        EngineError: the graph cannot be loaded, was built for another backend or machine, or names,
            shapes or types differ.
        BackendUnavailableError: the backend is not installed.
    """
    opener = GraphOpener(backend) if isinstance(backend, str) else backend
    session = opener.open(spec.file, num_threads=num_threads)
    for side, stated, found in (
        ("inputs", spec.inputs, session.inputs),
        ("outputs", spec.outputs, session.outputs),
    ):
        if _signature(stated) != _signature(found):
            session.close()
            raise EngineError(
                f"{spec.path.name}: {side} are {_signature(found)}, {spec.kind.file_name} says "
                f"{_signature(stated)}: {spec.kind.cure}"
            )
    return session


def file_sha256(path: Path) -> str:
    """Hexadecimal sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tensor_spec(item: dict[str, Any]) -> TensorSpec:
    """One input or output as manifests write it: name, shape, dtype.

    Raises:
        KeyError: one of the three is missing.
    """
    shape = tuple(size if isinstance(size, int) else str(size) for size in item["shape"])
    return TensorSpec(name=str(item["name"]), shape=shape, dtype=str(item["dtype"]))


def _parsed(folder: Path, content: dict[str, Any]) -> EngineManifest:
    graphs = {name: graph_spec(folder, ENGINE, content, name) for name in content["graphs"]}
    features = content["features"]
    low, high = content["frame_rate_hz"]
    known = {"format_version", "name", "family", "graphs", "body", "features"}
    known |= {"target", "precision", "allowed_precisions"}
    return EngineManifest(
        folder=folder,
        name=str(content["name"]),
        family=str(content["family"]),
        build=build_of(content),
        graphs=graphs,
        body=_checked_file(folder, ENGINE, content["body"]["file"], content["body"]["sha256"]),
        feature_layout=str(features["layout"]),
        feature_layout_version=int(features["version"]),
        feature_size=int(features["size"]),
        crop_scale=float(features["crop_scale"]),
        frame_rate_hz=(float(low), float(high)),
        extra={key: value for key, value in content.items() if key not in known},
    )


def _checked_file(folder: Path, kind: ManifestKind, name: str, sha256: str) -> Path:
    path = folder / name
    if Path(name).name != name:
        raise EngineError(f"{folder / kind.file_name} names '{name}', expected a file beside it")
    if not path.is_file():
        raise EngineError(f"{folder} lacks {name}: {kind.cure}")
    found = file_sha256(path)
    if found != sha256:
        raise EngineError(
            f"{path} has sha256 {found[:12]}…, {kind.file_name} says {sha256[:12]}…: {kind.cure}"
        )
    return path


def _garbled(folder: Path, kind: ManifestKind, error: Exception) -> EngineError:
    return EngineError(f"{folder / kind.file_name} lacks or garbles {error}: {kind.cure}")


def _no_graph(
    folder: Path, kind: ManifestKind, name: str, graphs: Mapping[str, Any]
) -> EngineError:
    return EngineError(
        f"{folder / kind.file_name} describes no graph '{name}' (it has {sorted(graphs)}): {kind.cure}"
    )


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
