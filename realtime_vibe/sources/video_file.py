"""Frames of a video file, the bundled demo clip among them, with the file's own times."""

import logging
import threading
from pathlib import Path

import cv2

from realtime_vibe.errors import SourceError
from realtime_vibe.sources.base import Picture
from realtime_vibe.sources.film_capture import FilmCapture
from realtime_vibe.sources.film_opening import open_file, what_is_no_film
from realtime_vibe.sources.media_clock import MediaClock
from realtime_vibe.sources.mp4_track import read_track
from realtime_vibe.sources.opencv import Capture, plausible_count, plausible_fps
from realtime_vibe.sources.recorded import RecordedSource
from realtime_vibe.system.file_boundary import file_boundary, open_regular

logger = logging.getLogger(__name__)

LOCK_TIMEOUT_S = 1.5
SNIFFED_BYTES = 4096


def demo_clip_path() -> Path:
    """`assets/demo.mp4`: one person stands, squats and stands, 94 frames that loop seamlessly.

    512x640 px at 30 fps, a level camera, the person at an angle to it.
    """
    return Path(__file__).resolve().parent.parent / "assets" / "demo.mp4"


class VideoFile(RecordedSource):
    """A video file, every frame in order.

    The picture is turned upright and mirrored as the file's display matrix says.

    Args:
        loop: start over at the end, for ever; times and indexes go on.
        fps: rate to assume where the file holds no times.
    """

    def __init__(
        self,
        path: Path,
        *,
        paced: bool = False,
        loop: bool = False,
        fps: float | None = None,
    ) -> None:
        super().__init__(paced=paced)
        self._path = path
        self._loop = loop
        self._asked_fps = fps
        self._lock = threading.Lock()

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
        fps = plausible_fps(self._capture.get(cv2.CAP_PROP_FPS))
        # A count is mostly made of duration and rate: without a rate, as of DV, it is made of nothing.
        count = plausible_count(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)) if fps else None
        clock = MediaClock.of_film(self._path.name, fps, count, self._asked_fps)
        shown_count = None if self._loop else count
        self._begin(self._path.name, first, clock, fps=fps and clock.fps, frame_count=shown_count)

    def close(self) -> None:
        """Releases the file; a paced `read` under way in another thread returns None."""
        super().close()
        if not hasattr(self, "_capture"):
            return
        # Releasing a capture that another thread decodes with crashes FFmpeg: wait for that frame.
        if self._lock.acquire(timeout=LOCK_TIMEOUT_S):
            self._capture.release()
            self._lock.release()
        else:
            logger.error("%s: the file does not answer; it is left open", self._path)

    def _next_picture(self, _stop: threading.Event, /) -> Picture | None:
        picture = self._decode()
        if picture is None and self._loop and not self._closed.is_set():
            with self._lock:
                self._capture.release()
                self._capture = open_video(self._path)
            self._media_clock.restart()
            picture = self._decode()
        if picture is None:
            self._end(self._capture.num_lost)
        return picture

    def _decode(self) -> Picture | None:
        with self._lock:
            if self._closed.is_set():
                return None
            try:
                if not self._capture.grab():
                    return None
                position_ms = self._capture.get(cv2.CAP_PROP_POS_MSEC)
                _, image = self._capture.retrieve()
            except cv2.error as error:
                logger.warning("%s: frame %d: %s", self._path, self._index, error.err)
                return None
        return None if image is None else Picture(image_bgr=image, position_ms=position_ms)


def check_video_path(path: Path) -> None:
    """Refuses what cannot be a video before OpenCV sees it.

    Raises:
        SourceError: missing, a folder, unreadable or empty.
    """
    advice = "give a video, a folder of images, a camera or a URL"
    with file_boundary(path, SourceError, advice), open_regular(path) as file:
        if not file.read(1):
            raise SourceError("the file is empty (0 bytes), expected a video")


def open_video(path: Path) -> FilmCapture:
    """Opens a file that `check_video_path` let through.

    Raises:
        SourceError: not a video, or cut off so early that its index is missing.
    """
    capture = open_file(path)
    if not capture.isOpened():
        capture.release()
        with file_boundary(path, SourceError), open_regular(path) as file:
            raise SourceError(what_is_no_film(file.read(SNIFFED_BYTES), path.suffix))

    def reopen() -> Capture:
        return open_file(path)

    with file_boundary(path, SourceError):
        return FilmCapture(
            capture,
            is_recorded=True,
            reopen=reopen,
            packets=reopen,
            track=read_track(path),
        )
