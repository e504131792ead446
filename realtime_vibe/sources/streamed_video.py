"""Recorded video that arrives through something that can fall silent: a pipe or a network."""

import logging
import threading

from realtime_vibe.errors import SourceError
from realtime_vibe.sources.base import Picture
from realtime_vibe.sources.media_clock import MediaClock
from realtime_vibe.sources.recorded import RecordedSource
from realtime_vibe.sources.session import OpenCapture, ReadSession
from realtime_vibe.system.threads import SlotClosed

logger = logging.getLogger(__name__)

POLL_S = 0.1
JOIN_S = 1.5


class StreamedVideo(RecordedSource):
    """A video that is read in a thread of its own, every frame in order, to its end.

    Args:
        name: for messages and the HUD.
        open_capture: opens it; raises `SourceError` with the reason it does not.
        open_limit_s: how long to wait for the first frame [s].
        if_silent: what to do when none comes.
        fps: rate to assume where it holds no times.
    """

    def __init__(
        self,
        name: str,
        open_capture: OpenCapture,
        *,
        open_limit_s: float,
        if_silent: str,
        paced: bool,
        fps: float | None = None,
    ) -> None:
        super().__init__(paced=paced)
        self._name = name
        self._open_limit_s = open_limit_s
        self._if_silent = if_silent
        self._asked_fps = fps
        self._session = ReadSession(name, open_capture, patience_s=0.0, lossless=True)

    @property
    def status(self) -> str:
        """`ok`, or `end of stream`."""
        return "end of stream" if self._at_end else "ok"

    def open(self) -> None:
        """Waits for the first frame.

        Raises:
            SourceError: none came in time, or what came is no video.
        """
        session = self._session
        session.start()
        try:
            first = session.take(self._open_limit_s)
        except SlotClosed:
            self.close()
            raise SourceError(
                f"{self._name}: it ended before its first frame: damaged, or an MP4 whose index comes last and "
                "cannot be reached; give a whole file, or one made with ffmpeg -movflags faststart"
            ) from None
        except BaseException:  # Ctrl-C included: leave no thread behind
            self.close()
            raise
        if first is None:
            self.close()
            raise SourceError(
                f"{self._name}: no frame came within {self._open_limit_s:.0f} s; {self._if_silent}"
            )
        count = session.frame_count
        clock = MediaClock.of_film(self._name, session.fps, count, self._asked_fps)
        self._begin(self._name, first, clock, fps=session.fps and clock.fps, frame_count=count)

    def close(self) -> None:
        """Ends the reading thread, or logs that it hangs."""
        if self._closed.is_set():
            return
        super().close()
        self._session.stop()
        if not self._session.join(JOIN_S):
            logger.error("%s: the decoder does not return; its thread is left behind", self._name)

    def _next_picture(self, stop: threading.Event, /) -> Picture | None:
        while not (stop.is_set() or self._closed.is_set()):
            try:
                if picture := self._session.take(POLL_S):
                    return picture
            except SlotClosed:
                self._end(self._session.num_lost)
                break
        return None
