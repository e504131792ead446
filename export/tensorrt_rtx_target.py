"""TensorRT-RTX engines, compiled ahead of time for GPUs that need not be there.

The library compiles on the CPU for the compute capabilities that are named; the user's GPU finishes the kernels
when the engine is opened (docs.nvidia.com/deeplearning/tensorrt-rtx, "CPU-Only AOT").
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx

from export.tensorrt_compiler import HALF_ONLY_REASONS, compiled, opened_engine
from realtime_vibe.backends.base import InferenceSession
from realtime_vibe.backends.graph import Graph
from realtime_vibe.backends.tensorrt_library import load_tensorrt
from realtime_vibe.errors import ExportError

DEFAULT_CAPABILITIES = ("7.5", "8.0", "8.6", "8.9", "12.0")
"""Turing, Ampere, Ada and Blackwell: all that users of GeForce and RTX cards have."""
_HEADER_MAGIC = b"vtrt"
_LENGTH_PLACE = slice(16, 24)
_VERSION_PLACE = slice(24, 28)
_CAPABILITIES_PLACE = slice(32, 40)
"""One bit for each, in the order of the library's list."""


class TensorRtRtxTarget:
    """One `.rtx` file a graph, for all the GPUs named."""

    name = "tensorrt-rtx"
    precisions: Mapping[str, str] = {
        "fp32": "Turing has no matrix products for it: use --precision fp16",
        "fp16": "",
        **HALF_ONLY_REASONS,
    }

    def __init__(self, capabilities: Sequence[str] = DEFAULT_CAPABILITIES) -> None:
        self._capabilities = tuple(capabilities)
        self._version = ""

    def prepare(self) -> None:
        """See `Target.prepare`."""
        library = load_tensorrt("tensorrt-rtx")
        self._version = library.version
        known = capabilities_of(library.module)
        for capability in self._capabilities:
            if capability not in known:
                raise ExportError(
                    f"TensorRT-RTX {library.version} does not compile for compute capability {capability}: "
                    f"expected {', '.join(known)}"
                )

    def write(self, model: onnx.ModelProto, spec: Graph, path: Path, precision: str) -> Path:
        """See `Target.write`."""
        del precision
        file = path.with_suffix(".rtx")
        file.write_bytes(compiled(load_tensorrt("tensorrt-rtx"), model, spec, self._configure))
        check_engine_file(file, spec, self._version, self._capabilities)
        return file

    def open(self, path: Path, precision: str) -> InferenceSession | None:
        """See `Target.open`."""
        return opened_engine(load_tensorrt("tensorrt-rtx"), path, precision)

    def built(self) -> dict[str, Any]:
        """See `Target.built`."""
        return {
            "versions": {self.name: self._version},
            "compute_capability": list(self._capabilities),
        }

    def _configure(self, config: Any) -> None:
        config.num_compute_capabilities = len(self._capabilities)
        known = capabilities_of(load_tensorrt("tensorrt-rtx").module)
        for place, capability in enumerate(self._capabilities):
            config.set_compute_capability(known[capability], place)


def capabilities_of(trt: Any) -> dict[str, Any]:
    """The compute capabilities that the library compiles for, as `8.9`."""
    return {
        f"{name[2:-1]}.{name[-1]}": value
        for name, value in trt.ComputeCapability.__members__.items()
        if name.startswith("SM")
    }


def check_engine_file(path: Path, spec: Graph, version: str, capabilities: Sequence[str]) -> None:
    """Reads an engine file back as far as it goes without a GPU.

    The library opens no engine without a driver, not even for its names. What the bytes tell: that the
    file is a whole engine, of this version, for these GPUs, and that every input and output is in it.

    Raises:
        ExportError: something of it is not so.
    """
    content = path.read_bytes()
    length = int.from_bytes(content[_LENGTH_PLACE], "little")
    if not content.startswith(_HEADER_MAGIC) or length != len(content):
        raise ExportError(
            f"{path.name} has {len(content)} bytes, its header says {length}: expected a whole engine"
        )
    found = ".".join(str(number) for number in content[_VERSION_PLACE])
    if found != version:
        raise ExportError(f"{path.name} is of version {found}, expected {version}")
    compiled = compiled_capabilities(content)
    if set(compiled) != set(capabilities):
        raise ExportError(
            f"{path.name} is for compute capability {', '.join(compiled)}, expected {', '.join(capabilities)}"
        )
    for item in (*spec.inputs, *spec.outputs):
        # Strings lie in the file with their length before them, in eight bytes.
        if len(item.name).to_bytes(8, "little") + item.name.encode() not in content:
            raise ExportError(f"{path.name} has no input or output {item.name}")


def compiled_capabilities(content: bytes) -> tuple[str, ...]:
    """The compute capabilities in an engine's header, as `8.9`."""
    bits = int.from_bytes(content[_CAPABILITIES_PLACE], "little")
    known = capabilities_of(load_tensorrt("tensorrt-rtx").module)
    return tuple(name for place, name in enumerate(known) if bits >> place & 1)
