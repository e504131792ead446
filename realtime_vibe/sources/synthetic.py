"""A moving person without a camera."""

import math
import threading
import time

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_vibe.errors import SourceError
from realtime_vibe.packets import Frame, ImageArray
from realtime_vibe.sources.base import SourceInfo
from realtime_vibe.sources.media_clock import wait_until
from realtime_vibe.sources.video_file import VideoFile, demo_clip_path
from realtime_vibe.system.closing import ClosedByWith
from realtime_vibe.system.timing import Clock

CLIP_FPS = 30.0
CLIP_FRAMES = 30
PAN_PERIOD_S = 7.0
ZOOM_PERIOD_S = 11.0

MIN_SIZE_PX = 64
"""Nobody is found in smaller pictures."""


class SyntheticSource(ClosedByWith):
    """The first second of the bundled demo clip, played to and fro, panned and zoomed, for ever.

    A drawn figure would be no test: person detectors look for people. The picture is a pure function
    of the frame's number, size and rate.

    Args:
        size: (width, height) [px], at least 64 each.
        fps: exact frame rate.
        paced: deliver frames when they are due by the clock, and skip those nobody came for, as a
            camera does (`info.is_live`); else every frame as fast as it is read, with media times.

    Raises:
        SourceError: the size or the rate cannot be served, or the bundled clip is missing or damaged.
    """

    status = "ok"

    def __init__(
        self,
        *,
        size: tuple[int, int] = (640, 480),
        fps: float = 30.0,
        paced: bool = True,
        clock: Clock = time.perf_counter,
    ) -> None:
        if min(size) < MIN_SIZE_PX or not math.isfinite(fps) or fps <= 0:
            raise SourceError(
                f"synthetic source: got {size[0]}x{size[1]} px at {fps} fps, expected at least "
                f"{MIN_SIZE_PX}x{MIN_SIZE_PX} px and a rate above 0"
            )
        self._size = size
        self._fps = fps
        self._paced = paced
        self._clock = clock
        self._next_index = 0
        self._started_at_s = 0.0
        self._closed = threading.Event()
        self._clip = _read_clip()
        self.info = SourceInfo(
            name="synthetic",
            width=size[0],
            height=size[1],
            fps=fps,
            frame_count=None,
            is_live=paced,
        )
        """Size and rate as asked for."""

    def read(self, stop: threading.Event) -> Frame | None:
        """The next frame; None after `close` or when `stop` is set."""
        if self._next_index == 0:
            self._started_at_s = self._clock()
        index = self._next_index
        if self._paced:
            elapsed_s = self._clock() - self._started_at_s
            index = max(index, math.floor(elapsed_s * self._fps))
            due_s = self._started_at_s + index / self._fps
            wait_until(due_s, stop, self._closed, clock=self._clock)
        if stop.is_set() or self._closed.is_set():
            return None
        grabbed_at_s = self._clock()
        self._next_index = index + 1
        return Frame(
            image_bgr=self._render(index),
            index=index,
            captured_at_s=grabbed_at_s if self._paced else index / self._fps,
            grabbed_at_s=grabbed_at_s,
        )

    def close(self) -> None:
        """Ends a waiting `read`."""
        self._closed.set()

    def _render(self, index: int) -> ImageArray:
        time_s = index / self._fps
        still = self._clip[math.floor(time_s * CLIP_FPS) % len(self._clip)]
        warped = cv2.warpAffine(
            still,
            _view((still.shape[1], still.shape[0]), self._size, time_s),
            self._size,
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=(96, 96, 96),
        )
        return np.asarray(warped, np.uint8)


def _view(clip_size: tuple[int, int], size: tuple[int, int], time_s: float) -> NDArray[np.float64]:
    """The (2, 3) affine map from clip pixels to a slowly panned and zoomed picture of `size`."""
    fit = min(size[0] / clip_size[0], size[1] / clip_size[1])
    zoom = fit * (1.0 + 0.08 * math.sin(2 * math.pi * time_s / ZOOM_PERIOD_S))
    pan_px = 0.06 * size[0] * math.sin(2 * math.pi * time_s / PAN_PERIOD_S)
    x_px = size[0] / 2 + pan_px - zoom * clip_size[0] / 2
    y_px = size[1] / 2 - zoom * clip_size[1] / 2
    return np.array([[zoom, 0.0, x_px], [0.0, zoom, y_px]])


def _read_clip() -> list[ImageArray]:
    """Its first pictures, to and fro."""
    never = threading.Event()
    images: list[ImageArray] = []
    with VideoFile(demo_clip_path()) as clip:
        while len(images) < CLIP_FRAMES and (frame := clip.read(never)) is not None:
            images.append(frame.image_bgr)
    return images + images[-2:0:-1]
