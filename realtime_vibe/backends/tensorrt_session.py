"""Runs TensorRT engine files: memory is taken once, a run is one launch of a captured CUDA graph.

Legend: P people, the one size that engines leave free.
"""

import ctypes
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from realtime_vibe.backends.base import AnyArray, OpenSession, TensorSpec
from realtime_vibe.backends.cuda_driver import CudaDevice
from realtime_vibe.backends.graph import Graph
from realtime_vibe.backends.tensorrt_engine import (
    largest_shapes,
    num_bytes,
    open_engine,
    tensor_specs,
)
from realtime_vibe.backends.tensorrt_library import TensorRt
from realtime_vibe.errors import BackendUnavailableError, EngineError

logger = logging.getLogger(__name__)

_Shapes = tuple[tuple[int, ...], ...]


class TensorRtSession(OpenSession):
    """Runs one engine file of TensorRT or TensorRT-RTX, with the sha256 its manifest states.

    `device` is closed with the session; None: the first GPU.

    Raises:
        BackendUnavailableError: there is no driver or GPU, or its memory is full.
        EngineError: its file changed, or was built for another version or GPU.
    """

    def __init__(self, graph: Graph, library: TensorRt, device: CudaDevice | None = None) -> None:
        self._graph_file = graph
        self._library = library
        self._device: CudaDevice | None = device if device is not None else CudaDevice()
        try:
            self._engine: Any = open_engine(graph, library, self._device)
            self._inputs, self._outputs = tensor_specs(self._engine, library)
            self._largest = largest_shapes(self._engine, self._inputs)
            self._buffers = self._allocated(self._device)
        except BaseException:
            self.close()
            raise
        self._launches: dict[_Shapes, _Launch] = {}

    @property
    def backend(self) -> str:
        """Such as `tensorrt-rtx:NVIDIA GeForce RTX 4070`."""
        name = self._device.name if self._device is not None else "closed"
        return f"{self._library.backend}:{name}"

    def run(self, feeds: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
        """Runs the engine once; see `InferenceSession.run`.

        Raises:
            EngineError: it was not built for inputs of these sizes.
            BackendUnavailableError: the GPU's memory is full, or it failed.
        """
        device = self._opened_device()
        device.activate()
        shapes = tuple(feeds[spec.name].shape for spec in self._inputs)
        launch = self._launches.get(shapes)
        if launch is None:
            launch = self._launches[shapes] = self._prepared(device, shapes)
        return launch.run(feeds)

    def close(self) -> None:
        """Frees the engine; may be called twice."""
        self._launches = {}
        self._engine = None
        if self._device is not None:
            self._device.close()
            self._device = None

    def _opened_device(self) -> CudaDevice:
        if self._device is None:
            raise BackendUnavailableError(f"{self._graph_file.path} was closed: open it again")
        return self._device

    def _allocated(self, device: CudaDevice) -> dict[str, "_Buffer"]:
        """Memory for the largest of every tensor; all sizes of P share it."""
        shapes = dict(self._largest)
        context = self._context(tuple(shapes[spec.name] for spec in self._inputs))
        for spec in self._outputs:
            shapes[spec.name] = tuple(int(size) for size in context.get_tensor_shape(spec.name))
        sizes = {
            spec.name: max(num_bytes(shapes[spec.name], spec.dtype), 1)
            for spec in (*self._inputs, *self._outputs)
        }
        return {
            name: _Buffer(device=device.device_memory(size), host=device.host_memory(size))
            for name, size in sizes.items()
        }

    def _context(self, shapes: _Shapes) -> Any:
        """A context for inputs of these shapes; one for each P, as a captured graph holds on to it."""
        config = self._engine.create_runtime_config()
        strategies = getattr(
            self._library.module, "DynamicShapesKernelSpecializationStrategy", None
        )
        if strategies is not None and hasattr(
            config, "dynamic_shapes_kernel_specialization_strategy"
        ):
            # TensorRT-RTX would compile the kernels for a shape beside the first runs, and the general
            # ones would be captured.
            config.dynamic_shapes_kernel_specialization_strategy = strategies.EAGER
        context = self._engine.create_execution_context(config)
        if context is None:
            raise BackendUnavailableError(
                f"no GPU memory for {self._graph_file.path}: close other programs that use the GPU, or take an "
                "engine in fp16 or for fewer people"
            )
        for spec, shape in zip(self._inputs, shapes, strict=True):
            if not _fits(spec.shape, shape) or not context.set_input_shape(spec.name, shape):
                raise EngineError(
                    f"{self._graph_file.path}: {spec.name} has the shape {shape}, expected {spec.shape} up to "
                    f"{self._largest[spec.name]}: lower --max-people, or rebuild it for more"
                )
        return context

    def _prepared(self, device: CudaDevice, shapes: _Shapes) -> "_Launch":
        context = self._context(shapes)
        tensors = []
        for spec in (*self._inputs, *self._outputs):
            buffer = self._buffers[spec.name]
            shape = tuple(int(size) for size in context.get_tensor_shape(spec.name))
            context.set_tensor_address(spec.name, buffer.device)
            tensors.append(_Tensor(spec, shape, buffer))
        count = len(self._inputs)
        return _Launch(device, context, tensors[:count], tensors[count:])


@dataclass(frozen=True, slots=True)
class _Buffer:
    """Addresses of one tensor on both sides."""

    device: int
    host: int


class _Tensor:
    """One input or output in one size: where it lies, and its host side as an array."""

    def __init__(self, spec: TensorSpec, shape: tuple[int, ...], buffer: _Buffer) -> None:
        self.name = spec.name
        self.buffer = buffer
        self.num_bytes = num_bytes(shape, spec.dtype)
        memory = (ctypes.c_uint8 * self.num_bytes).from_address(buffer.host)
        flat: AnyArray = np.ctypeslib.as_array(memory)
        self.array = flat.view(spec.dtype).reshape(shape)


class _Launch:
    """Everything a run of one size does: up, compute, down."""

    def __init__(
        self, device: CudaDevice, context: Any, inputs: list[_Tensor], outputs: list[_Tensor]
    ) -> None:
        self._device = device
        self._context = context
        self._inputs = inputs
        self._outputs = outputs
        for tensor in inputs:
            tensor.array[...] = 0
        # The first run sets things up that must not be captured.
        self._queue()
        device.wait()
        self._launch = self._queue
        try:
            self._launch = device.captured(self._queue)
        except BackendUnavailableError as error:
            # Same results, some ten microseconds more for each kernel.
            logger.warning("runs without a CUDA graph: %s", error)

    def run(self, feeds: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
        for tensor in self._inputs:
            np.copyto(tensor.array, feeds[tensor.name], casting="no")
        self._launch()
        self._device.wait()
        return {tensor.name: tensor.array.copy() for tensor in self._outputs}

    def _queue(self) -> None:
        for tensor in self._inputs:
            self._device.upload(tensor.buffer.device, tensor.buffer.host, tensor.num_bytes)
        if not self._context.execute_async_v3(self._device.stream):
            raise BackendUnavailableError(
                "TensorRT could not queue the engine: start with --log-level debug for its reason"
            )
        for tensor in self._outputs:
            self._device.download(tensor.buffer.host, tensor.buffer.device, tensor.num_bytes)


def _fits(stated: tuple[int | str, ...], found: tuple[int, ...]) -> bool:
    return len(stated) == len(found) and all(
        isinstance(size, str) or size == given for size, given in zip(stated, found, strict=True)
    )
