"""ONNX Runtime where arrays stay in the computer's own memory: on the CPU, and with CoreML."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from realtime_vibe.backends.base import AnyArray, OpenSession
from realtime_vibe.backends.onnxruntime_library import COREML_OPTIONS, specs, start_session
from realtime_vibe.errors import EngineError, one_line


class OnnxRuntimeSession(OpenSession):
    """Runs one `.onnx` file on the `CPU` or `CoreML` provider.

    Raises:
        BackendUnavailableError: ONNX Runtime or the provider is not installed.
        EngineError: the file is not a graph that ONNX Runtime can load.
    """

    def __init__(self, path: Path, *, provider: str = "CPU", num_threads: int = 2) -> None:
        options = COREML_OPTIONS if provider == "CoreML" else {}
        self._session: Any = start_session(path, provider, num_threads, options)
        self._path, self._provider = path, provider
        self._inputs = specs(self._session.get_inputs())
        self._outputs = specs(self._session.get_outputs())
        self._output_names = [spec.name for spec in self._outputs]

    @property
    def backend(self) -> str:
        """`onnxruntime:CPU` or `onnxruntime:CoreML`."""
        return f"onnxruntime:{self._provider}"

    def run(self, feeds: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
        """Runs the graph once; see `InferenceSession.run`.

        Raises:
            EngineError: the graph fails on these inputs.
        """
        try:
            results = self._session.run(self._output_names, dict(feeds))
        except Exception as error:  # the library's classes have no other one in common
            said = one_line(str(error))
            raise EngineError(f"{self._path} cannot be run by ONNX Runtime: {said}") from error
        return dict(zip(self._output_names, results, strict=True))

    def close(self) -> None:
        """Frees the graph; may be called twice."""
        self._session = None
