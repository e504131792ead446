"""What this computer is, which versions run on it (stated beside every measured number), and how to add a part."""

import json
import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

_REPORTED_PACKAGES = (
    "realtime-vibe", "numpy", "opencv-contrib-python", "onnxruntime", "onnxruntime-gpu", "openvino",
    "tensorrt-cu13-bindings", "tensorrt-rtx-cu13-bindings", "open3d-cpu", "open3d", "mediapipe", "torch",
)  # fmt: skip

NAME = "realtime-vibe"
_CHECKOUT = Path(__file__).resolve().parents[2]


def machine_facts() -> dict[str, str | int]:
    """Processor, number of usable cores and operating system."""
    return {
        "cpu": _cpu_name(),
        "cores": usable_cores(),
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
    }


def installed_versions() -> dict[str, str]:
    """Version of Python and of each installed package that can change a result or a timing."""
    versions = {"python": platform.python_version()}
    for name in _REPORTED_PACKAGES:
        version = package_version(name)
        if version is not None:
            versions[name] = version
    return versions


def package_version(name: str) -> str | None:
    """The installed version of a distribution, without importing it; None when it is absent."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def usable_cores() -> int:
    """The cores this process may run on, which can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu_name() -> str:
    try:
        # platform.processor() is empty on Linux.
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()


def install_command(extra: str) -> str:
    """The command that installs an extra such as `viewer`, ready to paste.

    The project is on no index, so pip has to be given the checkout, or the wheel this was installed from.
    """
    if (_CHECKOUT / "pyproject.toml").is_file():
        what, option = str(_CHECKOUT), "-e "
    else:
        what, option = _installed_from() or "realtime_vibe-VERSION-py3-none-any.whl", ""
    python = f'"{sys.executable}"' if " " in sys.executable else sys.executable or "python"
    return f'{python} -m pip install {option}"{what}[{extra}]"'


def _installed_from() -> str | None:
    """The wheel or folder that pip was given, as pip noted it."""
    try:
        noted = metadata.distribution(NAME).read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        return None
    url = json.loads(noted).get("url", "") if noted else ""
    return url2pathname(urlsplit(url).path) if url.startswith("file:") else None
