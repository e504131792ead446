"""ONNX Runtime on the CPU or, when asked for, on CUDA."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from realtime_vibe.backends.base import AnyArray, TensorSpec
from realtime_vibe.errors import BackendUnavailableError, EngineError

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(uint8)": "uint8",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(bool)": "bool",
}


class OnnxRuntimeSession:
    """Runs one `.onnx` file.

    Args:
        path: the graph.
        provider: `CPU` or `CUDA`.
        num_threads: threads inside one operator.

    Raises:
        BackendUnavailableError: ONNX Runtime or the provider is not installed.
        EngineError: the file is not a graph that ONNX Runtime can load.
    """

    def __init__(self, path: Path, *, provider: str = "CPU", num_threads: int = 2) -> None:
        try:
            import onnxruntime as ort
        except ImportError as error:
            raise BackendUnavailableError(
                "onnxruntime is not installed: pip install 'realtime-vibe[cpu]' "
                "(or 'realtime-vibe[gpu]' for CUDA, never both)"
            ) from error
        wanted = f"{provider}ExecutionProvider"
        if wanted not in ort.get_available_providers():
            raise BackendUnavailableError(
                f"this onnxruntime has no {wanted} (it has {', '.join(ort.get_available_providers())}): "
                "pip uninstall onnxruntime && pip install 'realtime-vibe[gpu]'"
            )
        options = ort.SessionOptions()
        options.intra_op_num_threads = num_threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "1")
        options.add_session_config_entry(*end_of_spinning(ort.__version__))
        try:
            self._session: Any = ort.InferenceSession(str(path), options, providers=[wanted])
        except Exception as error:  # ORT raises its own undocumented classes
            first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise EngineError(f"{path} cannot be loaded by ONNX Runtime: {first_line}") from error
        if self._session.get_providers()[0] != wanted:
            # ONNX Runtime only warns and goes on with the CPU; a user who asked for CUDA must know.
            raise BackendUnavailableError(
                f"{wanted} was asked for but ONNX Runtime fell back to "
                f"{self._session.get_providers()[0]}: check the CUDA and cuDNN versions"
            )
        self._provider = provider
        self._inputs = tuple(_spec(node) for node in self._session.get_inputs())
        self._outputs = tuple(_spec(node) for node in self._session.get_outputs())
        self._output_names = [spec.name for spec in self._outputs]

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The graph's inputs in order."""
        return self._inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The graph's outputs in order."""
        return self._outputs

    @property
    def backend(self) -> str:
        """`onnxruntime:CPU` or `onnxruntime:CUDA`."""
        return f"onnxruntime:{self._provider}"

    def run(self, feeds: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
        """Runs the graph once; see `InferenceSession.run`."""
        results = self._session.run(self._output_names, dict(feeds))
        return dict(zip(self._output_names, results, strict=True))

    def close(self) -> None:
        """Frees the graph; may be called twice."""
        self._session = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def end_of_spinning(version: str) -> tuple[str, str]:
    """The session entry that sends idle workers to sleep.

    Spinning workers take the next operator at once; a sleeping virtual CPU is slow to wake, which
    costs 2 ms a frame. Left alone they spin longer than a frame lasts and burn a core at 30 frames
    a second. A millisecond bridges the gaps inside a run and is over before the other stages need
    the core.

    Args:
        version: of ONNX Runtime. Before 1.26 it ignores a duration, so that spinning has to stop
            with each run.

    Returns:
        Key and value.
    """
    major, minor = (int(part) for part in version.split(".")[:2])
    if (major, minor) >= (1, 26):
        return "session.intra_op.spin_duration_us", "1000"
    return "session.force_spinning_stop", "1"


def _spec(node: Any) -> TensorSpec:
    shape = tuple(size if isinstance(size, int) else str(size) for size in node.shape)
    return TensorSpec(name=node.name, shape=shape, dtype=_DTYPES.get(node.type, node.type))
