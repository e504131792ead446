"""Recorded video that arrives through something that can fall silent: a pipe or a network."""

import logging
import threading
import time
from dataclasses import dataclass

from realtime_vibe.errors import SourceError
from realtime_vibe.packets import Frame
from realtime_vibe.sources.base import SourceInfo
from realtime_vibe.sources.media_clock import MediaClock, Pacer, warn_of_losses
from realtime_vibe.sources.session import OpenCapture, ReadSession, SessionPicture
from realtime_vibe.system.closing import OpenedByWith
from realtime_vibe.system.threads import SlotClosed

logger = logging.getLogger(__name__)

POLL_S = 0.1
JOIN_S = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamedMedium:
    """Where a streamed video comes from."""

    name: str
    """For messages and the HUD."""
    open_capture: OpenCapture
    """Opens it; raises `SourceError` with the reason it does not."""
    open_limit_s: float
    """How long to wait for the first frame [s]."""
    if_silent: str
    """What to do when none comes."""
    fps: float | None = None
    """Rate to assume where it holds no times."""


class StreamedVideo(OpenedByWith):
    """A video that is read in a thread of its own, every frame in order, to its end; `paced` at its own speed."""

    info: SourceInfo
    """What the video is like; valid after `open`."""

    def __init__(self, medium: StreamedMedium, *, paced: bool = False) -> None:
        self._medium = medium
        self._pacer = Pacer() if paced else None
        self._closed = threading.Event()
        self._at_end = False
        self._session = ReadSession(medium.name, medium.open_capture, patience_s=0.0, lossless=True)

    @property
    def status(self) -> str:
        """`ok`, or `end of stream`."""
        return "end of stream" if self._at_end else "ok"

    def open(self) -> None:
        """Waits for the first frame.

        Raises:
            SourceError: none came in time, or what came is no video.
        """
        medium = self._medium
        self._session.start()
        try:
            first = self._session.take(medium.open_limit_s)
        except SlotClosed:
            self.close()
            raise SourceError(
                f"{medium.name}: it ended before its first frame: damaged, or an MP4 whose index comes last and "
                "cannot be reached; give a whole file, or one made with ffmpeg -movflags faststart"
            ) from None
        except BaseException:  # Ctrl-C included: leave no thread behind
            self.close()
            raise
        if first is None:
            self.close()
            raise SourceError(
                f"{medium.name}: no frame came within {medium.open_limit_s:.0f} s; {medium.if_silent}"
            )
        self._pending: SessionPicture | None = first
        self._count = 0
        self._media_clock = MediaClock.of_film(
            medium.name, self._session.fps, self._session.frame_count, medium.fps
        )
        self.info = SourceInfo(
            name=medium.name,
            width=first.image_bgr.shape[1],
            height=first.image_bgr.shape[0],
            fps=self._session.fps and self._media_clock.fps,
            frame_count=self._session.frame_count,
            is_live=False,
        )

    def read(self, stop: threading.Event) -> Frame | None:
        """The next frame; None when the video is over, after `close` or when `stop` is set."""
        picture = self._next_picture(stop)
        if picture is None:
            return None
        time_s = self._media_clock.stamp(picture.position_ms)
        if self._pacer is not None and not self._pacer.wait(time_s, stop, self._closed):
            return None
        self._count += 1
        return Frame(
            image_bgr=picture.image_bgr,
            index=picture.number,
            captured_at_s=time_s,
            grabbed_at_s=time.perf_counter(),
        )

    def close(self) -> None:
        """Ends the reading thread, or logs that it hangs."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._session.stop()
        if not self._session.join(JOIN_S):
            logger.error(
                "%s: the decoder does not return; its thread is left behind", self._medium.name
            )

    def _next_picture(self, stop: threading.Event) -> SessionPicture | None:
        picture, self._pending = self._pending, None
        while picture is None and not (stop.is_set() or self._closed.is_set()):
            try:
                picture = self._session.take(POLL_S)
            except SlotClosed:
                self._end()
                return None
        return picture

    def _end(self) -> None:
        if not (self._at_end or self._closed.is_set()):
            self._at_end = True
            warn_of_losses(self.info, self._count, self._media_clock, self._session.num_lost)
