"""What recorded sources share: every frame in order with its media time, at the medium's own speed if paced."""

import threading
import time
from abc import abstractmethod
from collections.abc import Iterator

from realtime_vibe.errors import SourceError
from realtime_vibe.packets import Frame, ImageArray
from realtime_vibe.sources.base import Picture, SourceInfo
from realtime_vibe.sources.media_clock import MediaClock, Pacer, warn_of_losses
from realtime_vibe.sources.opencv import plausible_fps
from realtime_vibe.system.closing import ClosedByWith


class RecordedSource(ClosedByWith):
    """Pictures one after the other, of which the constructor takes the first; `paced` holds each back until its time.

    `Frame.captured_at_s` is media time, so the time between frames is real even where the frame rate
    varies; `Frame.grabbed_at_s` is when the decoded frame was handed out.
    """

    info: SourceInfo
    """What the medium is like."""
    _pending: Picture | None
    _media_clock: MediaClock

    def __init__(self, *, paced: bool) -> None:
        self._pacer = Pacer() if paced else None
        self._closed = threading.Event()
        self._index = 0
        self._at_end = False

    @property
    def status(self) -> str:
        """`ok`, or `at its end`."""
        return "at its end" if self._at_end else "ok"

    def read(self, stop: threading.Event) -> Frame | None:
        """The next frame; None at the end, after `close` or when `stop` is set."""
        if stop.is_set() or self._closed.is_set():
            return None
        picture, self._pending = self._pending, None
        picture = picture or self._next_picture(stop)
        if picture is None:
            return None
        time_s = self._media_clock.stamp(picture.position_ms)
        if self._pacer is not None and not self._pacer.wait(time_s, stop, self._closed):
            return None
        frame = Frame(
            image_bgr=picture.image_bgr,
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
    def _next_picture(self, stop: threading.Event, /) -> Picture | None:
        """The next picture; None at the end, after `close` or when `stop` is set."""

    def _begin(
        self,
        name: str,
        first: Picture,
        clock: MediaClock,
        *,
        fps: float | None,
        frame_count: int | None,
    ) -> None:
        """Says what the medium is like, and keeps its first picture for `read`."""
        self._pending = first
        self._media_clock = clock
        height, width = first.image_bgr.shape[:2]
        self.info = SourceInfo(
            name=name,
            width=width,
            height=height,
            fps=fps,
            frame_count=frame_count,
            is_live=False,
        )

    def _end(self, num_lost: int) -> None:
        """Says once what a film that has come to its end lost, `num_lost` packets among it."""
        if not (self._at_end or self._closed.is_set()):
            self._at_end = True
            warn_of_losses(self.info, self._index, self._media_clock, num_lost)


class PictureSequence(RecordedSource):
    """Pictures one after the other, so many a second.

    Args:
        images: each with its place, from 0, among pictures that come at `fps`; (H, W, 3) uint8.
        nothing: what to say where there is not one.

    Raises:
        SourceError: no possible frame rate, there is no picture, or it is none.
    """

    def __init__(
        self,
        name: str,
        images: Iterator[tuple[int, ImageArray]],
        *,
        fps: float,
        paced: bool = False,
        frame_count: int | None = None,
        nothing: str,
    ) -> None:
        super().__init__(paced=paced)
        if plausible_fps(fps) is None:
            raise SourceError(f"{name}: got a frame rate of {fps}, expected 0 to 1000 per second")
        self._images = images
        self._fps = fps
        first = self._next_picture(self._closed)
        if first is None:
            raise SourceError(f"{name}: {nothing}")
        self._begin(name, first, MediaClock(fps), fps=fps, frame_count=frame_count)

    def _next_picture(self, _stop: threading.Event, /) -> Picture | None:
        for place, image in self._images:
            return Picture(image_bgr=image, position_ms=1e3 * place / self._fps)
        return None
