"""Frames that a program makes itself."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from realtime_vibe.errors import ShapeError, SourceError
from realtime_vibe.packets import ImageArray
from realtime_vibe.sources.base import DEFAULT_FPS
from realtime_vibe.sources.opencv import to_bgr8
from realtime_vibe.sources.recorded import PictureSequence

_ADVICE = {
    "f": "; from 0..1: (255 * picture).astype('uint8')",
    "u": "; from 16 bits: (picture >> 8).astype('uint8')",
}
"""By the kind of numbers."""


class GivenFrames(PictureSequence):
    """Pictures from any iterable, one frame each, in order.

    Args:
        frames: arrays (H, W, 3) uint8 BGR, or (H, W) grey; taken from the capture thread, one at a
            time. What it raises reaches whoever takes results.

    Raises:
        SourceError: no possible frame rate, or nothing to iterate over.
    """

    def __init__(self, frames: Iterable[Any], *, fps: float | None = None) -> None:
        if not isinstance(frames, Iterable):
            raise SourceError(
                f"frames: got {type(frames).__name__}, expected pictures one after the other"
            )
        shape: tuple[int, ...] = getattr(frames, "shape", ())
        if len(shape) == 2 or (len(shape) == 3 and shape[-1] <= 4):
            raise SourceError(
                f"frames: got one array of shape {shape}, expected pictures one after the other: [array]"
            )
        images = ((number, _own(picture, number)) for number, picture in enumerate(frames))
        rate = DEFAULT_FPS if fps is None else fps
        super().__init__("frames", images, fps=rate, nothing="not one picture came")


def _own(given: Any, number: int) -> ImageArray:
    """A picture whose memory the program does not use again, as it may for its next one, unless it is locked."""
    image = as_picture(given, f"frames: picture {number}")
    return np.array(image) if image.flags.writeable and np.may_share_memory(image, given) else image


def as_picture(given: Any, name: str) -> ImageArray:
    """What a program gives as a picture, (H, W, 3) uint8 BGR; may share its memory.

    Raises:
        SourceError: it is none; `name` is what to call it.
    """
    shape = getattr(given, "shape", None)
    kind = getattr(given, "dtype", None)
    try:
        image = to_bgr8(given) if kind == np.uint8 and shape and len(shape) in {2, 3} else None
    except ShapeError as error:
        raise SourceError(f"{name}: {error}") from None
    if image is None:
        got = type(given).__name__ if shape is None else f"an array of shape {shape} of {kind}"
        advice = _ADVICE.get(getattr(kind, "kind", ""), "") if shape else ""
        raise SourceError(
            f"{name} is {got}, expected an array (height, width, 3) of uint8, blue first{advice}"
        )
    return image
