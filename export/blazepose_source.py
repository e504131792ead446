"""Gets BlazePose's two TensorFlow Lite files out of the pinned MediaPipe wheel.

Later wheels carry no models; this release is the last on PyPI that does (Apache-2.0). It is only
unpacked, never installed: its own pins (NumPy 1) do not fit beside this project.
"""

import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from realtime_vibe.errors import ExportError
from realtime_vibe.system.file_boundary import file_boundary, open_regular

REQUIREMENT = "mediapipe==0.10.21"
MAX_MODEL_BYTES = 100_000_000
"""What is larger is no model of MediaPipe's, and never unpacked as a whole."""
_WHEEL_TAGS = ("--python-version=311", "--implementation=cp", "--platform=manylinux_2_28_x86_64")
_WHEEL_SHA256 = "05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3"
_OPTIONS = {"pip": "--wheel", "npm": "--package"}
_DETECTOR = "mediapipe/modules/pose_detection/pose_detection.tflite"
_LANDMARKS = "mediapipe/modules/pose_landmark/pose_landmark_full.tflite"
TFLITE_SHA256 = {
    _DETECTOR: "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
    _LANDMARKS: "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BlazePoseFiles:
    """The unpacked originals."""

    detector: Path
    landmarks: Path


def check_sha256(name: str, data: bytes, expected: str, origin: str) -> None:
    """Refuses other bytes than those that this project was built with.

    Args:
        expected: hexadecimal sha256.
        origin: the package and version that it should come from.

    Raises:
        ExportError: the content is another.
    """
    got = hashlib.sha256(data).hexdigest()
    if got != expected:
        raise ExportError(f"{name} has sha256 {got}, expected {expected}: not from {origin}")


def fetch_blazepose(folder: Path, wheel: Path | None = None) -> BlazePoseFiles:
    """Unpacks the two files.

    Args:
        wheel: a MediaPipe 0.10.21 wheel for any platform; downloaded with pip when left out.

    Raises:
        ExportError: the download fails, or a file is not the one this project was built with.
    """
    if wheel is None:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary=:all:", *_WHEEL_TAGS, "--dest", str(folder), REQUIREMENT]
        wheel = downloaded("pip", command, folder, REQUIREMENT)
        check_sha256(wheel.name, wheel.read_bytes(), _WHEEL_SHA256, REQUIREMENT)
    with (
        file_boundary(wheel, ExportError, fault=f"is not a wheel of {REQUIREMENT}"),
        open_regular(wheel) as file,
        zipfile.ZipFile(file) as archive,
    ):
        contents = {member: _unpacked(archive, member) for member in TFLITE_SHA256}
    paths: dict[str, Path] = {}
    for member, data in contents.items():
        paths[member] = folder / Path(member).name
        paths[member].write_bytes(data)
    return BlazePoseFiles(detector=paths[_DETECTOR], landmarks=paths[_LANDMARKS])


def _unpacked(archive: zipfile.ZipFile, member: str) -> bytes:
    with archive.open(member) as file:
        data = file.read(MAX_MODEL_BYTES)
    check_sha256(member, data, TFLITE_SHA256[member], REQUIREMENT)
    return data


def downloaded(tool: str, command: Sequence[str], folder: Path, origin: str) -> Path:
    """The package that a command puts into a folder.

    Raises:
        ExportError: it does not; says why, as far as it does.
    """
    before = set(folder.iterdir())
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        said, is_done = result.stderr, result.returncode == 0
    except OSError as error:
        said, is_done = str(error), False
    found = sorted(set(folder.iterdir()) - before)
    if not is_done or not found:
        reason = (said.strip().splitlines() or ["no output"])[-1]
        raise ExportError(
            f"{tool} cannot download {origin} ({reason}): fetch it yourself and pass it with "
            f"{_OPTIONS[tool]}"
        )
    return found[0]
