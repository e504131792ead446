"""Frames of a video file, with the file's own times."""

import logging
import math
import threading
import time
from pathlib import Path
from typing import NamedTuple

import cv2

from realtime_vibe.errors import SourceError
from realtime_vibe.packets import Frame, ImageArray
from realtime_vibe.sources.base import SourceInfo
from realtime_vibe.sources.opencv import (
    Capture,
    plausible_count,
    plausible_fps,
    quiet_opencv,
    to_bgr8,
)
from realtime_vibe.sources.pacing import Pacer
from realtime_vibe.system.closing import OpenedByWith
from realtime_vibe.system.timing import Clock

logger = logging.getLogger(__name__)

ASSUMED_FPS = 30.0
LOCK_TIMEOUT_S = 1.5
TOLERATED_LOSS = 0.03  # the frame count of a container is often its duration times its mean rate
SNIFFED_BYTES = 4096
TEXT_BYTES = frozenset(range(32, 127)) | {9, 10, 12, 13, 27}


class Picture(NamedTuple):
    """A decoded picture and where the container places it [ms]."""

    image_bgr: ImageArray
    position_ms: float


class MediaClock:
    """Turns a container's positions into times that increase strictly.

    A missing, repeated or backward time stamp becomes the last one plus the nominal frame time.

    Args:
        fps: nominal rate; None is taken as 30.
    """

    def __init__(self, fps: float | None) -> None:
        self._period_s = 1.0 / (fps or ASSUMED_FPS)
        self._last_s = -self._period_s
        self._offset_s = 0.0

    def stamp(self, position_ms: float) -> float:
        """The time [s] of the frame that the container places at `position_ms`."""
        time_s = self._offset_s + position_ms / 1e3
        if not math.isfinite(time_s) or time_s <= self._last_s:
            time_s = self._last_s + self._period_s
        self._last_s = time_s
        return time_s

    @property
    def elapsed_s(self) -> float:
        """From the start of the file's current round to the end of its last frame [s]."""
        return self._last_s + self._period_s - self._offset_s

    def restart(self) -> None:
        """Continues one frame after the last one: the file starts over."""
        self._offset_s = self._last_s + self._period_s


class VideoFile(OpenedByWith):
    """A video file, every frame in order.

    `Frame.captured_at_s` is media time, so the time between frames is real even where the frame rate
    varies; `Frame.grabbed_at_s` is when the decoded frame was handed out. The picture is turned
    upright by the file's rotation mark.

    Args:
        path: the file.
        paced: hold each frame back until its time, as a camera would; else as fast as it is read.
        loop: start over at the end, for ever; times and indexes go on.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        path: Path,
        *,
        paced: bool = False,
        loop: bool = False,
        clock: Clock = time.perf_counter,
    ) -> None:
        self._path = path
        self._loop = loop
        self._clock = clock
        self._pacer = Pacer(clock) if paced else None
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._index = 0
        self._at_end = False

    @property
    def info(self) -> SourceInfo:
        """What the file is like; valid after `open`."""
        return self._info

    @property
    def status(self) -> str:
        """`ok`, or `end of file`."""
        return "end of file" if self._at_end else "ok"

    def open(self) -> None:
        """Opens the file and decodes its first frame.

        Raises:
            SourceError: missing, empty, not a video, or cut off before its first frame.
        """
        check_video_path(self._path)
        self._capture = open_video(self._path)
        first = self._decode()
        if first is None:
            self._capture.release()
            raise SourceError(
                f"{self._path}: not one frame can be decoded, expected a whole video file; "
                "the file is cut off or damaged"
            )
        self._pending: Picture | None = first
        fps = plausible_fps(self._capture.get(cv2.CAP_PROP_FPS))
        count = plausible_count(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self._media_clock = MediaClock(fps)
        self._info = SourceInfo(
            name=self._path.name,
            width=first.image_bgr.shape[1],
            height=first.image_bgr.shape[0],
            fps=fps,
            frame_count=None if self._loop else count,
            is_live=False,
        )

    def read(self, stop: threading.Event) -> Frame | None:
        """The next frame; None at the end of the file, after `close` or when `stop` is set."""
        if stop.is_set() or self._closed.is_set():
            return None
        picture = self._next_picture()
        if picture is None:
            self._end()
            return None
        time_s = self._media_clock.stamp(picture.position_ms)
        if self._pacer is not None and not self._pacer.wait(time_s, stop, self._closed):
            return None
        frame = Frame(
            image_bgr=picture.image_bgr,
            index=self._index,
            captured_at_s=time_s,
            grabbed_at_s=self._clock(),
        )
        self._index += 1
        return frame

    def close(self) -> None:
        """Releases the file; a paced `read` under way in another thread returns None."""
        self._closed.set()
        if not hasattr(self, "_capture"):
            return
        # Releasing a capture that another thread decodes with crashes FFmpeg: wait for that frame.
        if self._lock.acquire(timeout=LOCK_TIMEOUT_S):
            self._capture.release()
            self._lock.release()
        else:
            logger.error("%s: the file does not answer; it is left open", self._path)

    def _next_picture(self) -> Picture | None:
        picture, self._pending = self._pending, None
        picture = picture or self._decode()
        if picture is None and self._loop and not self._closed.is_set():
            with self._lock:
                self._capture.release()
                self._capture = open_video(self._path)
            self._media_clock.restart()
            picture = self._decode()
        return picture

    def _decode(self) -> Picture | None:
        with self._lock:
            if self._closed.is_set():
                return None
            try:
                if not self._capture.grab():
                    return None
                position_ms = self._capture.get(cv2.CAP_PROP_POS_MSEC)
                image = to_bgr8(self._capture.retrieve()[1])
            except cv2.error as error:
                logger.warning("%s: frame %d: %s", self._path, self._index, error.err)
                return None
        return None if image is None else Picture(image, position_ms)

    def _end(self) -> None:
        if self._at_end or self._closed.is_set():
            return
        self._at_end = True
        warn_if_cut_off(self._info, self._index, self._media_clock.elapsed_s)


def warn_if_cut_off(info: SourceInfo, count: int, elapsed_s: float) -> None:
    """Logs it when clearly fewer frames came than the container promised.

    Counts alone do not tell: containers without a frame count have it estimated from duration and
    mean rate, which is wrong for a variable rate. Only a film that also ended early is cut off.
    """
    if info.frame_count is None or info.fps is None:
        return
    promised_s = info.frame_count / info.fps
    is_short = count < info.frame_count * (1 - TOLERATED_LOSS) - 1
    if is_short and elapsed_s < promised_s * (1 - TOLERATED_LOSS) - 1 / info.fps:
        logger.warning(
            "%s: %d of %d frames could be read; the file is cut off or damaged",
            info.name,
            count,
            info.frame_count,
        )


def check_video_path(path: Path) -> None:
    """Refuses what cannot be a video before OpenCV sees it.

    Text is refused because FFmpeg renders it as a film of a terminal, and because play lists are
    text: one may name files and hosts that the user never meant to open.

    Raises:
        SourceError: missing, a folder, unreadable, empty or text.
    """
    if not path.exists():
        raise SourceError(
            f"{path}: no such file; give a video, a folder of images, a camera or a URL"
        )
    if path.is_dir():
        raise SourceError(f"{path}: is a folder, expected a video file")
    try:
        with path.open("rb") as file:
            head = file.read(SNIFFED_BYTES)
    except OSError as error:
        raise SourceError(
            f"{path}: cannot be read ({error.strerror}); check its permissions"
        ) from None
    if not head:
        raise SourceError(f"{path}: the file is empty (0 bytes), expected a video")
    if all(byte in TEXT_BYTES for byte in head):
        raise SourceError(f"{path}: is a text file, expected a video such as MP4, MKV, AVI or WebM")


def open_video(path: Path) -> Capture:
    """Opens a file that `check_video_path` let through.

    Raises:
        SourceError: not a video, or cut off so early that its index is missing.
    """
    quiet_opencv()
    # The absolute path keeps FFmpeg from taking a name such as `concat:a` for a protocol.
    capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG)
    if not capture.isOpened():
        capture.release()
        raise SourceError(
            f"{path}: cannot be opened as a video (not a video, cut off, or an unknown codec); "
            "try to play it, or convert it: ffmpeg -i IN -c:v libx264 OUT.mp4"
        )
    return capture
