"""Opens an exported graph with the backend the user named."""

import importlib.util
from pathlib import Path

from realtime_vibe.backends.base import InferenceSession
from realtime_vibe.backends.build import GraphFile
from realtime_vibe.errors import BackendUnavailableError

BACKENDS = (
    "auto",
    "onnxruntime",
    "onnxruntime-cuda",
    "onnxruntime-coreml",
    "openvino",
    "openvino-bf16",
    "tensorrt",
    "tensorrt-rtx",
)


def open_session(path: Path, backend: str = "auto", *, num_threads: int = 2) -> InferenceSession:
    """Loads a graph that no manifest vouches for.

    Args:
        path: an `.onnx` file; for OpenVINO also an `.xml` file.
        backend: one of `BACKENDS`; `auto` takes OpenVINO for `.xml`, else ONNX Runtime on the CPU.
        num_threads: threads inside one operator.

    Raises:
        BackendUnavailableError: the name is unknown or the backend is not installed.
        EngineError: the graph cannot be loaded.
    """
    if backend == "auto":
        backend = "openvino" if path.suffix == ".xml" else "onnxruntime"
    return open_file(GraphFile(path=path), backend, num_threads)


def open_file(file: GraphFile, backend: str, num_threads: int) -> InferenceSession:
    """Loads a graph with one backend.

    Args:
        file: the graph.
        backend: one of `BACKENDS` but `auto`.
        num_threads: threads inside one operator.

    Raises:
        BackendUnavailableError: the name is unknown, or the backend is not installed or cannot run here.
        EngineError: the graph cannot be loaded.
    """
    match backend:
        case "onnxruntime" | "onnxruntime-coreml":
            from realtime_vibe.backends.onnxruntime_session import OnnxRuntimeSession

            provider = "CoreML" if backend.endswith("coreml") else "CPU"
            return OnnxRuntimeSession(file.path, provider=provider, num_threads=num_threads)
        case "onnxruntime-cuda":
            from realtime_vibe.backends.onnxruntime_cuda import OnnxRuntimeCudaSession

            return OnnxRuntimeCudaSession(file.path, num_threads=num_threads)
        case "openvino" | "openvino-bf16":
            from realtime_vibe.backends.openvino_library import require_release
            from realtime_vibe.backends.openvino_session import OpenVinoSession

            require_release(file)
            precision = "bf16" if backend.endswith("bf16") else "f32"
            return OpenVinoSession(file.path, precision=precision, num_threads=num_threads)
        case "tensorrt" | "tensorrt-rtx":
            from realtime_vibe.backends import tensorrt_library
            from realtime_vibe.backends.tensorrt_session import TensorRtSession

            is_rtx = backend.endswith("rtx")
            load = tensorrt_library.load_tensorrt_rtx if is_rtx else tensorrt_library.load_tensorrt
            return TensorRtSession(file, load())
        case _:
            raise BackendUnavailableError(
                f"unknown backend '{backend}': expected one of {', '.join(BACKENDS)}"
            )


def installed_backends() -> tuple[str, ...]:
    """The names of the backends whose library and processor are here."""
    return (*_onnxruntime_backends(), *_openvino_backends(), *_tensorrt_backends())


def _onnxruntime_backends() -> tuple[str, ...]:
    if importlib.util.find_spec("onnxruntime") is None:
        return ()
    import onnxruntime as ort

    here = ort.get_available_providers()
    providers = {"-cuda": "CUDAExecutionProvider", "-coreml": "CoreMLExecutionProvider"}
    others = (f"onnxruntime{name}" for name, provider in providers.items() if provider in here)
    return ("onnxruntime", *others)


def _openvino_backends() -> tuple[str, ...]:
    from realtime_vibe.backends.openvino_library import is_openvino_installed

    if not is_openvino_installed():
        return ()
    from realtime_vibe.backends.openvino_session import has_precision

    return ("openvino", "openvino-bf16") if has_precision("bf16") else ("openvino",)


def _tensorrt_backends() -> tuple[str, ...]:
    from realtime_vibe.backends.cuda_driver import has_driver
    from realtime_vibe.backends.tensorrt_library import is_installed

    if not has_driver():
        return ()
    return tuple(name for name in ("tensorrt", "tensorrt-rtx") if is_installed(name))
