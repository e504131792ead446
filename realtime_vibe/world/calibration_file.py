"""Calibrations on disk: one small JSON file per camera and picture size."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from realtime_vibe.errors import OutputError
from realtime_vibe.system.file_boundary import file_boundary, read_regular
from realtime_vibe.system.folders import settings_folder
from realtime_vibe.system.placing import write_atomically
from realtime_vibe.world.calibration import Calibration

_FORMAT, _VERSION = "realtime-vibe calibration", 1
_MAX_BYTES = 1 << 20


def calibration_folder() -> Path:
    """A folder in the user's settings; need not exist."""
    return settings_folder() / "calibration"


def calibration_path(camera: str, image_size: tuple[int, int], engine: str) -> Path:
    """The file of a camera (product name) at one picture size (width, height) [px], for shapes of an engine's body."""
    words = f"{camera}-{image_size[0]}x{image_size[1]}-{engine}"
    return (
        calibration_folder() / f"{re.sub(r'[^A-Za-z0-9._-]+', '-', words).strip('-.')[:150]}.json"
    )


def save_calibration(path: Path, calibration: Calibration) -> None:
    """Writes a calibration, whole or not at all.

    Raises:
        OutputError: the folder or the file cannot be written.
    """
    document = {
        "format": _FORMAT,
        "version": _VERSION,
        "T_world_camera": calibration.T_world_camera.tolist(),
        "betas": calibration.betas.tolist(),
        "scale": calibration.scale,
        "shift": calibration.shift.tolist(),
        "focal_share": calibration.focal_share,
        "height_m": calibration.height_m,
    }
    text = json.dumps(document, indent=1)
    with file_boundary(path, OutputError, "it holds for this run", fault="cannot be written"):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda file: file.write(text.encode()), overwrite=True)


def load_calibration(path: Path) -> Calibration | None:
    """Reads a calibration; None where there is none.

    Raises:
        OutputError: the file is damaged or of another version.
    """
    with file_boundary(path, OutputError, "delete it and calibrate again"):
        try:
            document: Any = json.loads(read_regular(path, _MAX_BYTES))
        except FileNotFoundError:
            return None
        if (document["format"], document["version"]) != (_FORMAT, _VERSION):
            raise ValueError("it is not a calibration of this version")
        share = document["focal_share"]
        return Calibration(
            T_world_camera=np.array(document["T_world_camera"], np.float32),
            betas=np.array(document["betas"], np.float32),
            scale=float(document["scale"]),
            shift=np.array(document["shift"], np.float32),
            focal_share=None if share is None else float(share),
            height_m=float(document["height_m"]),
        )
