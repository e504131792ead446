"""Imports OpenVINO without its telemetry.

`import openvino` sends a usage event to Google Analytics and writes an identity into the user's home
(`~/intel`) unless the user once ran `opt_in_out --opt_out`. There is no setting for programs. Where the
package `openvino_telemetry` is absent OpenVINO uses its own stand-in, which does nothing.
"""

import importlib
import importlib.util
import sys
from typing import Any

from realtime_vibe.errors import BackendUnavailableError

_TELEMETRY = "openvino_telemetry"
INSTALL_OPENVINO = "pip install 'realtime-vibe[openvino]'"


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
