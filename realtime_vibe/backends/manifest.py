"""`engine.json`: what an engine folder holds, checked before anything of it runs."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from realtime_vibe.backends.base import InferenceSession, TensorSpec
from realtime_vibe.backends.factory import open_session
from realtime_vibe.errors import EngineError

FORMAT_VERSION = 1
MANIFEST_NAME = "engine.json"
_REBUILD = "reinstall the engine, or rebuild it with `python -m export.engine`"


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphSpec:
    """One exported graph of an engine."""

    path: Path
    sha256: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineManifest:
    """A checked `engine.json`."""

    folder: Path
    name: str
    family: str
    """Which code drives the engine: `blazepose-gru` or `vibe-resnet50`."""
    precision: str
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


def load_manifest(folder: Path) -> EngineManifest:
    """Reads and checks an engine folder: every file is there and has the stated sha256.

    Raises:
        EngineError: something is missing, damaged or from another format version.
    """
    path = folder / MANIFEST_NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise EngineError(f"{folder} is no engine folder: it has no {MANIFEST_NAME}") from error
    except (OSError, ValueError) as error:
        raise EngineError(f"{path} cannot be read ({error}): {_REBUILD}") from error
    try:
        return _parsed(folder, content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise EngineError(f"{path} lacks or garbles {error}: {_REBUILD}") from error


def open_graph(
    manifest: EngineManifest, name: str, backend: str, *, num_threads: int = 1
) -> InferenceSession:
    """Opens one graph of the engine and compares its inputs and outputs with the manifest's.

    Args:
        manifest: the engine.
        name: the graph's name.
        backend: see `backends.factory`.
        num_threads: threads inside one operator.

    Raises:
        EngineError: the engine has no such graph, or names, shapes or types differ.
        BackendUnavailableError: the backend is not installed.
    """
    if name not in manifest.graphs:
        raise EngineError(
            f"engine {manifest.name} has no graph '{name}' (it has {sorted(manifest.graphs)}): {_REBUILD}"
        )
    spec = manifest.graphs[name]
    session = open_session(spec.path, backend, num_threads=num_threads)
    for kind, stated, found in (
        ("inputs", spec.inputs, session.inputs),
        ("outputs", spec.outputs, session.outputs),
    ):
        if _signature(stated) != _signature(found):
            session.close()
            raise EngineError(
                f"{spec.path.name}: {kind} are {_signature(found)}, {MANIFEST_NAME} says "
                f"{_signature(stated)}: {_REBUILD}"
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
    version = content["format_version"]
    if version != FORMAT_VERSION:
        raise EngineError(
            f"{folder / MANIFEST_NAME} has format version {version}, expected {FORMAT_VERSION}: "
            f"{_REBUILD}"
        )
    graphs = {name: _graph(folder, graph) for name, graph in content["graphs"].items()}
    features = content["features"]
    low, high = content["frame_rate_hz"]
    known = {"format_version", "name", "family", "precision", "graphs", "body", "features"}
    return EngineManifest(
        folder=folder,
        name=str(content["name"]),
        family=str(content["family"]),
        precision=str(content["precision"]),
        graphs=graphs,
        body=_checked_file(folder, content["body"]["file"], content["body"]["sha256"]),
        feature_layout=str(features["layout"]),
        feature_layout_version=int(features["version"]),
        feature_size=int(features["size"]),
        crop_scale=float(features["crop_scale"]),
        frame_rate_hz=(float(low), float(high)),
        extra={key: value for key, value in content.items() if key not in known},
    )


def _graph(folder: Path, graph: dict[str, Any]) -> GraphSpec:
    return GraphSpec(
        path=_checked_file(folder, graph["file"], graph["sha256"]),
        sha256=graph["sha256"],
        inputs=tuple(tensor_spec(item) for item in graph["inputs"]),
        outputs=tuple(tensor_spec(item) for item in graph["outputs"]),
    )


def _checked_file(folder: Path, name: str, sha256: str) -> Path:
    path = folder / name
    if Path(name).name != name:
        raise EngineError(f"{folder / MANIFEST_NAME} names '{name}', expected a file beside it")
    if not path.is_file():
        raise EngineError(f"{folder} lacks {name}: {_REBUILD}")
    found = file_sha256(path)
    if found != sha256:
        raise EngineError(
            f"{path} has sha256 {found[:12]}…, {MANIFEST_NAME} says {sha256[:12]}…: {_REBUILD}"
        )
    return path


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
