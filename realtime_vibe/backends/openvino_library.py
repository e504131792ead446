"""Imports OpenVINO without its telemetry.

`import openvino` sends a usage event to Google Analytics and writes an identity into the user's home
(`~/intel`) unless the user once ran `opt_in_out --opt_out`. There is no setting for programs. Where the
package `openvino_telemetry` is absent OpenVINO uses its own stand-in, which does nothing.
"""

import functools
import importlib
import importlib.util
import re
import sys
from typing import Any

from realtime_vibe.backends.graph import Graph
from realtime_vibe.errors import BackendUnavailableError, EngineError
from realtime_vibe.system.machine import install_command

_TELEMETRY = "openvino_telemetry"
INSTALL_OPENVINO = install_command("openvino")


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
        BackendUnavailableError: OpenVINO is not installed or broken.
    """
    return _core(load_openvino())


@functools.cache
def _core(openvino: Any) -> Any:
    return openvino.Core()


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
