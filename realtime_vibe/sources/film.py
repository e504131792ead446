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
OPEN_LIMIT_S = 15.0
"""How long the first frame may take."""


class Film(RecordedSource):
    """A film that is read in a thread of its own, every frame in order, to its end.

    Args:
        name: for messages and the HUD.
        open_capture: opens it; raises `SourceError` with the reason it does not.
        fps: rate to assume where it holds no times.
        loop: start over at the end, for ever; times and indexes go on.
        if_silent: what to do when no frame comes.

    Raises:
        SourceError: no frame came in time, or what came is no video.
    """

    def __init__(
        self,
        name: str,
        open_capture: OpenCapture,
        *,
        paced: bool,
        fps: float | None = None,
        loop: bool = False,
        if_silent: str,
    ) -> None:
        super().__init__(paced=paced)
        self._name = name
        self._open_capture = open_capture
        self._loop = loop
        self._session = session = self._new_session()
        try:
            first = session.take(OPEN_LIMIT_S)
            if first is None:
                raise SourceError(f"{name}: no frame came within {OPEN_LIMIT_S:.0f} s; {if_silent}")
        except SlotClosed:
            self.close()
            raise SourceError(
                f"{name}: it ended before its first frame: cut off, damaged, or an MP4 whose index comes last and "
                "cannot be reached; give a whole file, or one made with ffmpeg -movflags faststart"
            ) from None
        except BaseException:  # Ctrl-C included: leave no thread behind
            self.close()
            raise
        count = session.frame_count
        clock = MediaClock.of_film(name, session.fps, count, fps)
        shown_count = None if loop else count
        self._begin(name, first, clock, fps=session.fps and clock.fps, frame_count=shown_count)

    def close(self) -> None:
        """Ends the reading thread, or logs that it hangs."""
        if self._closed.is_set():
            return
        super().close()
        self._session.stop()
        if not self._session.join(JOIN_S):
            logger.error("%s: the decoder does not return; its thread is left behind", self._name)

    def _new_session(self) -> ReadSession:
        return ReadSession(self._name, self._open_capture, patience_s=0.0, lossless=True).start()

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
        if self._closed.is_set():  # whoever closed may have met the session before
            session.stop()
