"""ONNX Runtime on an NVIDIA GPU: tensors that stay where they are, and a captured graph of kernels.

Legend: P people, the one size that graphs leave free.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from realtime_vibe.backends.base import AnyArray, OpenSession, TensorSpec
from realtime_vibe.backends.onnxruntime_library import (
    CUDA_OPTIONS,
    first_line,
    load_onnxruntime,
    specs,
    start_session,
)
from realtime_vibe.errors import BackendUnavailableError, EngineError, RealtimeVibeError

logger = logging.getLogger(__name__)

_Shapes = tuple[tuple[int, ...], ...]


class OnnxRuntimeCudaSession(OpenSession):
    """Runs one `.onnx` file with inputs and outputs that live on the GPU.

    Every number of people has its own tensors, taken when it is first seen; after that a run allocates
    nothing but the arrays the caller gets. Provider `CPU` runs the same way through main memory.

    Raises:
        BackendUnavailableError: ONNX Runtime or CUDA is not installed.
        EngineError: the file is not a graph that ONNX Runtime can load.
    """

    def __init__(self, path: Path, *, num_threads: int = 2, provider: str = "CUDA") -> None:
        self._ort = load_onnxruntime()
        self._path = path
        self._provider = provider
        self._has_cuda_graph = provider == "CUDA"
        try:
            self._session: Any = self._started(num_threads)
        except RealtimeVibeError as error:
            if not self._has_cuda_graph:
                raise
            # Graphs with a part on the CPU cannot be captured; whatever else is wrong is raised again.
            self._has_cuda_graph = False
            self._session = self._started(num_threads)
            logger.info("%s runs without a CUDA graph: %s", path.name, error)
        self._inputs = specs(self._session.get_inputs())
        self._outputs = specs(self._session.get_outputs())
        self._bindings: dict[_Shapes, _Binding] = {}

    @property
    def backend(self) -> str:
        """`onnxruntime:CUDA:graph`, or without its last part where nothing is captured."""
        return f"onnxruntime:{self._provider}{':graph' if self._has_cuda_graph else ''}"

    def run(self, feeds: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
        """Runs the graph once; see `InferenceSession.run`.

        Raises:
            BackendUnavailableError: the GPU's memory is full, or it failed.
        """
        shapes = tuple(feeds[spec.name].shape for spec in self._inputs)
        try:
            binding = self._bindings.get(shapes)
            if binding is None:
                binding = self._bindings[shapes] = self._bound(shapes)
            return binding.run(self._session, feeds)
        except (RealtimeVibeError, TypeError):
            raise
        except Exception as error:  # ORT raises its own undocumented classes
            raise _run_error(self._path, error) from error

    def close(self) -> None:
        """Frees the graph; may be called twice."""
        self._bindings.clear()
        self._session = None

    def _started(self, num_threads: int) -> Any:
        options = dict(CUDA_OPTIONS) if self._provider == "CUDA" else {}
        if self._has_cuda_graph:
            options["enable_cuda_graph"] = "1"
        return start_session(self._path, self._provider, num_threads, options)

    def _bound(self, shapes: _Shapes) -> "_Binding":
        sizes = _free_sizes(self._inputs, shapes)
        device = self._provider.lower()

        def tensor(spec: TensorSpec) -> Any:
            shape = _with_sizes(spec.shape, sizes)
            if None in shape:
                raise EngineError(
                    f"{self._path}: output {spec.name} has the shape {spec.shape}, expected only sizes that "
                    "an input has too: export it again"
                )
            return self._ort.OrtValue.ortvalue_from_shape_and_type(
                list(shape), np.dtype(spec.dtype), device, 0
            )

        options = self._ort.RunOptions()
        if self._has_cuda_graph:
            # Captured once for each number.
            options.add_run_config_entry("gpu_graph_id", str(len(self._bindings) + 1))
        return _Binding(
            self._session.io_binding(),
            [(spec, tensor(spec)) for spec in self._inputs],
            [(spec.name, tensor(spec)) for spec in self._outputs],
            options,
        )


class _Binding:
    """Tensors of one size, bound to the session's inputs and outputs."""

    def __init__(
        self,
        binding: Any,
        inputs: list[tuple[TensorSpec, Any]],
        outputs: list[tuple[str, Any]],
        options: Any,
    ) -> None:
        self._binding = binding
        self._inputs = inputs
        self._outputs = outputs
        self._options = options
        for spec, value in inputs:
            binding.bind_ortvalue_input(spec.name, value)
        for name, value in outputs:
            binding.bind_ortvalue_output(name, value)

    def run(self, session: Any, feeds: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
        for spec, value in self._inputs:
            feed = feeds[spec.name]
            if feed.dtype != spec.dtype:  # the copy would only look at the bytes
                raise TypeError(f"{spec.name} is {feed.dtype}, expected {spec.dtype}")
            value.update_inplace(feed)
        session.run_with_iobinding(self._binding, self._options)
        # On the CPU `numpy` shows the tensor itself, which the next run overwrites.
        return {name: np.array(value.numpy()) for name, value in self._outputs}


def _free_sizes(inputs: tuple[TensorSpec, ...], shapes: _Shapes) -> dict[str, int]:
    """What the free sizes are in a run, by name."""
    sizes: dict[str, int] = {}
    for spec, shape in zip(inputs, shapes, strict=True):
        for stated, found in zip(spec.shape, shape, strict=False):
            if isinstance(stated, str):
                sizes.setdefault(stated, found)
        if shape != _with_sizes(spec.shape, sizes):
            raise EngineError(f"{spec.name} has the shape {shape}, expected {spec.shape}")
    return sizes


def _with_sizes(shape: tuple[int | str, ...], sizes: Mapping[str, int]) -> tuple[int | None, ...]:
    """None where a size is in no input."""
    return tuple(size if isinstance(size, int) else sizes.get(size) for size in shape)


def _run_error(path: Path, error: Exception) -> BackendUnavailableError:
    text = first_line(error)
    if any(sign in str(error).lower() for sign in ("out of memory", "failed to allocate")):
        advice = "close other programs that use the GPU, or use --backend onnxruntime"
    else:
        advice = "check the driver with nvidia-smi, or use --backend onnxruntime"
    return BackendUnavailableError(f"CUDA could not run {path.name} ({text}): {advice}")
