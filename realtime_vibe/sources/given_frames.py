"""Frames that a program makes itself."""

import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from realtime_vibe.errors import ShapeError, SourceError
from realtime_vibe.packets import Frame, ImageArray
from realtime_vibe.sources.base import SourceInfo
from realtime_vibe.sources.opencv import plausible_fps, to_bgr8
from realtime_vibe.system.closing import OpenedByWith
from realtime_vibe.system.timing import Clock

DEFAULT_FPS = 30.0


class GivenFrames(OpenedByWith):
    """Pictures from any iterable, one frame each, in order.

    Args:
        frames: arrays (H, W, 3) uint8 BGR, or (H, W) grey; taken from the capture thread, one at a
            time. What it raises reaches whoever takes results.
        fps: pictures per second of the motion.
        clock: monotonic seconds.

    Raises:
        SourceError: no possible frame rate, or nothing to iterate over.
    """

    def __init__(
        self,
        frames: Iterable[Any],
        *,
        fps: float | None = None,
        clock: Clock = time.perf_counter,
    ) -> None:
        self._fps = DEFAULT_FPS if fps is None else fps
        if plausible_fps(self._fps) is None:
            raise SourceError(f"frames: got a rate of {fps}, expected 0 to 1000 per second")
        if not isinstance(frames, Iterable):
            raise SourceError(
                f"frames: got {type(frames).__name__}, expected pictures one after the other"
            )
        shape: tuple[int, ...] = getattr(frames, "shape", ())
        if len(shape) == 2 or (len(shape) == 3 and shape[-1] <= 4):
            raise SourceError(
                f"frames: got one array of shape {shape}, expected pictures one after the other: [array]"
            )
        self._frames: Iterator[Any] = iter(frames)
        self._clock = clock
        self._closed = threading.Event()
        self._index = 0
        self._pending: ImageArray | None = None

    @property
    def info(self) -> SourceInfo:
        """What the frames are like; valid after `open`."""
        return self._info

    @property
    def status(self) -> str:
        """Always `ok`."""
        return "ok"

    def open(self) -> None:
        """Takes the first picture.

        Raises:
            SourceError: there is none, or it is no picture.
        """
        self._pending = self._next_image()
        if self._pending is None:
            raise SourceError("frames: not one picture came")
        height, width = self._pending.shape[:2]
        self._info = SourceInfo(
            name="frames",
            width=width,
            height=height,
            fps=self._fps,
            frame_count=None,
            is_live=False,
        )

    def read(self, stop: threading.Event) -> Frame | None:
        """The next picture; None at the end, after `close` or when `stop` is set."""
        if stop.is_set() or self._closed.is_set():
            return None
        image, self._pending = self._pending, None
        if image is None:
            image = self._next_image()
        if image is None:
            return None
        frame = Frame(
            image_bgr=image,
            index=self._index,
            captured_at_s=self._index / self._fps,
            grabbed_at_s=self._clock(),
        )
        self._index += 1
        return frame

    def close(self) -> None:
        """Takes no more pictures."""
        self._closed.set()

    def _next_image(self) -> ImageArray | None:
        try:
            picture = next(self._frames)
        except StopIteration:
            return None
        shape = getattr(picture, "shape", None)
        try:
            image = to_bgr8(picture) if shape is not None and len(shape) in {2, 3} else None
        except ShapeError as error:
            raise SourceError(f"frames: picture {self._index}: {error}") from None
        if image is None:
            got = type(picture).__name__ if shape is None else f"an array of shape {shape}"
            raise SourceError(
                f"frames: picture {self._index} is {got}, expected an array (height, width, 3) of uint8, "
                "blue first"
            )
        # The program may use the array again for its next picture.
        return np.array(image) if image is picture else image
