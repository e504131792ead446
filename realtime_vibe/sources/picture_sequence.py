"""What sources of single pictures share: so many a second, and the first one tells the size."""

import threading
from abc import abstractmethod

from realtime_vibe.errors import SourceError
from realtime_vibe.packets import ImageArray
from realtime_vibe.sources.base import Picture
from realtime_vibe.sources.media_clock import MediaClock
from realtime_vibe.sources.opencv import plausible_fps
from realtime_vibe.sources.recorded import RecordedSource


class PictureSequence(RecordedSource):
    """Pictures one after the other, so many a second.

    Raises:
        SourceError: no possible frame rate.
    """

    def __init__(self, name: str, fps: float, *, paced: bool = False) -> None:
        super().__init__(paced=paced)
        if plausible_fps(fps) is None:
            raise SourceError(f"{name}: got a frame rate of {fps}, expected 0 to 1000 per second")
        self._name = name
        self._fps = fps
        self._frame_count: int | None = None

    def open(self) -> None:
        """Takes the first picture.

        Raises:
            SourceError: there is none, or it is no picture.
        """
        first = self._next_picture(self._closed)
        if first is None:
            raise SourceError(self._nothing())
        clock = MediaClock(self._fps)
        self._begin(self._name, first, clock, fps=self._fps, frame_count=self._frame_count)

    def _next_picture(self, _stop: threading.Event, /) -> Picture | None:
        image = self._next_image()
        if image is None:
            return None
        return Picture(image_bgr=image, position_ms=1e3 * self._position() / self._fps)

    @abstractmethod
    def _next_image(self) -> ImageArray | None:
        """The next picture (H, W, 3) uint8; None at the end."""

    @abstractmethod
    def _nothing(self) -> str:
        """What to say where not one picture came."""

    def _position(self) -> int:
        """Number, from 0, of the picture that was taken last."""
        return self._index
