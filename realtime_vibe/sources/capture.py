"""The thread that brings frames from a source to whoever processes them."""

import logging
import threading
import time

from realtime_vibe.packets import Frame
from realtime_vibe.sources.base import FrameSource
from realtime_vibe.system.threads import LatestSlot, Worker

logger = logging.getLogger(__name__)

JOIN_S = 2.0


class CaptureThread:
    """Reads an open source into a slot until the source ends, fails, or `close` is called.

    The slot is closed then; an error of the source's is raised in the thread that takes from it.

    Args:
        source: already open; closed here.
        lossless: hand over every frame and wait for the consumer; else the newest frame wins.
    """

    def __init__(
        self,
        source: FrameSource,
        slot: LatestSlot[Frame],
        *,
        lossless: bool,
    ) -> None:
        self._source = source
        self._slot = slot
        self._lossless = lossless
        self._stop = threading.Event()
        self.grabbed = 0
        """Number of frames the source has grabbed, those that were replaced by newer ones included."""
        self._last_frame_s = time.perf_counter()
        self._worker = Worker("capture", self._run, self._slot.close)

    @property
    def status(self) -> str:
        """The source's own short text: `ok`, `no signal 3 s, reopening`, .."""
        return self._source.status

    def seconds_since_frame(self, now_s: float) -> float:
        """How long ago the source delivered its last frame [s], by `time.perf_counter`.

        Counts from the constructor while there was none.
        """
        return max(0.0, now_s - self._last_frame_s)

    def start(self) -> None:
        """Starts the thread."""
        self._last_frame_s = time.perf_counter()
        self._worker.start()

    def close(self) -> None:
        """Stops, closes the source, waits up to 2 s for the thread, and closes the slot.

        Never raises for a thread that hangs: that is logged and the thread is left behind.
        """
        self._stop.set()
        self._source.close()
        if not self._worker.join(JOIN_S):
            logger.error("the capture thread did not end within %.0f s; it is left behind", JOIN_S)
        self._slot.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            frame = self._source.read(self._stop)
            if frame is None:
                return
            self.grabbed = frame.index + 1
            self._last_frame_s = time.perf_counter()
            if self._lossless:
                self._slot.put_when_free(frame, self._stop.is_set)
            else:
                self._slot.put(frame)
