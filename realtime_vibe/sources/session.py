"""One attempt at reading a device or a stream, in a thread that may hang inside OpenCV."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import cv2

from realtime_vibe.packets import ImageArray
from realtime_vibe.sources.base import Picture
from realtime_vibe.sources.film_capture import FilmCapture
from realtime_vibe.sources.opencv import plausible_count, plausible_fps, to_bgr8
from realtime_vibe.system.threads import LatestSlot, Worker
from realtime_vibe.system.timing import Clock

RETRY_PAUSE_S = 0.01

Capture = cv2.VideoCapture | FilmCapture

OpenCapture = Callable[[threading.Event], Capture]
"""Opens the device; called in the session's thread, may give up when the event is set."""

IsFresh = Callable[[ImageArray], bool]
"""Whether a picture is a new one; stale and blank pictures are not handed on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPicture(Picture):
    """A picture as the device delivered it."""

    number: int
    """Position among the pictures of this session."""
    grabbed_at_s: float
    """The clock right after the grab."""


class ReadSession(Worker):
    """Opens a capture, reads it until it fails or `stop` is called, and releases it.

    All calls into OpenCV happen in the session's own thread: some drivers never return from a read,
    and releasing a capture under a read crashes FFmpeg. Whoever waits for pictures can walk away.

    Args:
        patience_s: how long reads may fail before the session ends.
        lossless: wait until each picture was taken; else the newest replaces the one before.
        is_fresh: refuses pictures that are not new; None accepts all.
    """

    def __init__(
        self,
        name: str,
        open_capture: OpenCapture,
        *,
        patience_s: float,
        lossless: bool = False,
        is_fresh: IsFresh | None = None,
        clock: Clock = time.perf_counter,
    ) -> None:
        self._open_capture = open_capture
        self._patience_s = patience_s
        self._is_fresh = is_fresh
        self._clock = clock
        self._stopping = threading.Event()
        self._slot: LatestSlot[SessionPicture] = LatestSlot(lossless=lossless)
        super().__init__(f"read {name}", self._open_and_read, self._slot.close)
        self._count = 0
        self.is_open = False
        """Whether the device was opened; false while that is still being tried."""
        self.last_sign_s = clock()
        """The clock at the last picture, or at the start while there was none."""
        self.fps: float | None = None
        """The nominal frame rate, known from the first picture on."""
        self.frame_count: int | None = None
        """How many frames the container promises, known from the first picture on."""
        self.num_lost = 0
        """Damaged pictures between good ones so far; 0 where the device does not tell."""

    def take(self, timeout_s: float) -> SessionPicture | None:
        """The next picture, or None when `timeout_s` passed.

        Raises:
            SlotClosed: the session is over and nothing is left.
            SourceError: the device could not be opened.
        """
        return self._slot.take(timeout_s)

    def stop(self) -> None:
        """Asks the thread to end and wakes whoever waits in `take`. Does not wait."""
        self._stopping.set()
        self._slot.close()

    def _open_and_read(self) -> None:
        capture = self._open_capture(self._stopping)
        try:
            self.fps = plausible_fps(capture.get(cv2.CAP_PROP_FPS))
            if self.fps is not None:
                self.frame_count = plausible_count(capture.get(cv2.CAP_PROP_FRAME_COUNT))
            self.last_sign_s = self._clock()
            self.is_open = True
            self._read_all(capture)
        finally:
            capture.release()

    def _read_all(self, capture: Capture) -> None:
        last_good_s = self._clock()
        while not self._stopping.is_set():
            picture = self._read(capture)
            if picture is None:
                if self._clock() - last_good_s >= self._patience_s:
                    return
                self._stopping.wait(RETRY_PAUSE_S)
                continue
            self._count += 1
            self.num_lost = getattr(capture, "num_lost", 0)
            self.last_sign_s = self._clock()
            self._slot.put(picture)
            last_good_s = self._clock()

    def _read(self, capture: Capture) -> SessionPicture | None:
        try:
            if not capture.grab():
                return None
            grabbed_at_s = self._clock()
            position_ms = capture.get(cv2.CAP_PROP_POS_MSEC)
            got, raw = capture.retrieve()
        except cv2.error:  # drivers raise it for what others report as a failed grab
            return None
        image = to_bgr8(raw) if got else None
        if image is None or (self._is_fresh is not None and not self._is_fresh(image)):
            return None
        return SessionPicture(
            image_bgr=image,
            number=self._count,
            grabbed_at_s=grabbed_at_s,
            position_ms=position_ms,
        )
