"""Single pictures on disk."""

from pathlib import Path

import cv2

from realtime_vibe.errors import OutputError
from realtime_vibe.outputs.placing import write_atomically
from realtime_vibe.packets import ImageArray

SNAPSHOT_SUFFIXES = (".png",)
"""Endings that `save_image` accepts."""
_COMPRESSION = 3
"""Of 9: snapshots must not stall the window, and size matters little."""


def save_image(path: Path, image: ImageArray, *, overwrite: bool = False) -> Path:
    """Writes (H, W, 3) BGR or (H, W, 4) BGRA as PNG to `path`, or beside it where that may not be replaced.

    Raises:
        OutputError: wrong ending, empty picture, or the folder cannot be written.
    """
    if path.suffix.lower() not in SNAPSHOT_SUFFIXES:
        raise OutputError(f"{path}: expected a name that ends in .png")
    if image.size == 0:
        raise OutputError(f"{path}: there is no picture to save (got shape {image.shape})")
    is_done, data = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, _COMPRESSION])
    if not is_done:
        raise OutputError(f"{path}: OpenCV cannot encode a picture of shape {image.shape} as PNG")
    return write_atomically(path, lambda file: file.write(data.tobytes()), overwrite=overwrite)
