"""Imports TensorRT or TensorRT-RTX, which offer the same interface."""

import ctypes
import importlib
import importlib.util
import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from realtime_vibe.errors import BackendUnavailableError
from realtime_vibe.system.machine import install_command

logger = logging.getLogger(__name__)

_MODULES = {
    "tensorrt": ("tensorrt",),
    "tensorrt-rtx": ("tensorrt_rtx", "tensorrt_rtx_bindings"),
}
_RTX_LIBRARIES = "onnxruntime_ep_nv_tensorrt_rtx"
"""The package on PyPI that carries TensorRT-RTX's libraries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorRt:
    """One of the two libraries."""

    backend: str
    """`tensorrt` or `tensorrt-rtx`."""
    module: Any

    @property
    def version(self) -> str:
        """Such as `11.0.0.114`; engine files open with the very same alone."""
        return str(self.module.__version__)


def is_installed(backend: str) -> bool:
    """Whether the library of `tensorrt` or `tensorrt-rtx` is there, without importing it."""
    return bool(_found(backend))


def load_tensorrt(backend: str) -> TensorRt:
    """TensorRT (`tensorrt`), or TensorRT-RTX (`tensorrt-rtx`) from NVIDIA's own package or from the two on PyPI.

    Raises:
        BackendUnavailableError: it is not installed, or one of its libraries is missing.
    """
    found, advice = _found(backend), install_command(backend)
    if not found:
        raise BackendUnavailableError(f"{backend} is not installed: {advice}")
    if found[0] == "tensorrt_rtx_bindings":
        _preload_rtx_libraries()
    try:
        return TensorRt(backend=backend, module=importlib.import_module(found[0]))
    except (ImportError, OSError) as error:  # OSError: its own look for libraries
        raise BackendUnavailableError(
            f"{backend} cannot be imported ({error}): {advice}"
        ) from error


def _found(backend: str) -> list[str]:
    return [name for name in _MODULES[backend] if importlib.util.find_spec(name) is not None]


def _preload_rtx_libraries() -> None:
    """Loads the libraries that the bindings look for, in the order in which they need each other."""
    package = importlib.util.find_spec(_RTX_LIBRARIES)
    if package is None or package.origin is None or sys.platform == "win32":
        return
    folder = Path(package.origin).parent
    for pattern in ("libcudart.so.*", "libtensorrt_rtx.so.*", "libtensorrt_onnxparser_rtx.so.*"):
        for path in sorted(folder.glob(pattern)):
            try:
                ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
            except OSError as error:  # the import after this says what is missing
                logger.debug("%s cannot be loaded: %s", path, error)
