"""One picture for videos and snapshots, the overlay beside the mesh from another side; and single pictures on disk."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_vibe.outputs.view.background import DEFAULT_BACKGROUND, Background
from realtime_vibe.outputs.view.overlay import OverlayRenderer, resized_to_height
from realtime_vibe.outputs.view.scene import SceneRenderer
from realtime_vibe.packets import FrameResult, ImageArray
from realtime_vibe.system.placing import write_atomically

MIN_HEIGHT_PX = 120
"""Smaller frames are enlarged to this height."""
_DIVIDER_BGR = (30, 26, 24)

SNAPSHOT_SUFFIXES = (".png",)
"""Endings of what `save_image` writes."""
_COMPRESSION = 3
"""Of 9: snapshots must not stall the window, and size matters little."""


class CompositeRenderer:
    """Draws one sequence of bodies with (F, 3) faces; needs no display and no OpenGL.

    `max_height` caps the picture's [px], `skeleton` also draws the tracker's landmarks, `mirror` flips both halves.
    """

    def __init__(
        self,
        faces: NDArray[np.integer],
        *,
        max_height: int = 720,
        skeleton: bool = False,
        mirror: bool = False,
        background: Background = DEFAULT_BACKGROUND,
    ) -> None:
        self._overlay = OverlayRenderer(faces, skeleton=skeleton)
        self._scene = SceneRenderer(faces, background)
        self._max_height = max(max_height, 2)
        self._mirror = mirror

    def draw(self, result: FrameResult) -> ImageArray:
        """A new picture (h, w, 3) BGR, h and w even.

        Pictures must come in the order of time: floor and viewpoint move smoothly.
        """
        height = self._height(result)
        left = self._overlay.draw(result, height=height, mirror=self._mirror)
        width = _scene_width(left.shape[1], height)
        right = self._scene.draw(result, width=width, height=height, mirror=self._mirror)
        return beside(left, right)

    def draw_cutout(self, result: FrameResult) -> ImageArray:
        """The half with the mesh alone: a new picture (h, w, 4) BGRA without anything behind it."""
        frame_height, frame_width = result.frame.image_bgr.shape[:2]
        height = self._height(result)
        width = _scene_width(round(frame_width * height / frame_height), height)
        return self._scene.draw_cutout(result, width=width, height=height, mirror=self._mirror)

    def _height(self, result: FrameResult) -> int:
        height: int = min(max(result.frame.image_bgr.shape[0], MIN_HEIGHT_PX), self._max_height)
        return max(2, height - height % 2)


def beside(left: ImageArray, right: ImageArray) -> ImageArray:
    """Two pictures side by side, a thin line between them; `right` is scaled to `left`'s height."""
    picture = np.concatenate([left, resized_to_height(right, left.shape[0])], axis=1)
    picture[:, left.shape[1] - 1 : left.shape[1] + 1] = _DIVIDER_BGR
    return picture


def _scene_width(left_width: int, height: int) -> int:
    """Between 3:5 and 1:1 of the height, and such that the whole is even, as video codecs ask."""
    width = int(min(max(left_width, 0.6 * height), height))
    return width + (left_width + width) % 2


def save_image(path: Path, image: ImageArray, *, overwrite: bool = False) -> Path:
    """Writes (H, W, 3) BGR or (H, W, 4) BGRA as PNG to `path`, or beside it where that may not be replaced.

    Raises:
        OutputError: the folder cannot be written.
    """
    _, data = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, _COMPRESSION])
    return write_atomically(path, lambda file: file.write(data.tobytes()), overwrite=overwrite)
