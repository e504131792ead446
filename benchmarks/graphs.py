"""The graphs of engine folders, and arrays to feed them with."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from realtime_vibe.backends.base import AnyArray, TensorSpec
from realtime_vibe.backends.graph import BACKENDS_OF_TARGETS, Graph, resolved
from realtime_vibe.backends.graph_folder import Engine, GraphFolder
from realtime_vibe.errors import EngineError
from realtime_vibe.tracking.blazepose_models import BlazePoseFolder
from realtime_vibe.tracking.choices import BLAZEPOSE, DEFAULT_TRACKER

_LANDMARK_GRAPHS = (DEFAULT_TRACKER.landmark_graph, "detector")
"""Of the landmark network the one that runs by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineGraph:
    """One graph of one folder."""

    title: str
    """Same for the same network in another precision or for another target: `vibe-resnet50 step`."""
    spec: Graph
    engine: str
    folder: Path

    @property
    def precision(self) -> str:
        """What the file holds."""
        return self.spec.precision

    @property
    def target(self) -> str:
        """What the file was built for; `onnx` runs anywhere."""
        return self.spec.target

    @property
    def has_people(self) -> bool:
        """Whether it takes any number of people."""
        return any(isinstance(size, str) for spec in self.spec.inputs for size in spec.shape)

    def backends(self, installed: Sequence[str]) -> tuple[str, ...]:
        """Those of the installed backends that run it, each in another way."""
        found: dict[str, None] = {}
        for name in BACKENDS_OF_TARGETS[self.target]:
            try:
                chosen = resolved(self.spec, name)
            except EngineError:
                continue  # the backend opens such files, but not in this precision
            if chosen in installed:
                found[chosen] = None
        return tuple(found)


def engine_graphs(folder: Path) -> tuple[EngineGraph, ...]:
    """The graphs worth timing of an engine folder, or of BlazePose's.

    Raises:
        EngineError: there is no manifest, or a file is not what it says.
    """
    is_tracker = (folder / BlazePoseFolder.manifest).is_file()
    found: GraphFolder = BlazePoseFolder(folder) if is_tracker else Engine(folder)
    names = found.graph_names
    if is_tracker:
        names = tuple(name for name in _LANDMARK_GRAPHS if name in names)
    content = found.content
    family = BLAZEPOSE if is_tracker else str(content.get("family", folder.name))
    return tuple(
        EngineGraph(
            title=f"{family} {name}",
            spec=found.graph(name),
            engine=str(content.get("name", folder.name)),
            folder=folder,
        )
        for name in names
    )


def random_feeds(
    inputs: Sequence[TensorSpec], num_people: int, seed: int = 0
) -> dict[str, AnyArray]:
    """Noise for every input: bytes in full range, other numbers standard normal.

    Args:
        seed: same seed, same noise.
    """
    rng = np.random.default_rng(seed)
    feeds: dict[str, AnyArray] = {}
    for spec in inputs:
        shape = tuple(size if isinstance(size, int) else num_people for size in spec.shape)
        if spec.dtype == "uint8":
            feeds[spec.name] = rng.integers(0, 256, shape).astype(np.uint8)
        else:
            feeds[spec.name] = rng.standard_normal(shape).astype(spec.dtype)
    return feeds
