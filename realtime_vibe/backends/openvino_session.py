"""OpenVINO on the CPU, in a stated precision, and imported without its telemetry.

`import openvino` sends a usage event to Google Analytics and writes an identity into the user's home
(`~/intel`) unless the user once ran `opt_in_out --opt_out`. There is no setting for programs. Where the
package `openvino_telemetry` is absent OpenVINO uses its own stand-in, which does nothing.

Legend: P people, the one size that graphs leave free.
"""

import functools
import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from realtime_vibe.backends.base import AnyArray, OpenSession, TensorSpec
from realtime_vibe.backends.graph import Graph
from realtime_vibe.errors import BackendUnavailableError, EngineError
from realtime_vibe.system.machine import install_command

_TELEMETRY = "openvino_telemetry"
INSTALL_OPENVINO = install_command("openvino")

PRECISIONS = {"f32": "FP32", "bf16": "BF16"}
"""What can be computed in, and the CPU capability it needs."""

MOST_FIXED_PEOPLE = 8
"""A graph for a fixed P takes 0.27 ms where the one with a free P takes 0.42 (the default engine's
step); it costs 0.1 s when that many people are seen first. Crowds share one graph with a free P."""

_FREE = "P"
_Shapes = tuple[tuple[int, ...], ...]


def is_openvino_installed() -> bool:
    """Whether OpenVINO is there, without importing it."""
    try:
        return importlib.util.find_spec("openvino") is not None
    except ValueError:  # None in sys.modules: somebody keeps it from being imported
        return False


def load_openvino() -> Any:
    """The module `openvino`.

    For this process the telemetry package counts as not installed, also for what imports it later,
    such as OpenVINO's converters. Nothing can be done where `openvino` was imported before.

    Raises:
        BackendUnavailableError: it is not installed or broken.
    """
    if "openvino" not in sys.modules:
        # None in sys.modules is Python's documented way to make an import fail.
        sys.modules.setdefault(_TELEMETRY, None)  # type: ignore[arg-type]
    try:
        return importlib.import_module("openvino")
    except ImportError as error:
        raise BackendUnavailableError(
            f"openvino cannot be imported ({error}): {INSTALL_OPENVINO}"
        ) from error


def shared_core() -> Any:
    """The one `Core` of this process, never freed.

    Each `Core` gives its thread a larger stack for signals, as wide registers need, and takes it away when
    it is freed. Where several are freed in another order than they were made, the thread keeps a stack
    that no longer exists, and the next Ctrl-C ends the process with a segmentation fault.

    Raises:
        BackendUnavailableError: OpenVINO is not installed or broken, or this process was forked from one that used it.
    """
    core, owner = _core(load_openvino())
    if owner != os.getpid():  # its threads are not in the fork, which would wait for them for ever
        raise BackendUnavailableError(
            "OpenVINO was used before this process was forked: start processes by multiprocessing's 'spawn', or "
            "use --backend onnxruntime"
        )
    return core


@functools.cache
def _core(openvino: Any) -> tuple[Any, int]:
    return openvino.Core(), os.getpid()


def require_release(graph: Graph) -> None:
    """Refuses files that a later OpenVINO wrote; those of earlier ones are read.

    Raises:
        EngineError: the installed release is older than the one that built the file.
        BackendUnavailableError: OpenVINO is not installed or broken.
    """
    built_with = graph.versions.get("openvino")
    if built_with is None:
        return
    here = str(load_openvino().__version__)
    if _release(here) < _release(built_with):
        raise EngineError(
            f"{graph.path} was built with openvino {built_with}, here is {here}: {graph.advice}, or "
            f"{INSTALL_OPENVINO} --upgrade"
        )


def _release(version: str) -> tuple[int, ...]:
    """(2026, 4) of `2026.4.1-22982-...`."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])


class OpenVinoSession(OpenSession):
    """Runs one `.onnx` file, or an `.xml` file with the `.bin` beside it.

    Args:
        precision: one of `PRECISIONS`: what the arithmetic is done in, whatever the graph holds. Left alone
            OpenVINO would take bf16 wherever the CPU has it.

    Raises:
        BackendUnavailableError: OpenVINO is not installed, or the CPU lacks the precision.
        EngineError: the file is not a graph that OpenVINO can load.
    """

    def __init__(self, path: Path, *, precision: str = "f32", num_threads: int = 2) -> None:
        self._core: Any = shared_core()
        if not has_precision(precision):
            raise BackendUnavailableError(
                f"this CPU does not compute in {precision}: use --backend openvino, or an engine of "
                "precision fp32"
            )
        self._path = path
        self._precision = precision
        self._settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": num_threads,
            # A pinned worker waits for whatever else runs on its core, the viewer for instance;
            # without a busy neighbour pinning was measured to bring nothing.
            "ENABLE_CPU_PINNING": False,
        }
        self._model: Any = self._guarded(lambda: self._core.read_model(path), "loaded")
        self._inputs = tuple(_spec(port, port.get_node()) for port in self._model.inputs)
        self._outputs = tuple(_spec(port, port.get_node()) for port in self._model.outputs)
        self._fixed: dict[_Shapes, _FixedRun] = {}
        self._free: Any = None
        # The first frame needs it, and what cannot be compiled is to be known now.
        self._fixed_run(tuple(_with_people(spec.shape, 1) for spec in self._inputs))

    @property
    def backend(self) -> str:
        """`openvino:CPU:f32` or `openvino:CPU:bf16`."""
        return f"openvino:CPU:{self._precision}"

    def run(self, feeds: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
        """Runs the graph once; see `InferenceSession.run`."""
        shapes = tuple(feeds[spec.name].shape for spec in self._inputs)
        if _num_people(self._inputs, shapes) <= MOST_FIXED_PEOPLE:
            fixed = self._fixed_run(shapes)
            answer: dict[str, AnyArray] = self._guarded(lambda: fixed.run(feeds), "run")
            return answer
        if self._free is None:
            self._free = self._compiled(self._model)
        arrays = [feeds[spec.name] for spec in self._inputs]
        self._guarded(lambda: self._free.infer(arrays, share_inputs=True), "run")
        return {
            spec.name: np.array(self._free.get_output_tensor(place).data)
            for place, spec in enumerate(self._outputs)
        }

    def close(self) -> None:
        """Frees the graph; may be called twice."""
        self._fixed.clear()
        self._free = self._model = self._core = None

    def _fixed_run(self, shapes: _Shapes) -> "_FixedRun":
        found = self._fixed.get(shapes)
        if found is None:
            found = self._fixed[shapes] = _FixedRun(
                self._compiled(self._reshaped(shapes)), self._inputs, self._outputs
            )
        return found

    def _reshaped(self, shapes: _Shapes) -> Any:
        if all(isinstance(size, int) for spec in self._inputs for size in spec.shape):
            return self._model
        model = self._model.clone()
        names = (spec.name for spec in self._inputs)
        wanted = dict(zip(names, shapes, strict=True))
        self._guarded(lambda: model.reshape(wanted), f"given the shapes {wanted}")
        return model

    def _compiled(self, model: Any) -> Any:
        compiled = self._guarded(
            lambda: self._core.compile_model(model, "CPU", self._settings), "compiled"
        )
        return compiled.create_infer_request()

    def _guarded(self, action: Any, what: str) -> Any:
        try:
            return action()
        except RuntimeError as error:
            raise EngineError(
                f"{self._path} cannot be {what} by OpenVINO: {_reason(error)}"
            ) from error


class _FixedRun:
    """A compiled graph of fixed shapes with its own memory: a run allocates what the caller gets."""

    def __init__(
        self, request: Any, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]
    ) -> None:
        self._request = request
        self._inputs = [
            (spec.name, request.get_input_tensor(place).data) for place, spec in enumerate(inputs)
        ]
        self._outputs = [
            (spec.name, request.get_output_tensor(place).data) for place, spec in enumerate(outputs)
        ]

    def run(self, feeds: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
        for name, memory in self._inputs:
            np.copyto(memory, feeds[name], casting="no")
        self._request.infer()
        return {name: memory.copy() for name, memory in self._outputs}


def has_precision(precision: str) -> bool:
    """Whether this CPU computes in the precision, rather than in another that OpenVINO falls back to.

    Raises:
        BackendUnavailableError: as of `shared_core`, or it does not know this CPU.
    """
    core = shared_core()
    try:
        return PRECISIONS[precision] in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    except RuntimeError as error:  # such as a plug-in that does not load
        raise BackendUnavailableError(f"OpenVINO cannot use this CPU ({_reason(error)})") from error


def _spec(port: Any, node: Any) -> TensorSpec:
    shape = tuple(
        dimension.get_length() if dimension.is_static else _FREE
        for dimension in port.get_partial_shape()
    )
    dtype = port.get_element_type().to_dtype().name
    return TensorSpec(name=_name(port, node), shape=shape, dtype=dtype)


def _name(port: Any, node: Any) -> str:
    """The graph's own name where several graphs' tools have each left one."""
    names = port.get_names()
    own = str(node.get_friendly_name()).partition("/sink_port_")[0]
    return own if own in names or not names else min(names)


def _with_people(shape: tuple[int | str, ...], num_people: int) -> tuple[int, ...]:
    return tuple(size if isinstance(size, int) else num_people for size in shape)


def _num_people(inputs: tuple[TensorSpec, ...], shapes: _Shapes) -> int:
    """The largest free size; 1 where nothing is free."""
    free = [
        found
        for spec, shape in zip(inputs, shapes, strict=True)
        for stated, found in zip(spec.shape, shape, strict=False)
        if not isinstance(stated, int)
    ]
    return max(free, default=1)


def _reason(error: RuntimeError) -> str:
    """The line of OpenVINO's trace that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = [line for line in lines if not re.match(r"^(Exception from|Check '|.*\.cpp:\d+)", line)]
    return (said or lines or [type(error).__name__])[0]
