"""What a built engine is made from: a folder of single precision ONNX graphs and its manifest."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from realtime_vibe.backends.base import InferenceSession
from realtime_vibe.backends.engine_folder import find_folder
from realtime_vibe.backends.manifest import (
    ENGINE,
    EngineManifest,
    GraphSpec,
    ManifestKind,
    graph_spec,
    load_manifest,
    read_manifest,
)
from realtime_vibe.backends.onnxruntime_session import OnnxRuntimeSession
from realtime_vibe.errors import ExportError
from realtime_vibe.features.factory import needs_landmarks
from realtime_vibe.tracking.blazepose_models import BLAZEPOSE_KIND, model_folder
from realtime_vibe.tracking.choices import FULL

DEFAULT_ENGINE = "blazepose-gru"
_NUM_THREADS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFolder:
    """A checked folder of graphs."""

    folder: Path
    kind: ManifestKind
    content: Mapping[str, Any]
    """The manifest as it was read."""
    graphs: Mapping[str, GraphSpec]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSource:
    """The folders to build anew, and the engine they are compared in."""

    parts: Mapping[str, SourceFolder]
    """By their place in the folder that is written: the empty name is the folder itself."""
    engine: EngineManifest
    """Which engine the networks drive: the source, or the default one where the source is a tracker."""
    tracker: SourceFolder
    """BlazePose's landmark networks, whether or not they are built anew."""
    detector: GraphSpec
    """BlazePose's; it lies beside the tracker model `full` alone."""

    @property
    def built_graphs(self) -> dict[str, GraphSpec]:
        """All graphs to build, by name."""
        return {name: spec for part in self.parts.values() for name, spec in part.graphs.items()}

    @property
    def all_graphs(self) -> dict[str, GraphSpec]:
        """Those and what else the engine needs to run."""
        return {**self.engine.graphs, "detector": self.detector, **self.tracker.graphs}


def read_source(folder: Path) -> BuildSource:
    """Reads an engine's or a tracker's folder.

    Args:
        folder: with an `engine.json`, whose tracker is built along where it reads landmarks, or with a
            `blazepose.json`.

    Raises:
        EngineError: a manifest or a file is missing or damaged.
        ExportError: the folder has neither, or holds graphs that are not in single precision ONNX.
    """
    tracker = _read(_tracker_folder(folder), BLAZEPOSE_KIND)
    detector = (
        tracker.graphs.get("detector")
        or _read(model_folder(FULL), BLAZEPOSE_KIND).graphs["detector"]
    )
    if (folder / BLAZEPOSE_KIND.file_name).is_file():
        engine_folder = find_folder(DEFAULT_ENGINE)
        if engine_folder is None:
            raise ExportError(f"no folder engines/{DEFAULT_ENGINE}: reinstall the package")
        engine, parts = load_manifest(engine_folder), {"": tracker}
        return BuildSource(parts=parts, engine=engine, tracker=tracker, detector=detector)
    if not (folder / ENGINE.file_name).is_file():
        raise ExportError(
            f"{folder} has no {ENGINE.file_name} and no {BLAZEPOSE_KIND.file_name}: "
            "expected an engine's folder, such as engines/blazepose-gru"
        )
    source = _read(folder, ENGINE)
    engine = load_manifest(folder)
    parts = {"": source, "tracker": tracker} if needs_landmarks(engine) else {"": source}
    return BuildSource(parts=parts, engine=engine, tracker=tracker, detector=detector)


@contextmanager
def opened(graphs: Mapping[str, GraphSpec]) -> Iterator[dict[str, InferenceSession]]:
    """Opens ONNX graphs in ONNX Runtime and closes them in the end."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(OnnxRuntimeSession(spec.path, num_threads=_NUM_THREADS))
            for name, spec in graphs.items()
        }


def _tracker_folder(folder: Path) -> Path:
    if (folder / BLAZEPOSE_KIND.file_name).is_file():
        return folder
    return model_folder(FULL)


def _read(folder: Path, kind: ManifestKind) -> SourceFolder:
    content = read_manifest(folder, kind)
    target, precision = content.get("target", "onnx"), content.get("precision", "fp32")
    if (target, precision) != ("onnx", "fp32"):
        raise ExportError(
            f"{folder} is built for {target} in {precision}, expected the single precision ONNX engine "
            "that it was built from"
        )
    graphs = {name: graph_spec(folder, kind, content, name) for name in content["graphs"]}
    return SourceFolder(folder=folder, kind=kind, content=content, graphs=graphs)
