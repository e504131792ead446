"""Opens an exported graph with the backend the user named."""

import importlib.util
from pathlib import Path

from realtime_vibe.backends.base import InferenceSession
from realtime_vibe.errors import BackendUnavailableError

BACKENDS = ("auto", "onnxruntime", "onnxruntime-cuda")


def open_session(path: Path, backend: str = "auto", *, num_threads: int = 2) -> InferenceSession:
    """Loads a graph.

    Args:
        path: an `.onnx` file.
        backend: one of `BACKENDS`; `auto` takes ONNX Runtime on the CPU.
        num_threads: threads inside one operator.

    Raises:
        BackendUnavailableError: the name is unknown or the backend is not installed.
        EngineError: the graph cannot be loaded.
    """
    match backend:
        case "auto" | "onnxruntime":
            from realtime_vibe.backends.onnxruntime_session import OnnxRuntimeSession

            return OnnxRuntimeSession(path, num_threads=num_threads)
        case "onnxruntime-cuda":
            from realtime_vibe.backends.onnxruntime_session import OnnxRuntimeSession

            return OnnxRuntimeSession(path, provider="CUDA", num_threads=num_threads)
        case _:
            raise BackendUnavailableError(
                f"unknown backend '{backend}': expected one of {', '.join(BACKENDS)}"
            )


def installed_backends() -> tuple[str, ...]:
    """The names of the backends whose library can be imported here."""
    if importlib.util.find_spec("onnxruntime") is None:
        return ()
    import onnxruntime as ort

    names = ["onnxruntime"]
    if "CUDAExecutionProvider" in ort.get_available_providers():
        names.append("onnxruntime-cuda")
    return tuple(names)
