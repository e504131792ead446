"""A clip decoded to memory, so that no benchmark times a video decoder."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from realtime_vibe.errors import SourceError
from realtime_vibe.packets import Frame, ImageArray

MAX_WIDTH_PX, MAX_HEIGHT_PX = 640, 480


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """The first frames of a video."""

    name: str
    images: tuple[ImageArray, ...]
    """(H, W, 3) each, scaled down to fit 640x480; never enlarged."""
    fps: float

    @property
    def size(self) -> str:
        """Such as `270x480`: width by height."""
        height, width = self.images[0].shape[:2]
        return f"{width}x{height}"

    def frame(self, index: int) -> Frame:
        """A frame of the endless stream that plays the clip forwards and backwards in turn."""
        period = max(2 * (len(self.images) - 1), 1)
        place = index % period
        image = self.images[min(place, period - place) if period > 1 else 0]
        time_s = index / self.fps
        return Frame(image_bgr=image, index=index, captured_at_s=time_s, grabbed_at_s=time_s)


def read_clip(path: Path, max_frames: int) -> Clip:
    """Decodes the start of a video.

    Raises:
        SourceError: the file is missing or holds no picture.
    """
    if not path.is_file():
        raise SourceError(f"no clip at {path}")
    capture = cv2.VideoCapture(str(path))
    fps = capture.get(cv2.CAP_PROP_FPS) or 30.0
    images: list[ImageArray] = []
    while len(images) < max_frames:
        is_read, image = capture.read()
        if not is_read:
            break
        images.append(_fit(np.asarray(image, np.uint8)))
    capture.release()
    if not images:
        raise SourceError(f"{path} is not a video that OpenCV can decode")
    return Clip(name="/".join(path.parts[-2:]), images=tuple(images), fps=fps)


def _fit(image: ImageArray) -> ImageArray:
    height, width = image.shape[:2]
    scale = min(MAX_WIDTH_PX / width, MAX_HEIGHT_PX / height, 1.0)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
