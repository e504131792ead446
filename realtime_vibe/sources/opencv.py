"""The little of OpenCV's capture interface that the sources share, made quiet and predictable."""

import math
import os
from typing import Any

import cv2
import numpy as np

from realtime_vibe.errors import ShapeError
from realtime_vibe.packets import ImageArray
from realtime_vibe.system.frame_rates import nearest_standard_rate

MAX_PLAUSIBLE_FPS = 1000.0  # streams without a rate report 0, NaN, 90000 or 180000 (their clock)
MAX_PLAUSIBLE_COUNT = 1e9  # a year at 30 fps
MAX_FILM_PIXELS = 36_000_000
"""Of a film's picture, 8K; a file of a few kB can claim and hold any size."""


def quiet_opencv() -> None:
    """Keeps OpenCV's and FFmpeg's own messages off the terminal; ours say what matters.

    Settings of the user's in the environment win. OPENCV_FFMPEG_LOGLEVEL and the V4L2 time-out are
    read by OpenCV at the first capture, so this is called before each.
    """
    if "OPENCV_LOG_LEVEL" not in os.environ:
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "2")  # [s]; 10 is the default
    os.environ.setdefault("OPENCV_VIDEOIO_MSMF_ENABLE_HW_TRANSFORMS", "0")  # opens 10 s sooner


def plausible_fps(fps: float) -> float | None:
    """`fps` if it can be a frame rate, else None (0, negative, NaN, a clock rate).

    What is nearly a usual rate is that rate: some containers have it measured from rounded times.
    """
    if not (math.isfinite(fps) and 0 < fps <= MAX_PLAUSIBLE_FPS):
        return None
    return nearest_standard_rate(fps)


def plausible_count(count: float) -> int | None:
    """`count` if it can be a number of frames, else None (streams report 0 or less)."""
    return int(count) if math.isfinite(count) and 0 < count < MAX_PLAUSIBLE_COUNT else None


def to_bgr8(image: Any) -> ImageArray | None:
    """Any picture that OpenCV hands out as (H, W, 3) uint8 BGR; None when it holds no pixels.

    Grey is repeated into three channels, an alpha channel is dropped, 16-bit values keep their upper
    byte, floats are taken as 0..1.

    Raises:
        ShapeError: neither 1, 3 nor 4 channels.
    """
    if not isinstance(image, np.ndarray) or image.size == 0:
        return None
    image = np.asarray(image)  # a subclass may not allow three axes
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    elif image.dtype != np.uint8:
        image = (np.clip(np.nan_to_num(image), 0.0, 1.0) * 255).astype(np.uint8)
    if image.ndim == 2:
        image = image[:, :, None]
    channels = image.shape[2]
    if channels == 1:
        return np.repeat(image, 3, axis=2)
    if channels == 4:
        return np.ascontiguousarray(image[:, :, :3])
    if channels != 3:
        raise ShapeError(
            f"a picture has {channels} channels, expected 1 (grey), 3 (BGR) or 4 (BGRA)"
        )
    return np.ascontiguousarray(image, np.uint8)
