"""Starts ONNX Runtime with one provider, and refuses what it would do without that provider."""

import contextlib
import io
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from realtime_vibe.backends.base import TensorSpec
from realtime_vibe.errors import BackendUnavailableError, EngineError
from realtime_vibe.system.machine import install_command

logger = logging.getLogger(__name__)

CUDA_OPTIONS: Mapping[str, str] = {
    "use_tf32": "0",  # ten bits of mantissa would pass for fp32 otherwise
    "cudnn_conv_algo_search": "EXHAUSTIVE",  # once, at the first run of each shape
    "cudnn_conv_use_max_workspace": "1",
}
COREML_OPTIONS: Mapping[str, str] = {"ModelFormat": "MLProgram", "MLComputeUnits": "ALL"}

_HEAVY = frozenset(
    {"Conv", "ConvTranspose", "Gemm", "MatMul", "GRU", "LSTM", "QLinearConv", "QLinearMatMul"}
)
"""What a provider is there for; shapes and indices may be worked out on the CPU."""

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(uint8)": "uint8",
    "tensor(int8)": "int8",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(bool)": "bool",
}

_CURES = {
    "CUDA": f"pip uninstall -y onnxruntime && {install_command('gpu')}",
    "CoreML": f"use it on macOS with {install_command('cpu')}",
}


def load_onnxruntime() -> Any:
    """The module `onnxruntime`.

    Raises:
        BackendUnavailableError: it is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise BackendUnavailableError(
            f"onnxruntime is not installed: {install_command('cpu')} (or [gpu] for CUDA, never both)"
        ) from error
    return onnxruntime


def start_session(
    path: Path, provider: str, num_threads: int, provider_options: Mapping[str, str]
) -> Any:
    """An `onnxruntime.InferenceSession` that runs on the provider (`CPU`, `CUDA` or `CoreML`) or not at all.

    Raises:
        BackendUnavailableError: ONNX Runtime or the provider is not installed, or does not run the graph.
        EngineError: the file is not a graph that ONNX Runtime can load.
    """
    ort = load_onnxruntime()
    wanted = f"{provider}ExecutionProvider"
    available = ort.get_available_providers()
    if wanted not in available:
        raise BackendUnavailableError(
            f"this onnxruntime has no {wanted} (it has {', '.join(available)}): "
            f"{_CURES.get(provider, 'reinstall it')}"
        )
    if provider == "CUDA" and hasattr(ort, "preload_dlls"):
        # CUDA and cuDNN out of NVIDIA's packages, where they are installed; what it misses it prints.
        with contextlib.redirect_stdout(io.StringIO()) as said:
            ort.preload_dlls()
        logger.debug("onnxruntime.preload_dlls: %s", said.getvalue().strip() or "done")
    options = _session_options(ort, num_threads)
    try:
        session = ort.InferenceSession(
            str(path),
            options,
            providers=[(wanted, dict(provider_options))],
            enable_fallback=0,  # else a run that fails is printed and repeated on the CPU
        )
    except Exception as error:  # ORT raises its own undocumented classes
        raise EngineError(
            f"{path} cannot be loaded by ONNX Runtime: {first_line(error)}"
        ) from error
    _require_provider(session, provider, wanted)
    return session


def specs(nodes: Any) -> tuple[TensorSpec, ...]:
    """Inputs or outputs of a session."""
    return tuple(
        TensorSpec(
            name=node.name,
            shape=tuple(size if isinstance(size, int) else str(size) for size in node.shape),
            dtype=_DTYPES.get(node.type, node.type),
        )
        for node in nodes
    )


def first_line(error: Exception) -> str:
    """The part of ONNX Runtime's messages that fits in a line."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _session_options(ort: Any, num_threads: int) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "1")
    # Spinning workers take the next operator at once; a sleeping virtual CPU is slow to wake. But they
    # must rest when the run is over: left alone they burn a core between frames, and even a millisecond
    # of it takes the core that the next network's workers need (2.6 against 3.6 ms for a large GRU).
    options.add_session_config_entry("session.force_spinning_stop", "1")
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    return options


def _require_provider(session: Any, provider: str, wanted: str) -> None:
    """Refuses a session that computes on the CPU what was to be computed elsewhere."""
    if session.get_providers()[0] != wanted:
        # ONNX Runtime only warns and goes on with the CPU; a user who asked for CUDA must know.
        raise BackendUnavailableError(
            f"{wanted} was asked for but ONNX Runtime fell back to "
            f"{session.get_providers()[0]}: check the CUDA and cuDNN versions"
        )
    if provider == "CPU" or not hasattr(session, "get_provider_graph_assignment_info"):
        return  # releases before 1.24 do not tell
    heavy = [
        part.ep_name
        for part in session.get_provider_graph_assignment_info()
        for node in part.get_nodes()
        if node.op_type in _HEAVY
    ]
    num_left = sum(name != wanted for name in heavy)
    if heavy and num_left == len(heavy):
        raise BackendUnavailableError(
            f"{wanted} takes none of the graph's {len(heavy)} convolutions and products, all would run on "
            "the CPU: use --backend onnxruntime"
        )
    if num_left:
        logger.warning(
            "%s leaves %d of %d convolutions and products to the CPU", wanted, num_left, len(heavy)
        )
