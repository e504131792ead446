"""Opens an exported graph with the backend the user named, or with the fastest."""

import importlib.util
import itertools
import logging
from pathlib import Path

from realtime_vibe.backends.base import InferenceSession
from realtime_vibe.backends.fastest import ChoiceCache, cache_file, open_fastest
from realtime_vibe.backends.graph import BACKENDS_OF_TARGETS, Graph, resolved
from realtime_vibe.errors import BackendUnavailableError

logger = logging.getLogger(__name__)

BACKENDS = ("auto", *dict.fromkeys(itertools.chain.from_iterable(BACKENDS_OF_TARGETS.values())))


def open_session(
    graph: Graph | Path, backend: str = "auto", *, num_threads: int = 2
) -> InferenceSession:
    """Loads a graph.

    Args:
        graph: as its folder describes it, or the path of an `.onnx` file, for OpenVINO also of an `.xml` file.
        backend: one of `BACKENDS`. `auto` measures the installed backends that fit a graph when it first
            meets it on this machine, for a fifth of a second, and keeps the choice; for a path it takes
            OpenVINO for `.xml`, else ONNX Runtime on the CPU.

    Raises:
        BackendUnavailableError: the name is unknown, or the backend is not installed or cannot run here.
        EngineError: the graph cannot be loaded, or was built for another backend or machine.
    """
    if backend not in BACKENDS:
        raise BackendUnavailableError(
            f"unknown backend '{backend}': expected one of {', '.join(BACKENDS)}"
        )
    if isinstance(graph, Path):
        if backend == "auto":
            backend = "openvino" if graph.suffix == ".xml" else "onnxruntime"
        return _open_with(backend, Graph(path=graph), num_threads)
    if backend != "auto":
        return _open_with(resolved(graph, backend), graph, num_threads)
    return open_fastest(
        graph,
        installed_backends(),
        ChoiceCache(cache_file()),
        num_threads=num_threads,
        open_with=_open_with,
    )


def _open_with(backend: str, graph: Graph, num_threads: int) -> InferenceSession:
    match backend:
        case "onnxruntime" | "onnxruntime-coreml":
            from realtime_vibe.backends.onnxruntime_session import OnnxRuntimeSession

            provider = "CoreML" if backend.endswith("coreml") else "CPU"
            return OnnxRuntimeSession(graph.path, provider=provider, num_threads=num_threads)
        case "onnxruntime-cuda":
            from realtime_vibe.backends.onnxruntime_cuda import OnnxRuntimeCudaSession

            return OnnxRuntimeCudaSession(graph.path, num_threads=num_threads)
        case "openvino" | "openvino-bf16":
            from realtime_vibe.backends.openvino_session import OpenVinoSession, require_release

            require_release(graph)
            precision = "bf16" if backend.endswith("bf16") else "f32"
            return OpenVinoSession(graph.path, precision=precision, num_threads=num_threads)
        case "tensorrt" | "tensorrt-rtx":
            from realtime_vibe.backends.tensorrt_library import load_tensorrt
            from realtime_vibe.backends.tensorrt_session import TensorRtSession

            return TensorRtSession(graph, load_tensorrt(backend))
        case _:
            raise ValueError(backend)


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
    from realtime_vibe.backends.openvino_session import is_openvino_installed

    if not is_openvino_installed():
        return ()
    from realtime_vibe.backends.openvino_session import has_precision

    try:
        return ("openvino", "openvino-bf16") if has_precision("bf16") else ("openvino",)
    except BackendUnavailableError as error:
        logger.debug("OpenVINO is left out: %s", error)
        return ()


def _tensorrt_backends() -> tuple[str, ...]:
    from realtime_vibe.backends.cuda_driver import has_driver
    from realtime_vibe.backends.tensorrt_library import is_installed

    if not has_driver():
        return ()
    return tuple(name for name in ("tensorrt", "tensorrt-rtx") if is_installed(name))
