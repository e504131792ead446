"""What sources of single pictures share: the first one tells the size, and each becomes a frame in turn."""

import threading
import time
from abc import abstractmethod

from realtime_vibe.errors import SourceError
from realtime_vibe.packets import Frame, ImageArray
from realtime_vibe.sources.base import SourceInfo
from realtime_vibe.sources.media_clock import Pacer
from realtime_vibe.system.closing import OpenedByWith


class PictureSequence(OpenedByWith):
    """Pictures one after the other, so many a second; a pacer holds each back until its time."""

    info: SourceInfo
    """What the pictures are like; valid after `open`."""

    def __init__(self, name: str, fps: float, pacer: Pacer | None = None) -> None:
        self._name = name
        self._fps = fps
        self._pacer = pacer
        self._closed = threading.Event()
        self._index = 0
        self._frame_count: int | None = None
        self._pending: ImageArray | None = None

    def open(self) -> None:
        """Takes the first picture.

        Raises:
            SourceError: there is none, or it is no picture.
        """
        self._pending = self._next_image()
        if self._pending is None:
            raise SourceError(self._nothing())
        height, width = self._pending.shape[:2]
        self.info = SourceInfo(
            name=self._name,
            width=width,
            height=height,
            fps=self._fps,
            frame_count=self._frame_count,
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
        time_s = self._position() / self._fps
        if self._pacer is not None and not self._pacer.wait(time_s, stop, self._closed):
            return None
        frame = Frame(
            image_bgr=image,
            index=self._index,
            captured_at_s=time_s,
            grabbed_at_s=time.perf_counter(),
        )
        self._index += 1
        return frame

    def close(self) -> None:
        """Ends a waiting `read`; no more pictures are taken."""
        self._closed.set()

    @abstractmethod
    def _next_image(self) -> ImageArray | None:
        """The next picture (H, W, 3) uint8; None at the end."""

    @abstractmethod
    def _nothing(self) -> str:
        """What to say where not one picture came."""

    def _position(self) -> int:
        """Number, from 0, of the picture that was taken last."""
        return self._index
