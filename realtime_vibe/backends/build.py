"""What an engine's files were built for, and which backends may open them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from realtime_vibe.errors import EngineError

ONNX = "onnx"
BACKENDS_OF_TARGETS: Mapping[str, tuple[str, ...]] = {
    ONNX: (
        "onnxruntime",
        "onnxruntime-cuda",
        "onnxruntime-coreml",
        "openvino",
        "openvino-bf16",
    ),
    "openvino": ("openvino", "openvino-bf16"),
    "tensorrt": ("tensorrt",),
    "tensorrt-rtx": ("tensorrt-rtx",),
    "torch-tensorrt": (),
}
"""The last one needs torch, which the live path never imports."""

_IN_BF16 = "openvino-bf16"
_IN_FP16 = "onnxruntime-coreml"  # the neural engine computes in nothing else


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """What a manifest says of its graphs as a whole."""

    target: str = ONNX
    """One of `BACKENDS_OF_TARGETS`."""
    precision: str = "fp32"
    """`fp32`, `fp16`, `bf16` or `int8`: what the files hold."""
    allowed_precisions: tuple[str, ...] = ("fp32",)
    """What a backend may compute in without being told to: those that passed the parity check."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Of the libraries the files are tied to, by the target's name."""
    compute_capabilities: tuple[str, ...] = ()
    """Of the GPUs the files run on, such as `8.9`; empty: any, or not stated."""

    @property
    def cure(self) -> str:
        """How to get files that fit, as the end of an error message."""
        if self.target == ONNX:
            return "rebuild the engine, or use --backend auto"
        return (
            f"rebuild it here with `python -m export.build ENGINE --target {self.target} "
            f"--precision {self.precision} --out OUT`"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphFile:
    """A graph and what is known of it."""

    path: Path
    sha256: str | None = None
    """As its manifest states it; None: it has no manifest, so that nothing vouches for it."""
    build: Build = field(default_factory=Build)


def build_of(content: Mapping[str, Any], graph: Mapping[str, Any] | None = None) -> Build:
    """What a manifest says of its build; what it leaves out has the default.

    Args:
        content: the manifest.
        graph: one of its graphs, whose own precision counts where it states one: a network that does not
            bear what the others do is kept in single.

    Raises:
        ValueError: a target this version does not know.
        TypeError: a value has the wrong type.
    """
    target = str(content.get("target", ONNX))
    if target not in BACKENDS_OF_TARGETS:
        raise ValueError(f"target {target!r} (expected one of {', '.join(BACKENDS_OF_TARGETS)})")
    own = graph if graph is not None else {}
    precision = str(own.get("precision", content.get("precision", "fp32")))
    allowed = own.get("allowed_precisions", content.get("allowed_precisions", ["fp32"]))
    built = dict(content.get("built", {}))
    return Build(
        target=target,
        precision=precision,
        allowed_precisions=_texts(allowed),
        versions={str(name): str(value) for name, value in dict(built.get("versions", {})).items()},
        compute_capabilities=_texts(built.get("compute_capability", [])),
    )


def fitting_backends(build: Build) -> tuple[str, ...]:
    """The backends that `auto` may take: those that open the files and keep to a checked precision."""
    backends = [
        _own_precision(build, name)
        for name in BACKENDS_OF_TARGETS[build.target]
        if (name != _IN_BF16 or "bf16" in build.allowed_precisions)
        and (name != _IN_FP16 or "fp16" in build.allowed_precisions)
    ]
    return tuple(dict.fromkeys(backends))


def resolved(file: GraphFile, backend: str) -> str:
    """The backend to open a graph with once the user named one.

    Args:
        file: the graph.
        backend: one of `factory.BACKENDS` but `auto`.

    Raises:
        EngineError: the graph was built for another backend or precision.
    """
    build = file.build
    fitting = BACKENDS_OF_TARGETS[build.target]
    if backend not in fitting:
        expected = (
            f"--backend {' or '.join(fitting)}" if fitting else "python -m benchmarks backends"
        )
        cure = (
            f"build one with `python -m export.build ENGINE --target {backend} --out OUT`"
            if build.target == ONNX
            else "or the ONNX engine that it was built from"
        )
        raise EngineError(
            f"{file.path} is built for {build.target}, got --backend {backend}: expected {expected}; "
            f"{cure}"
        )
    if backend == _IN_BF16 and build.precision not in ("fp32", "bf16"):
        raise EngineError(
            f"{file.path} is built in {build.precision}, got --backend {backend}: expected "
            f"--backend openvino; {build.cure}"
        )
    return _own_precision(build, backend)


def _own_precision(build: Build, backend: str) -> str:
    """A graph that was built and checked in bf16 runs in bf16 without being told."""
    return _IN_BF16 if backend == "openvino" and build.precision == "bf16" else backend


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, Sequence) or not all(isinstance(item, str) for item in value):
        raise TypeError(f"{value!r} (expected text or a list of texts)")
    return tuple(value)
