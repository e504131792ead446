"""An exported graph: its tensors, what its file was built for, and which backends may open it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from realtime_vibe.backends.base import TensorSpec
from realtime_vibe.errors import EngineError

ONNX = "onnx"
BACKENDS_OF_TARGETS: Mapping[str, tuple[str, ...]] = {
    ONNX: ("onnxruntime", "onnxruntime-cuda", "onnxruntime-coreml", "openvino", "openvino-bf16"),
    "openvino": ("openvino", "openvino-bf16"),
    "tensorrt": ("tensorrt",),
    "tensorrt-rtx": ("tensorrt-rtx",),
    "torch-tensorrt": (),
}
"""The last one needs torch, which the live path never imports."""

_IN_BF16 = "openvino-bf16"
_IN_FP16 = "onnxruntime-coreml"  # the neural engine computes in nothing else


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """One exported graph and what is known of it."""

    path: Path
    sha256: str | None = None
    """As its manifest states it; None: it is in no manifest, so that its content is unchecked."""
    inputs: tuple[TensorSpec, ...] = ()
    """As stated, like the outputs."""
    outputs: tuple[TensorSpec, ...] = ()
    target: str = ONNX
    """One of `BACKENDS_OF_TARGETS`."""
    precision: str = "fp32"
    """`fp32`, `fp16`, `bf16` or `int8`: what the file holds."""
    allowed_precisions: tuple[str, ...] = ("fp32",)
    """What a backend may compute in unasked: those that passed the parity check."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Of the libraries the file is tied to, by the target's name."""
    compute_capabilities: tuple[str, ...] = ()
    """Of the GPUs the file runs on, such as `8.9`; empty: any, or not stated."""

    @property
    def advice(self) -> str:
        """How to get a file that fits, as the end of an error message."""
        if self.target == ONNX:
            return "rebuild the engine, or use --backend auto"
        return (
            f"rebuild it here with `python -m export.build ENGINE --target {self.target} "
            f"--precision {self.precision} --out OUT`"
        )


def described_graph(path: Path, entry: Mapping[str, Any], manifest: Mapping[str, Any]) -> Graph:
    """A graph as its manifest describes it; what is left out has the default.

    Args:
        entry: what the manifest says of this graph. Its own precision counts where it states one: a
            network that does not tolerate what the others do is kept in single.

    Raises:
        KeyError: something that has no default is missing.
        ValueError: a target this version does not know.
        TypeError: a value has the wrong type.
    """
    target = str(manifest.get("target", ONNX))
    if target not in BACKENDS_OF_TARGETS:
        raise ValueError(f"target {target!r} (expected one of {', '.join(BACKENDS_OF_TARGETS)})")
    built = dict(manifest.get("built", {}))
    stated = {**manifest, **entry}
    return Graph(
        path=path,
        sha256=str(entry["sha256"]),
        inputs=tuple(tensor_spec(item) for item in entry["inputs"]),
        outputs=tuple(tensor_spec(item) for item in entry["outputs"]),
        target=target,
        precision=str(stated.get("precision", "fp32")),
        allowed_precisions=_texts(stated.get("allowed_precisions", ["fp32"])),
        versions={str(name): str(value) for name, value in dict(built.get("versions", {})).items()},
        compute_capabilities=_texts(built.get("compute_capability", [])),
    )


def tensor_spec(item: Mapping[str, Any]) -> TensorSpec:
    """One input or output as manifests write it: name, shape, dtype.

    Raises:
        KeyError: one of the three is missing.
    """
    shape = tuple(size if isinstance(size, int) else str(size) for size in item["shape"])
    return TensorSpec(name=str(item["name"]), shape=shape, dtype=str(item["dtype"]))


def fitting_backends(graph: Graph) -> tuple[str, ...]:
    """The backends that `auto` may take: those that open the file and keep to a checked precision.

    Raises:
        EngineError: there is none.
    """
    backends = dict.fromkeys(
        _own_precision(graph, name)
        for name in BACKENDS_OF_TARGETS[graph.target]
        if (name != _IN_BF16 or "bf16" in graph.allowed_precisions)
        and (name != _IN_FP16 or "fp16" in graph.allowed_precisions)
    )
    if not backends:
        raise EngineError(
            f"{graph.path} is built for {graph.target}, which only `python -m benchmarks` runs: expected "
            "an engine for another target"
        )
    return tuple(backends)


def resolved(graph: Graph, backend: str) -> str:
    """The backend to open a graph with once the user named one of `factory.BACKENDS`, other than `auto`.

    Raises:
        EngineError: the graph was built for another backend or precision.
    """
    fitting = BACKENDS_OF_TARGETS[graph.target]
    if backend not in fitting:
        expected = (
            f"--backend {' or '.join(fitting)}" if fitting else "python -m benchmarks backends"
        )
        advice = (
            f"build one with `python -m export.build ENGINE --target {backend} --out OUT`"
            if graph.target == ONNX
            else "or the ONNX engine that it was built from"
        )
        raise EngineError(
            f"{graph.path} is built for {graph.target}, got --backend {backend}: expected {expected}; "
            f"{advice}"
        )
    if backend == _IN_BF16 and graph.precision not in ("fp32", "bf16"):
        raise EngineError(
            f"{graph.path} is built in {graph.precision}, got --backend {backend}: expected "
            f"--backend openvino; {graph.advice}"
        )
    return _own_precision(graph, backend)


def _own_precision(graph: Graph, backend: str) -> str:
    """A graph that was built and checked in bf16 runs in bf16 unasked."""
    return _IN_BF16 if backend == "openvino" and graph.precision == "bf16" else backend


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, Sequence) or not all(isinstance(item, str) for item in value):
        raise TypeError(f"{value!r} (expected text or a list of texts)")
    return tuple(value)
