"""Pictures of a camera that hangs upside down or lies on its side."""

import threading
from dataclasses import replace

import cv2

from realtime_vibe.packets import Frame, ImageArray
from realtime_vibe.sources.base import FrameSource, SourceInfo
from realtime_vibe.system.closing import ClosedByWith

_CODES = {
    90: cv2.ROTATE_90_CLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_COUNTERCLOCKWISE,
}


def turned(source: FrameSource, degrees: int) -> FrameSource:
    """A source whose pictures are turned clockwise by 0, 90, 180 or 270 degrees, after all it does itself."""
    return TurnedSource(source, degrees) if degrees else source


class TurnedSource(ClosedByWith):
    """Another source, turned clockwise by 90, 180 or 270 degrees, and closed with it."""

    def __init__(self, source: FrameSource, degrees: int) -> None:
        self._source = source
        self._code = _CODES[degrees]

    @property
    def info(self) -> SourceInfo:
        """What the source is like, its size as it is delivered."""
        info = self._source.info
        if self._code == cv2.ROTATE_180:
            return info
        return replace(info, width=info.height, height=info.width)

    @property
    def status(self) -> str:
        """What the source says."""
        return self._source.status

    def read(self, stop: threading.Event) -> Frame | None:
        """The source's next frame, turned."""
        frame = self._source.read(stop)
        if frame is None:
            return None
        image: ImageArray = cv2.rotate(frame.image_bgr, self._code)  # type: ignore[assignment]
        return replace(frame, image_bgr=image)

    def close(self) -> None:
        """Closes the source."""
        self._source.close()
