"""Compiles ONNX graphs with TensorRT or TensorRT-RTX, which offer the same interface.

Both are strongly typed: a graph computes in the types it says, no flag changes them. Two things have to be said
differently than for others: bytes become numbers before they are moved, and Turing (7.5) has no matrix product
in single precision.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import onnx

from export.precision_graphs import single_first, sums_for_small_products
from export.targets import is_free, profile_shapes
from realtime_vibe.backends.base import InferenceSession
from realtime_vibe.backends.cuda_driver import CudaDevice
from realtime_vibe.backends.graph import Graph
from realtime_vibe.backends.graph_folder import file_sha256
from realtime_vibe.backends.tensorrt_engine import complaint_logger
from realtime_vibe.backends.tensorrt_library import TensorRt
from realtime_vibe.backends.tensorrt_session import TensorRtSession
from realtime_vibe.errors import BackendUnavailableError, ExportError

HALF_ONLY_REASONS = {
    "bf16": "half has the same speed and three more bits: use --precision fp16",
    "int8": "the quantized graphs are for CPUs (bytes without a sign): use --precision fp16",
}
"""Why precisions other than single and half are not built for NVIDIA's GPUs; as in `Target.precisions`."""


class OnThisGpu:
    """What targets share that compile on the GPU of this machine: their files open on no other."""

    name: str
    precisions: Mapping[str, str] = {"fp32": "", "fp16": "", **HALF_ONLY_REASONS}

    def __init__(self) -> None:
        self._gpu: dict[str, Any] = {}

    def prepare(self) -> None:
        """See `Target.prepare`."""
        self._versions()
        self._gpu = gpu_of_this_machine()

    def built(self) -> dict[str, Any]:
        """See `Target.built`."""
        return {"versions": self._versions(), **self._gpu}

    @abstractmethod
    def _versions(self) -> dict[str, str]:
        """Of the libraries, which are loaded; raises what `Target.prepare` does."""


def gpu_of_this_machine() -> dict[str, Any]:
    """What a manifest says of the GPU that an engine was compiled on, and opens on alone.

    Raises:
        BackendUnavailableError: there is no driver or GPU.
    """
    device = CudaDevice()
    try:
        return {"gpu": device.name, "compute_capability": [device.compute_capability]}
    finally:
        device.close()


def compiled(
    library: TensorRt,
    model: onnx.ModelProto,
    spec: Graph,
    configure: Callable[[Any], None],
) -> memoryview:
    """The bytes of an engine for 1 to 8 people.

    Args:
        model: in the precision it is to compute in.
        configure: changes the builder's settings.

    Raises:
        ExportError: the library does not take the graph; with its reason.
    """
    trt = library.module
    complaints = complaint_logger(trt)
    builder = trt.Builder(complaints)
    network = builder.create_network(_strong_typing(trt))
    parser = trt.OnnxParser(network, complaints)
    content = sums_for_small_products(single_first(model)).SerializeToString()
    if not parser.parse(content):
        raise ExportError(
            f"{library.backend} does not read {spec.path.name}: {_reason(complaints)}"
        )
    config = builder.create_builder_config()
    configure(config)
    if any(is_free(item) for item in spec.inputs):
        profile = builder.create_optimization_profile()
        for item in spec.inputs:
            profile.set_shape(item.name, *profile_shapes(item))
        config.add_optimization_profile(profile)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise ExportError(
            f"{library.backend} does not compile {spec.path.name}: {_reason(complaints)}"
        )
    return memoryview(engine)


def opened_engine(library: TensorRt, path: Path, precision: str) -> InferenceSession | None:
    """Runs an engine file that was just compiled; None where there is no GPU."""
    try:
        device = CudaDevice()
    except BackendUnavailableError:
        return None
    graph = Graph(
        path=path,
        sha256=file_sha256(path),
        target=library.backend,
        precision=precision,
        versions={library.backend: library.version},
    )
    return TensorRtSession(graph, library, device)


def _strong_typing(trt: Any) -> int:
    """The flag that TensorRT 10 needs, and 11 takes and ignores."""
    flag = trt.NetworkDefinitionCreationFlag.__members__.get("STRONGLY_TYPED")
    return 0 if flag is None else 1 << int(flag)


def _reason(complaints: Any) -> str:
    """The library's first error."""
    # Without a GPU it looks for one all the same, and says so.
    return next((error for error in complaints.errors if "cudaError" not in error), "")
