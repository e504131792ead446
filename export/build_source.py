"""What a built engine is made from: a folder of single precision ONNX graphs and its manifest."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from realtime_vibe.backends.base import InferenceSession
from realtime_vibe.backends.graph import Graph
from realtime_vibe.backends.graph_folder import Engine, GraphFolder
from realtime_vibe.backends.onnxruntime_session import OnnxRuntimeSession
from realtime_vibe.errors import ExportError
from realtime_vibe.features.factory import needs_landmarks
from realtime_vibe.tracking.blazepose_models import BlazePoseFolder, model_folder
from realtime_vibe.tracking.choices import FULL

DEFAULT_ENGINE = "blazepose-gru"
_NUM_THREADS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSource:
    """The folders to build anew, and the engine they are compared in."""

    parts: Mapping[str, GraphFolder]
    """By their place in the folder that is written: the empty name is the folder itself."""
    engine: Engine
    """Which engine the networks drive: the source, or the default one where the source is a tracker."""
    tracker: BlazePoseFolder
    """BlazePose's landmark networks, whether or not they are built anew."""
    detector: Graph
    """BlazePose's; it lies beside the tracker model `full` alone."""

    @property
    def built_graphs(self) -> dict[str, Graph]:
        """All graphs to build, by name."""
        return {name: spec for part in self.parts.values() for name, spec in part.graphs().items()}

    @property
    def all_graphs(self) -> dict[str, Graph]:
        """Those and what else the engine needs to run."""
        return {**self.engine.graphs(), "detector": self.detector, **self.tracker.graphs()}


def read_source(folder: Path) -> BuildSource:
    """Reads an engine's or a tracker's folder.

    Args:
        folder: with an `engine.json`, whose tracker is built along where it reads landmarks, or with a
            `blazepose.json`.

    Raises:
        EngineError: a manifest or a file is missing or damaged.
        ExportError: the folder has neither, or holds graphs that are not in single precision ONNX.
    """
    is_tracker = (folder / BlazePoseFolder.manifest).is_file()
    tracker = BlazePoseFolder(folder if is_tracker else model_folder(FULL))
    full = tracker if "detector" in tracker.graph_names else BlazePoseFolder(model_folder(FULL))
    if not is_tracker and not (folder / Engine.manifest).is_file():
        raise ExportError(
            f"{folder} has no {Engine.manifest} and no {BlazePoseFolder.manifest}: "
            "expected an engine's folder, such as engines/blazepose-gru"
        )
    engine = Engine(DEFAULT_ENGINE if is_tracker else folder)
    parts: dict[str, GraphFolder] = {"": tracker if is_tracker else engine}
    if not is_tracker and needs_landmarks(engine):
        parts["tracker"] = tracker
    for part in (tracker, *parts.values()):
        if (part.target, part.precision) != ("onnx", "fp32"):
            raise ExportError(
                f"{part.path} is built for {part.target} in {part.precision}, expected the single precision "
                "ONNX engine that it was built from"
            )
    return BuildSource(parts=parts, engine=engine, tracker=tracker, detector=full.graph("detector"))


@contextmanager
def opened(graphs: Mapping[str, Graph]) -> Iterator[dict[str, InferenceSession]]:
    """Opens ONNX graphs in ONNX Runtime and closes them in the end."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(OnnxRuntimeSession(spec.path, num_threads=_NUM_THREADS))
            for name, spec in graphs.items()
        }
