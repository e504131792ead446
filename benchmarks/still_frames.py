"""Frames of somebody who stands still: a recording, or one picture that a webcam goes on showing.

Of a clip folder the first picture of `video.mp4` is held, scaled so that its longer side has at most
960 px, and every frame is degraded anew:

* moved by a slow sub-pixel wander of 0.3 px (standard deviation, each way, 0.1 to 0.6 Hz), so that
  edges cross the pixel grid; on a person 2.5 to 4 m away that is a true speed of about 2 mm/s;
* brightness flickers by 0.3 % (lamps, exposure);
* sensor noise, white and Gaussian, of standard deviation sqrt(1 + 0.015 v) grey levels at grey level
  v: 1 in the dark, 2.2 in white, as a webcam in a lit room has;
* JPEG of quality 85, as webcams send.

Nobody breathes or sways in such frames: nearly all speed seen in them is the program's own jitter.
"""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy_clips import VIDEO_NAME
from realtime_vibe.errors import DatasetError
from realtime_vibe.packets import Frame, ImageArray
from realtime_vibe.sources.opencv import plausible_fps, quiet_opencv

HELD_FPS = 30.0

_LONGEST_SIDE_PX = 960
_WANDER_PX = 0.3
_WANDER_HZ = np.array([0.1, 0.23, 0.37, 0.6])
_FLICKER = 0.003
_DARK_VARIANCE = 1.0
_VARIANCE_PER_LEVEL = 0.015
_JPEG_QUALITY = 85


@dataclass(frozen=True, slots=True, kw_only=True)
class StillSource:
    """Where frames of somebody who stands still come from."""

    name: str
    path: Path
    """A video."""
    held: bool
    """Whether its first picture is held; else the video is played, whole."""

    def frames(self, seconds: float) -> Generator[Frame]:
        """The frames in order.

        Args:
            seconds: how long a picture is held [s].

        Raises:
            DatasetError: the video cannot be read.
        """
        if not self.held:
            yield from played(self.path)
            return
        for index, image in enumerate(held_still(first_picture(self.path), seconds)):
            yield _frame(image, index, HELD_FPS)


def find_sources(path: Path) -> tuple[StillSource, ...]:
    """A video to play, or the clip folders whose first pictures are held.

    Raises:
        DatasetError: there is neither.
    """
    if path.is_file():
        return (StillSource(name=path.name, path=path, held=False),)
    folders = [path, *sorted(path.glob("*/"))]
    videos = [folder / VIDEO_NAME for folder in folders if (folder / VIDEO_NAME).is_file()]
    if not videos:
        raise DatasetError(f"no video at {path} and no {VIDEO_NAME} in it; expected one of them")
    return tuple(
        StillSource(name=video.resolve().parent.name, path=video, held=True) for video in videos
    )


def held_still(image: ImageArray, seconds: float, seed: int = 0) -> Generator[ImageArray]:
    """One picture as a camera would go on showing it, at `HELD_FPS`; see the top of this file.

    Args:
        image: (H, W, 3).
        seconds: how long [s].
        seed: same seed, same frames.
    """
    rng = np.random.default_rng(seed)
    num_frames = round(seconds * HELD_FPS)
    wander_px = _wander_px(rng, num_frames)
    height, width = image.shape[:2]
    for shift in wander_px:
        moved = cv2.warpAffine(
            image.astype(np.float32),
            np.array([[1.0, 0.0, shift[0]], [0.0, 1.0, shift[1]]]),
            (width, height),
            flags=cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        )
        bright = moved * np.float32(rng.normal(1.0, _FLICKER))
        spread = np.sqrt(_DARK_VARIANCE + _VARIANCE_PER_LEVEL * np.maximum(bright, 0))
        noisy = bright + spread * rng.standard_normal(bright.shape, np.float32)
        pixels = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
        _, jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        yield np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)


def first_picture(path: Path) -> ImageArray:
    """(H, W, 3) the first picture of a video, scaled down to at most 960 px; never enlarged.

    Raises:
        DatasetError: the video cannot be read.
    """
    playing = played(path)
    image = next(playing).image_bgr
    playing.close()
    height, width = image.shape[:2]
    scale = min(_LONGEST_SIDE_PX / max(height, width), 1.0)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def played(path: Path) -> Generator[Frame]:
    """Every frame of a video, stamped by the frame rate it states.

    Raises:
        DatasetError: the video cannot be read, or states no frame rate.
    """
    quiet_opencv()
    capture = cv2.VideoCapture(str(path))
    try:
        fps = plausible_fps(capture.get(cv2.CAP_PROP_FPS)) if capture.isOpened() else None
        is_read, image = capture.read()
        if fps is None or not is_read:
            raise DatasetError(f"{path} cannot be read as a video with a frame rate")
        index = 0
        while is_read:
            yield _frame(np.asarray(image, np.uint8), index, fps)
            index += 1
            is_read, image = capture.read()
    finally:
        capture.release()


def _frame(image: ImageArray, index: int, fps: float) -> Frame:
    return Frame(image_bgr=image, index=index, captured_at_s=index / fps, grabbed_at_s=0.0)


def _wander_px(rng: np.random.Generator, num_frames: int) -> NDArray[np.float64]:
    """(num_frames, 2): slow waves of `_WANDER_PX` standard deviation."""
    phase = rng.uniform(0, 2 * np.pi, (len(_WANDER_HZ), 1, 2))
    times_s = np.arange(num_frames) / HELD_FPS
    waves = np.sin(2 * np.pi * _WANDER_HZ[:, None, None] * times_s[:, None] + phase)
    amplitude = _WANDER_PX * np.sqrt(2.0 / len(_WANDER_HZ))
    return np.asarray(amplitude * waves.sum(axis=0), np.float64)
