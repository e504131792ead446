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

_RTX_MODULES = ("tensorrt_rtx", "tensorrt_rtx_bindings")
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
    modules = ("tensorrt",) if backend == "tensorrt" else _RTX_MODULES
    return any(importlib.util.find_spec(name) is not None for name in modules)


def load_tensorrt() -> TensorRt:
    """TensorRT.

    Raises:
        BackendUnavailableError: it is not installed, or one of its libraries is missing.
    """
    return TensorRt(backend="tensorrt", module=_imported("tensorrt", ("tensorrt",)))


def load_tensorrt_rtx() -> TensorRt:
    """TensorRT-RTX, from NVIDIA's own package or from the two on PyPI.

    Raises:
        BackendUnavailableError: it is not installed, or one of its libraries is missing.
    """
    if importlib.util.find_spec("tensorrt_rtx") is None:
        _preload_rtx_libraries()
    return TensorRt(backend="tensorrt-rtx", module=_imported("tensorrt-rtx", _RTX_MODULES))


def _imported(backend: str, modules: tuple[str, ...]) -> Any:
    found = [name for name in modules if importlib.util.find_spec(name) is not None]
    advice = install_command(backend)
    if not found:
        raise BackendUnavailableError(f"{backend} is not installed: {advice}")
    try:
        return importlib.import_module(found[0])
    except (ImportError, OSError) as error:  # OSError: its own look for libraries
        raise BackendUnavailableError(
            f"{backend} cannot be imported ({error}): {advice}"
        ) from error


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
