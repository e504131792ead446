"""The graphs of engine folders, and arrays to feed them with."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from realtime_vibe.backends.base import AnyArray, TensorSpec
from realtime_vibe.backends.build import BACKENDS_OF_TARGETS, resolved
from realtime_vibe.backends.manifest import ENGINE, GraphSpec, graph_spec, read_manifest
from realtime_vibe.errors import EngineError
from realtime_vibe.tracking.blazepose_models import BLAZEPOSE_KIND
from realtime_vibe.tracking.choices import BLAZEPOSE

_LANDMARK_GRAPHS = ("landmarks", "detector")
"""`landmarks_heat` is the same network with one output more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineGraph:
    """One graph of one folder."""

    title: str
    """Same for the same network in another precision or for another target: `vibe-resnet50 step`."""
    spec: GraphSpec
    engine: str
    folder: Path

    @property
    def precision(self) -> str:
        """What the file holds."""
        return self.spec.build.precision

    @property
    def target(self) -> str:
        """What the file was built for; `onnx` runs anywhere."""
        return self.spec.build.target

    @property
    def has_people(self) -> bool:
        """Whether it takes any number of people."""
        return any(isinstance(size, str) for spec in self.spec.inputs for size in spec.shape)

    def backends(self, installed: Sequence[str]) -> tuple[str, ...]:
        """Those of the installed backends that run it, each in another way."""
        found: dict[str, None] = {}
        for name in BACKENDS_OF_TARGETS[self.target]:
            try:
                chosen = resolved(self.spec.file, name)
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
    is_tracker = (folder / BLAZEPOSE_KIND.file_name).is_file()
    kind = BLAZEPOSE_KIND if is_tracker else ENGINE
    content = read_manifest(folder, kind)
    family = BLAZEPOSE if is_tracker else str(content.get("family", folder.name))
    try:
        names = [name for name in _LANDMARK_GRAPHS if name in content["graphs"]]
        names = names if is_tracker else list(content["graphs"])
    except (KeyError, TypeError) as error:
        raise EngineError(f"{folder / kind.file_name} lists no graphs: {kind.cure}") from error
    return tuple(
        EngineGraph(
            title=f"{family} {name}",
            spec=graph_spec(folder, kind, content, name),
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
        inputs: what the graph takes.
        num_people: for every free dimension.
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
