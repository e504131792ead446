"""Opens engine files of TensorRT and TensorRT-RTX: only known ones, and only where they fit.

Deserialising an engine runs code that is inside the file. A file is therefore opened only when a manifest
states its sha256, and it is the hashed bytes themselves that are opened.
"""

import hashlib
import logging
from typing import Any

import numpy as np

from realtime_vibe.backends.base import TensorSpec
from realtime_vibe.backends.cuda_driver import CudaDevice
from realtime_vibe.backends.graph import Graph
from realtime_vibe.backends.tensorrt_library import TensorRt
from realtime_vibe.errors import EngineError
from realtime_vibe.system.file_boundary import file_boundary, open_regular

logger = logging.getLogger(__name__)

FREE = "P"
_DTYPES = {
    "FLOAT": "float32",
    "HALF": "float16",
    "UINT8": "uint8",
    "INT8": "int8",
    "INT32": "int32",
    "INT64": "int64",
    "BOOL": "bool",
}


def open_engine(graph: Graph, library: TensorRt, device: CudaDevice) -> Any:
    """Checks an engine file against the sha256 that its manifest states, and deserialises it: an `ICudaEngine`.

    Raises:
        EngineError: no manifest states the file's sha256, it changed, or it was built for another version or GPU.
    """
    content = _trusted_content(graph)
    _require_version(graph, library)
    _require_gpu(graph, device)
    complaints = complaint_logger(library.module)
    fault = f"cannot be opened by {library.backend} {library.version}"
    with file_boundary(graph.path, EngineError, graph.advice, fault=fault):
        engine = library.module.Runtime(complaints).deserialize_cuda_engine(content)
        if engine is None:
            raise ValueError(next(iter(complaints.errors), "it gives no reason"))
    return engine


def tensor_specs(
    engine: Any, library: TensorRt
) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Inputs and outputs of an engine.

    Raises:
        EngineError: one is of a type NumPy does not have.
    """
    inputs: list[TensorSpec] = []
    outputs: list[TensorSpec] = []
    for place in range(engine.num_io_tensors):
        name = engine.get_tensor_name(place)
        dtype = engine.get_tensor_dtype(name).name
        if dtype not in _DTYPES:
            raise EngineError(
                f"the engine's {name} is {dtype}, expected one of {', '.join(_DTYPES)}: export it with "
                "inputs and outputs in fp32"
            )
        shape = tuple(FREE if size < 0 else int(size) for size in engine.get_tensor_shape(name))
        spec = TensorSpec(name=name, shape=shape, dtype=_DTYPES[dtype])
        is_input = engine.get_tensor_mode(name) == library.module.TensorIOMode.INPUT
        (inputs if is_input else outputs).append(spec)
    return tuple(inputs), tuple(outputs)


def largest_shapes(engine: Any, inputs: tuple[TensorSpec, ...]) -> dict[str, tuple[int, ...]]:
    """The most that each input may have, as the engine was built."""
    shapes = {}
    for spec in inputs:
        if FREE in spec.shape:
            _, _, largest = engine.get_tensor_profile_shape(spec.name, 0)
            shapes[spec.name] = tuple(int(size) for size in largest)
        else:
            shapes[spec.name] = tuple(int(size) for size in spec.shape)
    return shapes


def num_bytes(shape: tuple[int, ...], dtype: str) -> int:
    """Bytes of a tensor."""
    return int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize


def _trusted_content(graph: Graph) -> bytes:
    if graph.sha256 is None:
        raise EngineError(
            f"{graph.path} is an engine file, which can run anything, and no manifest states its sha256: open the "
            "engine folder whose engine.json states its sha256"
        )
    with file_boundary(graph.path, EngineError, graph.advice), open_regular(graph.path) as file:
        content = file.read()
    found = hashlib.sha256(content).hexdigest()
    if found != graph.sha256:
        raise EngineError(
            f"{graph.path} has sha256 {found[:12]}…, its manifest says {graph.sha256[:12]}…: "
            f"{graph.advice}"
        )
    return content


def _require_version(graph: Graph, library: TensorRt) -> None:
    built_with = graph.versions.get(library.backend)
    if built_with is None:
        raise EngineError(
            f"the manifest of {graph.path} does not say which {library.backend} built it, expected "
            f"{library.version}: {graph.advice}"
        )
    if built_with != library.version:
        raise EngineError(
            f"{graph.path} was built with {library.backend} {built_with}, here is {library.version}: "
            f"{graph.advice}"
        )


def _require_gpu(graph: Graph, device: CudaDevice) -> None:
    stated = graph.compute_capabilities
    if stated and device.compute_capability not in map(_dotted, stated):
        raise EngineError(
            f"{graph.path} was built for GPUs of compute capability {', '.join(stated)}, {device.name} has "
            f"{device.compute_capability}: {graph.advice}"
        )


def _dotted(capability: str) -> str:
    """`8.9` for `8.9`, `89` and `SM89`."""
    digits = "".join(character for character in capability if character.isdigit())
    return f"{digits[:-1]}.{digits[-1:]}"


def complaint_logger(module: Any) -> Any:
    """A logger for TensorRT, which would print its messages: `errors` has the first line of each error."""
    severity = module.ILogger.Severity
    worst = (severity.INTERNAL_ERROR, severity.ERROR)

    class Logger(module.ILogger):  # type: ignore[misc]  # the base is known at run time
        def __init__(self) -> None:
            module.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in worst:
                self.errors.append(message.strip().splitlines()[0])
                logger.debug("TensorRT: %s", message)

    return Logger()
