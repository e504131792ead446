"""What every frame source offers, whatever the frames come from."""

import threading
from dataclasses import dataclass
from typing import Protocol

from realtime_vibe.packets import Frame, ImageArray
from realtime_vibe.system.closing import Closable

DEFAULT_FPS = 30.0
"""Frames per second that cameras are asked for, and that is assumed of pictures and of films that state none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceInfo:
    """What a source says about itself."""

    name: str
    """For messages and the HUD: `camera 0`, a file's name, a URL without its password."""
    width: int
    """Width of the first frame [px], as delivered; later frames may differ in folders and streams."""
    height: int
    """Height of the first frame [px]."""
    fps: float | None
    """Nominal frames per second; None where the source does not know."""
    frame_count: int | None
    """Number of frames, for some containers an estimate; None for live, endless and piped sources."""
    is_live: bool
    """Whether frames come at their own time and are lost when nobody reads them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A decoded picture of a film or a device."""

    image_bgr: ImageArray
    """(H, W, 3) uint8."""
    position_ms: float
    """Where the container places it [ms]; meaningless for cameras."""


class FrameSource(Closable, Protocol):
    """A stream of frames: `read` until None, `close`. Read by one thread.

    Whoever makes one waits until it delivers; what does not is a `SourceError`, one clear line that says what to do.
    Frames of live sources carry `time.perf_counter` as their capture time, frames of files their
    media time. Capture times increase strictly; indexes count every grabbed frame from 0.
    """

    @property
    def info(self) -> SourceInfo:
        """What the source is like."""

    @property
    def status(self) -> str:
        """Short text for the HUD: `ok`, `no signal 3 s, reopening`, .."""

    def read(self, stop: threading.Event) -> Frame | None:
        """Waits for the next frame; None at the end, or soon after `stop` is set."""

    def close(self) -> None:
        """Releases everything. May be called again, and from another thread: ends a waiting `read`."""
