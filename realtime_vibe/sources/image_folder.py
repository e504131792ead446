"""Frames from single images: a file, a folder or a pattern."""

import glob
import logging
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath

import cv2
import numpy as np

from realtime_vibe.errors import SourceError
from realtime_vibe.packets import ImageArray
from realtime_vibe.sources.base import DEFAULT_FPS
from realtime_vibe.sources.opencv import quiet_opencv, to_bgr8
from realtime_vibe.sources.recorded import PictureSequence
from realtime_vibe.system.file_boundary import file_boundary, read_regular

logger = logging.getLogger(__name__)

SUFFIXES = frozenset(
    {".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"}
)
VIDEO_SUFFIXES = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpg", ".ts", ".webm"})
_MOST_BYTES = 1 << 30
"""Of a picture; OpenCV has its own limit of pixels."""


class ImageFolder(PictureSequence):
    """Images as the frames of a film, in natural order (`2.png` before `10.png`).

    An image that cannot be read, or that is missing in a row of numbers, costs a warning; the next one keeps its time.
    Sizes may differ. Pictures are turned upright by their EXIF mark. `paced` holds each frame back until its time.

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
    ) -> None:
        if not paths:
            raise SourceError(
                f"{name}: holds no images, expected at least one of {', '.join(sorted(SUFFIXES))}"
            )
        self.skipped = 0
        """Number of images that could not be read so far."""
        super().__init__(
            name,
            self._readable(name, sorted(paths, key=natural_key)),
            fps=fps,
            paced=paced,
            frame_count=len(paths),  # unreadable ones included
            nothing=f"not one of {len(paths)} images can be read; they are empty, damaged or not images",
        )

    @property
    def status(self) -> str:
        """`ok`, or how many images were skipped."""
        return f"{self.skipped} unreadable images skipped" if self.skipped else "ok"

    def _readable(self, name: str, paths: Sequence[Path]) -> Iterator[tuple[int, ImageArray]]:
        quiet_opencv()
        for place, path in zip(_places(name, paths), paths, strict=True):
            if self._closed.is_set():
                return
            image = read_image(path)
            if image is not None:
                yield place, image
                continue
            self.skipped += 1
            logger.warning("%s: cannot be read as an image; skipped", path)


def _places(name: str, paths: Sequence[Path]) -> list[int]:
    """The place in time of each image; those missing in a row of numbers keep theirs, so that motion keeps its speed."""
    in_turn = list(range(len(paths)))
    pieces = [re.split(r"(\d+)(?=\D*$)", str(path)) for path in paths]
    if any(len(each) != 3 or not each[1].isdecimal() for each in pieces):
        return in_turn
    if len({(head, ending) for head, _, ending in pieces}) > 1:
        return in_turn
    numbers = [int(number) for _, number, _ in pieces]
    step = math.gcd(*(number - numbers[0] for number in numbers)) or 1
    places = [(number - numbers[0]) // step for number in numbers]
    num_missing = places[-1] + 1 - len(places)
    # More than there are: times of day, or pieces of several films.
    if not 0 < num_missing <= len(places) or len(set(places)) < len(places):
        return in_turn
    first = numbers[0] + step * next(place for place in in_turn if places[place] > place)
    logger.warning(
        "%s: %d images of the row are missing, the first is number %d", name, num_missing, first
    )
    return places


def folder_source(folder: Path, *, fps: float, paced: bool) -> ImageFolder:
    """All images directly inside `folder`.

    Raises:
        SourceError: there are none, or nobody may look.
    """
    with file_boundary(folder, SourceError):
        found = list(folder.iterdir())
        images = list(filter(is_image, found))
    for suffix, _ in Counter(path.suffix for path in found if is_video(path)).most_common(1):
        advice = f"for its videos give the pattern '{folder / f'*{suffix}'}'"
        if not images:
            raise SourceError(
                f"{folder}: holds no images, which would be played as one film; {advice}"
            )
        logger.warning("%s: its images are played as one film; %s", folder, advice)
    return ImageFolder(str(folder), images, fps=fps, paced=paced)


def glob_source(pattern: str, *, fps: float, paced: bool) -> ImageFolder:
    """All images that match `pattern`.

    Raises:
        SourceError: there are none.
    """
    found = matching(pattern)
    images = list(filter(is_image, found))
    if not images and (videos := list(filter(is_video, found))):
        raise SourceError(
            f"{pattern}: matches {len(videos)} videos, expected images or a single video such as {videos[0]}"
        )
    return ImageFolder(pattern, images, fps=fps, paced=paced)


def matching(pattern: str) -> list[Path]:
    """All files that match a pattern, in order; `**` reaches into sub-folders.

    Raises:
        SourceError: there are none.
    """
    with file_boundary(pattern, SourceError):
        found = glob.glob(pattern, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute pattern
        if files := sorted(path for path in map(Path, found) if path.is_file()):
            return files
        raise SourceError("no file matches this pattern, expected images or films")


def is_image(path: Path) -> bool:
    """Whether the name ends like an image's and the file is there."""
    return path.suffix.lower() in SUFFIXES and path.is_file()


def is_video(path: PurePath) -> bool:
    """Whether the name ends like a video's."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def natural_key(path: Path) -> list[tuple[int, int, str]]:
    """Sorts numbers inside names by value: `a2` before `a10`."""
    pieces = re.split(r"(\d+)", str(path))
    return [(1, int(piece), "") if piece.isdecimal() else (2, 0, piece) for piece in pieces]


def read_image(path: Path) -> ImageArray | None:
    """An image as (H, W, 3) uint8 BGR; None when it cannot be read."""
    try:
        # Not cv2.imread: on Windows it does not open names outside the system's code page.
        encoded = np.frombuffer(read_regular(path, _MOST_BYTES), np.uint8)
        return to_bgr8(cv2.imdecode(encoded, cv2.IMREAD_COLOR))
    except Exception:  # noqa: BLE001 - whatever it became since the folder was listed: it is no image
        return None
