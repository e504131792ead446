"""Cuts of a film: the picture is another one from this frame to the next, so nobody goes on where they were."""

import cv2
import numpy as np

from realtime_vibe.packets import FloatArray, ImageArray

_SIZE = (24, 18)
_LIKE = 0.6
"""Correlation of two small pictures above which they show one scene: 0.91 or more within films of 5 to 60 frames/s."""
_CHANGED, _SHARE = 0.5, 0.4
"""A cell has changed by so many standard deviations; somebody who runs past a plain wall changes fewer cells."""
_LEAST_CONTRAST = 3.0
"""Standard deviation below which a picture is plain, as where a lens is covered, and tells nothing."""


def small_grey(image_bgr: ImageArray, size: tuple[int, int]) -> FloatArray:
    """Grey levels of a picture (H, W, 3) in so few cells (width, height), each the mean of nine pixels."""
    width, height = size
    few = cv2.resize(image_bgr, (3 * width, 3 * height), interpolation=cv2.INTER_NEAREST)
    small = cv2.resize(few, size, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_BGR2GRAY).astype(np.float32)


class SceneCuts:
    """Compares each frame with the one before."""

    def __init__(self) -> None:
        self._last: FloatArray | None = None

    def is_cut(self, image_bgr: ImageArray) -> bool:
        """Whether a frame (H, W, 3) shows another scene than the last; light that changes is none."""
        now = _normalized(image_bgr)
        if now is None:
            return False
        last, self._last = self._last, now
        if last is None or float(np.vdot(now, last)) / now.size > _LIKE:
            return False
        return float((np.abs(now - last) > _CHANGED).mean()) > _SHARE


def _normalized(image_bgr: ImageArray) -> FloatArray | None:
    grey = small_grey(image_bgr, _SIZE)
    mean, contrast = (float(part.item()) for part in cv2.meanStdDev(grey))
    return None if contrast < _LEAST_CONTRAST else (grey - np.float32(mean)) / np.float32(contrast)
