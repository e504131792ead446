"""Writes pictures to a video file that plays at the speed of life."""

import logging
import shutil
from pathlib import Path
from typing import IO

import cv2
import numpy as np

from realtime_vibe.errors import OutputError
from realtime_vibe.outputs.base import check_output_path
from realtime_vibe.packets import ImageArray
from realtime_vibe.system.closing import ClosedByWith
from realtime_vibe.system.placing import create_beside, is_same_file

logger = logging.getLogger(__name__)

# By ending, in the order they are tried. H.264 plays everywhere, but the wheels' FFmpeg is LGPL and has no encoder of
# its own: it takes the system's where there is one. MPEG-4 part 2 is in every wheel and for players, not browsers.
# VP8 is for browsers and in every wheel; its successor VP9 takes ten times as long, more than live pictures have.
# Only Matroska and WebM stay readable when the program is killed: an .mp4 has its index at the end.
_CODECS = {
    ".mkv": ("avc1", "mp4v"),
    ".webm": ("VP80",),
    ".mp4": ("avc1", "mp4v"),
    ".avi": ("MJPG",),
}
VIDEO_SUFFIXES = tuple(_CODECS)
"""The formats a video can be written in."""

MAX_HOLD_S = 1.0
"""A gap in time longer than this (a pause, a lost camera) is cut out of the video."""

_MIN_FREE_BYTES = 2_000_000
_CHECK_DISK_EVERY = 30


class VideoWriter(ClosedByWith):
    """One video file with a constant frame rate.

    Pictures that come with a time are put where they belong: repeated while none came, left out when
    they come faster than `fps`. The first picture sets the size; later ones of another size are
    scaled to fit, with black bars. Odd sizes are padded by one pixel, the codec needs even ones.

    Args:
        path: `.mkv` or `.webm` (readable even after a crash), `.mp4` or `.avi`.
        overwrite: replace `path` if it exists; else the video goes beside a file that appears before its first
            picture.

    Raises:
        OutputError: another ending, an existing file, or a folder that is not writable.
    """

    def __init__(self, path: Path, *, fps: float, overwrite: bool = False) -> None:
        check_output_path(path, overwrite=overwrite, suffixes=VIDEO_SUFFIXES)
        self.path = path
        self._fps = fps
        self._overwrite = overwrite
        self._writer: cv2.VideoWriter | None = None
        self._reserved: IO[bytes] | None = None
        """The file itself, open and locked while it is written."""
        self._size = (0, 0)
        self._next_at_s: float | None = None
        """Time of the next free place in the file; None before the first timed picture."""
        self._closed = False
        self.num_frames = 0
        """Frames in the file so far."""

    def write(self, picture: ImageArray, at_s: float | None = None) -> None:
        """Appends a picture (H, W, 3) uint8 BGR of a time [s], any origin; None takes the next place in the file.

        Raises:
            OutputError: the file cannot be opened or the disk is full.
        """
        if self._writer is None:
            self._writer = self._open(picture)
        fitted = fit_into(picture, self._size)
        for _ in range(self._places_until(at_s)):
            self._check_disk()
            self._writer.write(fitted)
            self.num_frames += 1

    def close(self) -> None:
        """Finishes the file; without a single picture there is none. May be called twice.

        Raises:
            OutputError: the file is gone, or holds fewer frames than were written.
        """
        if self._closed:
            return
        self._closed = True
        if self._writer is None or self._reserved is None:
            logger.warning("no picture came, %s is not written", self.path)
            return
        self._writer.release()
        with self._reserved:
            if not is_same_file(self._reserved, self.path):
                raise OutputError(f"{self.path} was removed or replaced while it was written")
        found = count_frames(self.path)
        if not found:
            self.path.unlink(missing_ok=True)  # nothing can be made of it
        if found < self.num_frames:
            raise OutputError(
                f"{self.path} holds {found} of {self.num_frames} frames: is the disk full, or are files of "
                "this size not allowed?"
            )
        if found:
            logger.info("recorded %s", self.path.name)

    def _open(self, picture: ImageArray) -> cv2.VideoWriter:
        height, width = picture.shape[:2]
        self._size = (width + width % 2, height + height % 2)
        self.path, self._reserved = create_beside(self.path, overwrite=self._overwrite)
        for codec in _CODECS[self.path.suffix.lower()]:
            # The absolute path keeps FFmpeg from taking a name such as `12:30.mkv` for a protocol.
            name, fourcc = str(self.path.absolute()), cv2.VideoWriter.fourcc(*codec)
            writer = cv2.VideoWriter(name, cv2.CAP_FFMPEG, fourcc, self._fps, self._size)
            if writer.isOpened():
                return writer
        with self._reserved:
            self.path.unlink(missing_ok=True)
        raise OutputError(
            f"{self.path}: OpenCV cannot write {self._size[0]}x{self._size[1]} video at "
            f"{self._fps:g} frames/s here"
        )

    def _places_until(self, at_s: float | None) -> int:
        """How many times the picture is written so that the file's clock reaches `at_s`."""
        if at_s is None:
            return 1
        step_s = 1.0 / self._fps
        if self._next_at_s is None or abs(at_s - self._next_at_s) > MAX_HOLD_S:
            self._next_at_s = at_s
        # Half a step of slack: time stamps jitter around the grid.
        places = max(0, round((at_s - self._next_at_s) / step_s) + 1)
        self._next_at_s += places * step_s
        return places

    def _check_disk(self) -> None:
        # OpenCV swallows write errors, so a full disk has to be seen coming.
        if self.num_frames % _CHECK_DISK_EVERY == 0:
            free = shutil.disk_usage(self.path.parent).free
            if free < _MIN_FREE_BYTES:
                raise OutputError(
                    f"the disk of {self.path} is full: its first {self.num_frames} frames are kept"
                )


def count_frames(path: Path) -> int:
    """How many frames of a video can be read: its packets are counted, not decoded."""
    capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG, [cv2.CAP_PROP_FORMAT, -1])
    count = 0
    while capture.grab():
        count += 1
    capture.release()
    return count


def fit_into(picture: ImageArray, size: tuple[int, int]) -> ImageArray:
    """Scales a picture (H, W, 3) uint8 to (width, height) [px], centred on black; one that nearly fits is only padded.

    The picture itself when it has that size.
    """
    width, height = size
    if picture.shape[:2] == (height, width):
        return picture
    spare = (width - picture.shape[1], height - picture.shape[0])
    if min(spare) < 0 or max(spare) > 1:
        scale = min(width / picture.shape[1], height / picture.shape[0])
        fitted_size = (
            min(width, max(1, round(picture.shape[1] * scale))),
            min(height, max(1, round(picture.shape[0] * scale))),
        )
        resized = cv2.resize(picture, fitted_size, interpolation=cv2.INTER_AREA)
        picture = np.asarray(resized, np.uint8)
    bottom, right = height - picture.shape[0], width - picture.shape[1]
    top, left = bottom // 2, right // 2
    padded = cv2.copyMakeBorder(
        picture, top, bottom - top, left, right - left, cv2.BORDER_CONSTANT, value=(0, 0, 0)
    )
    return np.asarray(padded, np.uint8)
