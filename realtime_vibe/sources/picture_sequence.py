"""What sources of single pictures share: so many a second, and the first one tells the size."""

import threading
from collections.abc import Iterator

from realtime_vibe.errors import SourceError
from realtime_vibe.packets import ImageArray
from realtime_vibe.sources.base import Picture
from realtime_vibe.sources.media_clock import MediaClock
from realtime_vibe.sources.opencv import plausible_fps
from realtime_vibe.sources.recorded import RecordedSource


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
