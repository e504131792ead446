"""Gets BlazePose's landmark networks out of the pinned npm package `@mediapipe/pose`.

It holds all three sizes (Apache-2.0); `full` is byte for byte the wheel's. The package is only
unpacked, never installed.
"""

import tarfile
from pathlib import Path

from export.blazepose_source import MAX_MODEL_BYTES, check_sha256, downloaded
from realtime_vibe.errors import ExportError
from realtime_vibe.system.file_boundary import file_boundary, open_regular

PACKAGE = "@mediapipe/pose@0.5.1675469404"
_PACKAGE_SHA256 = "8bb349a7b3a3ba699df23be804ddd3b3eab810b50b15406894be257859388a84"
NPM_TFLITE_SHA256 = {
    "lite": "f17bfbecadb61c3be1baa8b8d851cc6619c870a87167b32848ad20db306b9d61",
    "full": "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
    "heavy": "59e42d71bcd44cbdbabc419f0ff76686595fd265419566bd4009ef703ea8e1fe",
}
"""By the model."""


def member_name(model: str) -> str:
    """A model's file in the package."""
    return f"package/pose_landmark_{model}.tflite"


def fetch_landmarks(model: str, folder: Path, package: Path | None = None) -> Path:
    """Unpacks one landmark network.

    Args:
        package: a `.tgz` of the package; downloaded with npm when left out.

    Raises:
        ExportError: the download fails, or the file is not the one this project was built with.
    """
    if package is None:
        command = ["npm", "pack", "--silent", "--pack-destination", str(folder), PACKAGE]
        package = downloaded("npm", command, folder, PACKAGE)
        check_sha256(package.name, package.read_bytes(), _PACKAGE_SHA256, PACKAGE)
    name = member_name(model)
    with (
        file_boundary(package, ExportError, fault=f"is not a package of {PACKAGE}"),
        open_regular(package) as file,
        tarfile.open(fileobj=file, mode="r:gz") as archive,
    ):
        member = archive.extractfile(name)
        data = b"" if member is None else member.read(MAX_MODEL_BYTES)
    check_sha256(name, data, NPM_TFLITE_SHA256[model], PACKAGE)
    path = folder / Path(name).name
    path.write_bytes(data)
    return path
