"""Films, from what can fall silent: a file, a pipe or a network."""

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


class Film(RecordedSource):
    """A film that is read in a thread of its own, every frame in order, to its end.

    Args:
        name: for messages and the HUD.
        open_capture: opens it; raises `SourceError` with the reason it does not.
        fps: rate to assume where it holds no times.
        open_limit_s: how long to wait for the first frame [s]; None: as long as it takes.
        if_silent: what to do when none comes.
    """

    _loop = False
    """Start over at the end, for ever; times and indexes go on."""

    def __init__(
        self,
        name: str,
        open_capture: OpenCapture,
        *,
        paced: bool,
        fps: float | None = None,
        open_limit_s: float | None = None,
        if_silent: str = "",
    ) -> None:
        super().__init__(paced=paced)
        self._name = name
        self._open_capture = open_capture
        self._asked_fps = fps
        self._open_limit_s = open_limit_s
        self._if_silent = if_silent
        self._session = self._new_session()

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
                f"{self._name}: it ended before its first frame: cut off, damaged, or an MP4 whose index comes last "
                "and cannot be reached; give a whole file, or one made with ffmpeg -movflags faststart"
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
        shown_count = None if self._loop else count
        self._begin(
            self._name, first, clock, fps=session.fps and clock.fps, frame_count=shown_count
        )

    def close(self) -> None:
        """Ends the reading thread, or logs that it hangs."""
        if self._closed.is_set():
            return
        super().close()
        self._session.stop()
        if not self._session.join(JOIN_S):
            logger.error("%s: the decoder does not return; its thread is left behind", self._name)

    def _new_session(self) -> ReadSession:
        return ReadSession(self._name, self._open_capture, patience_s=0.0, lossless=True)

    def _next_picture(self, stop: threading.Event, /) -> Picture | None:
        while not (stop.is_set() or self._closed.is_set()):
            try:
                if picture := self._session.take(POLL_S):
                    return picture
            except SlotClosed:
                if not self._loop:
                    self._end(self._session.num_lost)
                    break
                self._start_over()
        return None

    def _start_over(self) -> None:
        self._media_clock.restart()
        self._session = session = self._new_session()
        session.start()
        if self._closed.is_set():  # whoever closed may have met the session before
            session.stop()
