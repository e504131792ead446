"""A camera whose every frame carries its number, see `frame_code`."""

import math
import threading
import time

import cv2
import numpy as np

from benchmarks.frame_code import height_px, stamp
from benchmarks.latency import MemorySource
from realtime_vibe.packets import Frame, ImageArray


def with_room_for_code(image: ImageArray, size: tuple[int, int]) -> ImageArray:
    """A picture scaled to fit above the code's band, black around it.

    Args:
        image: (H, W, 3).
        size: width and height of the result [px].
    """
    width, height = size
    room = height - 2 * height_px(width)
    scale = min(width / image.shape[1], room / image.shape[0])
    inner = cv2.resize(
        image,
        (round(image.shape[1] * scale), round(image.shape[0] * scale)),
        interpolation=cv2.INTER_AREA,
    )
    out = np.zeros((height, width, 3), np.uint8)
    left = (width - inner.shape[1]) // 2
    out[: inner.shape[0], left : left + inner.shape[1]] = inner
    return out


class CodedSource(MemorySource):
    """Plays pictures to and fro at a steady rate, as a camera would, each with its number.

    Args:
        images: all of one size, with room for the code.
    """

    def __init__(self, images: list[ImageArray], count: int, rate_hz: float) -> None:
        super().__init__(images, count, rate_hz)
        self._every_s = 1.0 / rate_hz
        self._closed = threading.Event()

    def read(self, stop: threading.Event) -> Frame | None:
        """The next frame at its time: drawn before, stamped with the time after the wait."""
        elapsed_s = time.perf_counter() - self._started_s
        # A camera does not wait for who is late: those frames are gone.
        index = max(self._index, math.floor(elapsed_s / self._every_s))
        if index >= self._count:
            return None
        image = self._images[index % len(self._images)].copy()
        stamp(image, index)
        due_s = self._started_s + index * self._every_s
        if self._closed.wait(max(0.0, due_s - time.perf_counter())) or stop.is_set():
            return None
        now_s = time.perf_counter()
        frame = Frame(image_bgr=image, index=index, captured_at_s=now_s, grabbed_at_s=now_s)
        self._index = index + 1
        return frame

    def close(self) -> None:
        """Ends the stream and a waiting `read`."""
        self._closed.set()
