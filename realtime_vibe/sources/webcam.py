"""Cameras at this computer."""

import logging
import os
import sys
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2

from realtime_vibe.errors import SourceError
from realtime_vibe.packets import ImageArray
from realtime_vibe.sources.base import DEFAULT_FPS
from realtime_vibe.sources.cameras import (
    CameraInfo,
    camera_backends,
    describe_cameras,
    list_cameras,
)
from realtime_vibe.sources.live import LiveDevice, LiveSource
from realtime_vibe.sources.opencv import quiet_opencv
from realtime_vibe.system.timing import Clock

logger = logging.getLogger(__name__)

DEFAULT_SIZE = (640, 480)
PRESENCE_S = 1.0
MJPG = cv2.VideoWriter.fourcc(*"MJPG")

NewCapture = Callable[..., cv2.VideoCapture]
"""From a camera's index or device file and a backend to a capture."""


def webcam_source(
    camera: int | str,
    *,
    size: tuple[int, int] = DEFAULT_SIZE,
    fps: float = DEFAULT_FPS,
    new_capture: NewCapture = cv2.VideoCapture,
) -> LiveSource:
    """A source for a camera, by its index or device file; asked for (width, height) [px] and a rate, it does what it can."""
    opener = CameraOpener(camera, size, fps, new_capture)
    return LiveSource(
        LiveDevice(
            name=opener.name,
            open_capture=opener.open,
            open_limit_s=10.0,
            patience_s=2.0,
            stuck_s=5.0,
            is_fresh=Freshness(opener.is_present),
        )
    )


class Freshness:
    """Tells new pictures from those of a camera that has gone.

    Some drivers repeat the last picture for ever, or deliver black, once the camera is unplugged.
    A working sensor is noisy: no two of its pictures are the same, and none is all zeros. A virtual
    camera that shows a still picture, or one behind its shutter, is not gone: the system knows it, as `is_present`
    says; it is asked once a second at most, and only while pictures repeat.
    """

    def __init__(
        self, is_present: Callable[[], bool] = lambda: False, *, clock: Clock = time.perf_counter
    ) -> None:
        self._is_present = is_present
        self._clock = clock
        self._asked_at_s = float("-inf")
        self._was_present = False
        self._last_checksum: int | None = None

    def __call__(self, image: ImageArray) -> bool:
        """Whether `image` (H, W, 3) is new; looks at every 16th row (0.03 ms for 640x480)."""
        rows = image[::16]
        checksum = zlib.crc32(rows.tobytes())
        is_new = checksum != self._last_checksum and bool(rows.any())
        self._last_checksum = checksum
        return is_new or self._still_there()

    def _still_there(self) -> bool:
        now_s = self._clock()
        if now_s - self._asked_at_s > PRESENCE_S:
            self._asked_at_s = now_s
            self._was_present = self._is_present()
        return self._was_present


class CameraOpener:
    """Opens one camera (index or device file), again and again if need be.

    After a replug the system may number the camera anew; it is then found by its name.
    """

    def __init__(
        self, camera: int | str, size: tuple[int, int], fps: float, new_capture: NewCapture
    ) -> None:
        self._camera = camera
        self._size = size
        self._fps = fps
        self._new_capture = new_capture
        self._product: str | None = None
        self.name = f"camera {camera}"
        """For messages and the HUD."""

    def open(self, stop: threading.Event) -> cv2.VideoCapture:
        """Opens the camera and sets it up.

        Raises:
            SourceError: absent, busy or forbidden; says which cameras there are.
        """
        quiet_opencv()
        cameras = list_cameras()
        target = self._find(cameras)
        for backend in camera_backends():
            if stop.is_set():
                break
            capture = self._new_capture(target, backend)
            if capture.isOpened():
                set_up_camera(capture, self._size, self._fps)
                return capture
            capture.release()
        raise SourceError(explain_no_camera(target, cameras))

    def is_present(self) -> bool:
        """Whether the system knows the camera, opened or not."""
        if sys.platform == "linux":
            camera = self._camera
            return Path(f"/dev/video{camera}" if isinstance(camera, int) else camera).exists()
        else:  # noqa: RET505 - what follows a test of the platform is dead code to mypy
            return any(self._camera in {known.index, known.path} for known in list_cameras())

    def _find(self, cameras: tuple[CameraInfo, ...]) -> int | str:
        here = [known for known in cameras if self._camera in {known.index, known.path}]
        if self._product is None:
            self._product = here[0].name if here else None
            return self._camera
        if not here:
            twins = [known for known in cameras if known.name == self._product]
            if len(twins) == 1:
                return twins[0].index
        return self._camera


def set_up_camera(capture: cv2.VideoCapture, size: tuple[int, int], fps: float) -> None:
    """Asks for Motion-JPEG, size, rate and the shortest queue, and logs what came of it.

    Uncompressed video is often limited to 10 fps by USB. DirectShow forgets the format when the size
    changes, so there it comes last; other systems need it first.
    """
    steps = [
        (cv2.CAP_PROP_FOURCC, MJPG),
        (cv2.CAP_PROP_FRAME_WIDTH, size[0]),
        (cv2.CAP_PROP_FRAME_HEIGHT, size[1]),
        (cv2.CAP_PROP_FPS, fps),
    ]
    if sys.platform == "win32":
        steps = [*steps[1:], steps[0]]
    for setting, value in [*steps, (cv2.CAP_PROP_BUFFERSIZE, 1)]:
        capture.set(setting, value)
    width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
    height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    if (width, height) != size:
        logger.warning("the camera delivers %dx%d px, asked for %dx%d", width, height, *size)


def explain_no_camera(camera: int | str, cameras: tuple[CameraInfo, ...]) -> str:
    """Why a camera may not open, and what to do; one line."""
    found = describe_cameras(cameras)
    if sys.platform == "linux":
        path = Path(f"/dev/video{camera}" if isinstance(camera, int) else camera)
        if not path.exists():
            return f"camera {camera}: there is no {path} ({found}); plug one in or choose another"
        if not os.access(path, os.R_OK | os.W_OK):
            return (
                f"camera {camera}: {path} may not be opened by this user; "
                "run `sudo usermod -aG video $USER` and log in again"
            )
    elif all(camera not in {known.index, known.path} for known in cameras):
        return f"camera {camera}: there is no such camera ({found}); plug one in or choose another"
    permit = (
        "; allow the terminal to use it in Privacy > Camera" if sys.platform == "darwin" else ""
    )
    return (
        f"camera {camera}: it cannot be opened ({found}); "
        f"close other programs that use it, or replug it{permit}"
    )
