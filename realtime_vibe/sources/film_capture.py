"""A film or stream through FFmpeg as a player shows it: square pixels, its own sizes, past damage."""

import math
import re
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from realtime_vibe.errors import SourceError
from realtime_vibe.packets import ImageArray
from realtime_vibe.sources.mp4_track import VideoTrack
from realtime_vibe.sources.opencv import (
    MAX_FILM_PIXELS,
    plausible_count,
    plausible_fps,
    to_bgr8,
)
from realtime_vibe.sources.picture_shape import PictureShape, ShapeWatch, is_turned, scaled_to

JPEG_TAGS = frozenset(cv2.VideoWriter.fourcc(*tag) for tag in ("MJPG", "mjpg", "jpeg"))
# Inside a picture's data 0xFF is followed by 0, a restart mark, or what begins the next scan.
BROKEN_SCAN = re.compile(rb"\xff[^\x00\xc4\xd0-\xd9\xda\xdd\xfe\xff]")
SCAN = b"\xff\xda"
END_OF_JPEG = b"\xff\xd9"

PACKETS_AHEAD = 16
BAD_PACKETS_AT_MOST = 300
"""Ten seconds at 30 fps; at a film's end so many grabs fail at once in less than a millisecond."""
TRYING_S = 2.0
"""How long packets that give no picture are read on, at most [s]."""
JUMPS_AT_MOST = 20
FIRST_JUMP_MS = 250.0


class FilmCapture:
    """Wraps an opened FFmpeg capture; every picture is (H, W, 3) uint8 with square pixels.

    Damaged packets are passed over and counted. Motion-JPEG is decoded here, each picture at its own
    size; for other codecs sizes that change are found by a `ShapeWatch`. Where the container itself is
    broken before its end, reading goes on behind the spot.

    Args:
        capture: open, nothing grabbed yet; owned from now on.
        is_recorded: read on past damage; a live stream tells its reader about every failed grab.
        reopen: opens the same medium once more; None where it can be read only once.
        packets: opens the second capture that sizes are read from; None: they are taken as constant.
        track: what the container says beyond what `capture` tells.
        then: called once the decoder is gone; before that, a pipe must not be closed under it.

    Raises:
        SourceError: its pictures are too large.
    """

    def __init__(
        self,
        capture: cv2.VideoCapture,
        *,
        is_recorded: bool,
        reopen: Callable[[], cv2.VideoCapture] | None = None,
        packets: Callable[[], cv2.VideoCapture] | None = None,
        track: VideoTrack = VideoTrack(),  # noqa: B008 - frozen
        then: Callable[[], object] = lambda: None,
    ) -> None:
        self._capture = capture
        self._is_recorded = is_recorded
        self._reopen = reopen
        self._then = then
        self._watch: ShapeWatch | None = None
        self._shape = shape = PictureShape.of(capture)
        if shape.width * shape.height > MAX_FILM_PIXELS:
            self.release()
            raise SourceError(
                f"its pictures have {shape.width}x{shape.height} px, expected at most 8K"
            )
        self._turned = is_turned(capture)
        self._is_mirrored = track.is_mirrored
        # OpenCV turns what it has decoded itself alone.
        self._is_jpeg = is_jpeg(capture) and not capture.get(cv2.CAP_PROP_ORIENTATION_META)
        self._fps = plausible_fps(capture.get(cv2.CAP_PROP_FPS))
        self._num_frames = plausible_count(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        shown_s = track.shown_s
        if shown_s is not None and self._fps and self._num_frames:
            self._num_frames = min(self._num_frames, math.ceil(shown_s * self._fps))
        if self._is_jpeg:
            capture.set(cv2.CAP_PROP_FORMAT, -1)  # encoded pictures
        elif packets is not None:
            ahead = 0 if reopen is None else PACKETS_AHEAD
            self._watch = ShapeWatch(packets(), self._shape, ahead=ahead)
        self._image: ImageArray | None = None
        self._count = 0
        self._position_ms = 0.0
        self._jumps_left = JUMPS_AT_MOST
        self.num_lost = 0
        """Pictures that could not be read between others that could."""

    def grab(self) -> bool:
        """Goes to the next picture that can be read; false at the end."""
        if self._grab_within(BAD_PACKETS_AT_MOST if self._is_recorded else 1):
            return True
        return self._is_recorded and self._jump()

    def retrieve(self) -> tuple[bool, Any]:
        """The picture last grabbed."""
        image = self._image if self._is_jpeg else to_bgr8(self._capture.retrieve()[1])
        if image is None:
            return False, None
        if self._is_jpeg:
            height, width = image.shape[:2]
            # Interlaced Motion-JPEG holds two fields in a packet, of which one is decoded.
            if (width, 2 * height) == (self._shape.width, self._shape.height):
                height *= 2
            shape = PictureShape(width=width, height=height, pixel_aspect=self._shape.pixel_aspect)
        elif self._watch is not None:
            shape = self._watch.shape_of(self._count - 1 + self.num_lost, self._position_ms)
        else:
            shape = self._shape
        image = scaled_to(image, shape.shown(turned=self._turned))
        if self._is_mirrored:  # in the stored picture's rows, which a quarter turn made columns
            image = np.ascontiguousarray(image[:, ::-1] if self._turned else image[::-1])
        return True, image

    def get(self, propId: int, /) -> float:
        """A property of the capture."""
        if propId == cv2.CAP_PROP_FRAME_COUNT and self._num_frames is not None:
            return self._num_frames
        return self._capture.get(propId)

    def release(self) -> None:
        """Gives everything back."""
        if self._watch is not None:
            self._watch.close()
        self._capture.release()
        self._then()

    def _grab_within(self, attempts: int) -> bool:
        failed = 0
        give_up_s = time.perf_counter() + TRYING_S
        while failed < attempts:
            if self._grab_one():
                self.num_lost += failed
                return True
            failed += 1
            if (
                time.perf_counter() > give_up_s
            ):  # a server that has fallen silent, not a damaged spot
                return False
        return False

    def _grab_one(self) -> bool:
        if not self._capture.grab():
            return False
        if self._is_jpeg:
            got, packet = self._capture.retrieve()
            self._image = decoded_jpeg(packet.tobytes()) if got else None
            if self._image is None:
                return False
        self._count += 1
        self._position_ms = self._capture.get(cv2.CAP_PROP_POS_MSEC)
        return True

    def _jump(self) -> bool:
        """Goes on behind a spot where the container cannot be read; false at the true end."""
        if self._reopen is None or self._fps is None or self._num_frames is None:
            return False
        period_ms = 1e3 / self._fps
        last_ms = self._position_ms
        end_ms = (self._num_frames - 1.5) * period_ms
        step_ms = FIRST_JUMP_MS
        give_up_s = time.perf_counter() + TRYING_S
        while self._jumps_left and last_ms + step_ms < end_ms and time.perf_counter() < give_up_s:
            self._jumps_left -= 1
            capture = self._reopen()
            if self._is_jpeg:
                capture.set(cv2.CAP_PROP_FORMAT, -1)
            capture.set(cv2.CAP_PROP_POS_MSEC, last_ms + step_ms)
            self._capture, before = capture, self._capture
            if self._grab_after(last_ms):
                before.release()
                self.num_lost += max(0, round((self._position_ms - last_ms) / period_ms) - 1)
                return True
            self._capture = before
            capture.release()
            step_ms *= 2
        return False

    def _grab_after(self, last_ms: float) -> bool:
        for _ in range(BAD_PACKETS_AT_MOST):
            if self._grab_one():
                if self._position_ms > last_ms:
                    return True
                self._count -= 1
        self._position_ms = last_ms
        return False


def is_jpeg(capture: cv2.VideoCapture) -> bool:
    """Whether the film is a series of JPEGs."""
    return int(capture.get(cv2.CAP_PROP_FOURCC)) in JPEG_TAGS


def decoded_jpeg(packet: bytes) -> ImageArray | None:
    """A picture of a Motion-JPEG film, from one whole JPEG; None where it is damaged.

    What is cut off or scrambled is refused here: the decoder would fill the rest with grey, and complain on stderr.
    """
    scan, end = packet.rfind(SCAN), packet.rfind(END_OF_JPEG)
    if scan < 0 or end < scan or BROKEN_SCAN.search(packet, scan + len(SCAN), end):
        return None
    return to_bgr8(cv2.imdecode(np.frombuffer(packet, np.uint8), cv2.IMREAD_COLOR))
