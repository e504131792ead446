"""What every inference backend offers: named arrays in, named arrays out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from realtime_vibe.system.closing import Closable, ClosedByWith

AnyArray = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSpec:
    """Name, shape and type of one graph input or output; a free dimension is a string."""

    name: str
    shape: tuple[int | str, ...]
    dtype: str
    """NumPy's name: float32, uint8, int64."""


class InferenceSession(Closable, Protocol):
    """An exported graph that is ready to run."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The graph's inputs in order."""

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The graph's outputs in order."""

    @property
    def backend(self) -> str:
        """What really runs the graph, such as `onnxruntime:CPU`."""

    def run(self, feeds: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
        """Runs the graph once on one C-contiguous array per input; gives one per output, which the caller owns."""


class OpenSession(ClosedByWith):
    """What sessions have in common: they know their tensors once the graph is open."""

    _inputs: tuple[TensorSpec, ...]
    _outputs: tuple[TensorSpec, ...]

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The graph's inputs in order."""
        return self._inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The graph's outputs in order."""
        return self._outputs
