"""Frames from single images: a file, a folder or a pattern."""

import logging
import re
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from realtime_vibe.errors import RealtimeVibeError, SourceError
from realtime_vibe.packets import Frame, ImageArray
from realtime_vibe.sources.base import SourceInfo
from realtime_vibe.sources.opencv import plausible_fps, quiet_opencv, to_bgr8
from realtime_vibe.sources.pacing import Pacer
from realtime_vibe.system.closing import OpenedByWith
from realtime_vibe.system.timing import Clock

logger = logging.getLogger(__name__)

SUFFIXES = frozenset(
    {".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"}
)
DEFAULT_FPS = 30.0


class ImageFolder(OpenedByWith):
    """Images as the frames of a film, in natural order (`2.png` before `10.png`).

    An image that cannot be read is skipped with a warning and counted; the next one keeps its time.
    Sizes may differ. Pictures are turned upright by their EXIF mark.

    Args:
        name: for messages and the HUD.
        paths: the images; sorted here.
        fps: frame rate to assume.
        paced: hold each frame back until its time.
        clock: monotonic seconds.

    Raises:
        SourceError: no images, or no possible frame rate.
    """

    def __init__(
        self,
        name: str,
        paths: Sequence[Path],
        *,
        fps: float = DEFAULT_FPS,
        paced: bool = False,
        clock: Clock = time.perf_counter,
    ) -> None:
        if plausible_fps(fps) is None:
            raise SourceError(f"{name}: got a frame rate of {fps}, expected 0 to 1000 per second")
        if not paths:
            raise SourceError(
                f"{name}: holds no images, expected at least one of {', '.join(sorted(SUFFIXES))}"
            )
        self._name = name
        self._paths = sorted(paths, key=natural_key)
        self._fps = fps
        self._clock = clock
        self._pacer = Pacer(clock) if paced else None
        self._closed = threading.Event()
        self._position = 0
        self._index = 0
        self._skipped = 0
        self._pending: ImageArray | None = None

    @property
    def info(self) -> SourceInfo:
        """What the images are like; valid after `open`. The count includes unreadable ones."""
        return self._info

    @property
    def status(self) -> str:
        """`ok`, or how many images were skipped."""
        return f"{self._skipped} unreadable images skipped" if self._skipped else "ok"

    @property
    def skipped(self) -> int:
        """Number of images that could not be read so far."""
        return self._skipped

    def open(self) -> None:
        """Reads up to the first good image.

        Raises:
            SourceError: not one of the images can be read.
        """
        quiet_opencv()
        self._pending = self._next_image()
        if self._pending is None:
            raise SourceError(
                f"{self._name}: not one of {len(self._paths)} images can be read; "
                "they are empty, damaged or not images"
            )
        self._info = SourceInfo(
            name=self._name,
            width=self._pending.shape[1],
            height=self._pending.shape[0],
            fps=self._fps,
            frame_count=len(self._paths),
            is_live=False,
        )

    def read(self, stop: threading.Event) -> Frame | None:
        """The next image that can be read; None at the end, after `close` or when `stop` is set."""
        if stop.is_set() or self._closed.is_set():
            return None
        image, self._pending = self._pending, None
        if image is None:
            image = self._next_image()
        if image is None:
            return None
        time_s = (self._position - 1) / self._fps
        if self._pacer is not None and not self._pacer.wait(time_s, stop, self._closed):
            return None
        frame = Frame(
            image_bgr=image, index=self._index, captured_at_s=time_s, grabbed_at_s=self._clock()
        )
        self._index += 1
        return frame

    def close(self) -> None:
        """Ends a waiting `read`."""
        self._closed.set()

    def _next_image(self) -> ImageArray | None:
        while self._position < len(self._paths) and not self._closed.is_set():
            path = self._paths[self._position]
            self._position += 1
            image = read_image(path)
            if image is not None:
                return image
            self._skipped += 1
            logger.warning("%s: cannot be read as an image; skipped", path)
        return None


def folder_source(folder: Path, *, fps: float, paced: bool) -> ImageFolder:
    """All images directly inside `folder`.

    Raises:
        SourceError: there are none.
    """
    return ImageFolder(
        str(folder), [path for path in folder.iterdir() if is_image(path)], fps=fps, paced=paced
    )


def glob_source(pattern: str, *, fps: float, paced: bool) -> ImageFolder:
    """All images that match `pattern`; `**` reaches into sub-folders.

    Raises:
        SourceError: there are none.
    """
    anchor = Path(pattern).anchor
    found = Path(anchor or ".").glob(pattern[len(anchor) :])
    return ImageFolder(pattern, [path for path in found if is_image(path)], fps=fps, paced=paced)


def is_image(path: Path) -> bool:
    """Whether the name ends like an image's and the file is there."""
    return path.suffix.lower() in SUFFIXES and path.is_file()


def natural_key(path: Path) -> list[tuple[int, int, str]]:
    """Sorts numbers inside names by value: `a2` before `a10`."""
    pieces = re.split(r"(\d+)", str(path))
    return [(1, int(piece), "") if piece.isdecimal() else (2, 0, piece) for piece in pieces]


def read_image(path: Path) -> ImageArray | None:
    """An image as (H, W, 3) uint8 BGR; None when it cannot be read."""
    try:
        # Not cv2.imread: on Windows it does not open names outside the system's code page.
        encoded = np.frombuffer(path.read_bytes(), np.uint8)
        return to_bgr8(cv2.imdecode(encoded, cv2.IMREAD_COLOR))
    except (OSError, cv2.error, RealtimeVibeError):
        return None
