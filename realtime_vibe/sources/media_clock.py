"""The times of a film's frames, from what its container says, and playing it at its own speed."""

import logging
import math
import threading
import time
from typing import Self

from realtime_vibe.sources.base import DEFAULT_FPS, SourceInfo
from realtime_vibe.system.frame_rates import STAMP_ROUNDING_S
from realtime_vibe.system.timing import Clock

logger = logging.getLogger(__name__)

UNTIMED_FPS = 25.0
"""What FFmpeg assumes for films that hold no times, such as raw H.264 or a series of JPEGs."""
TOLERATED_LOSS = 0.03  # the frame count of a container is often its duration times its mean rate
MOST_IRREGULAR = 0.05  # share of steps that are not one frame, beyond which gaps are no losses

MAX_LATE_S = 0.5
POLL_S = 0.1


class MediaClock:
    """Turns a container's positions into times that increase strictly.

    Positions that were rounded to milliseconds are put back onto the frame rate's grid. A missing,
    repeated or backward time stamp becomes the last one plus the nominal frame time.

    Args:
        fps: nominal rate; None is taken as 30.
        has_stamps: whether positions mean anything; else frames are counted.
    """

    def __init__(self, fps: float | None, *, has_stamps: bool = True) -> None:
        self.fps = fps or DEFAULT_FPS
        """The nominal rate [1/s]."""
        self._period_s = 1.0 / self.fps
        self._has_stamps = has_stamps
        self._last_s = -self._period_s
        self._offset_s = 0.0
        self._num_steps = 0
        self._num_irregular = 0
        self._num_missing = 0

    def stamp(self, position_ms: float) -> float:
        """The time [s] of the frame that the container places at `position_ms`."""
        time_s = self._offset_s + self._on_grid(position_ms / 1e3)
        if not self._has_stamps or not math.isfinite(time_s) or time_s <= self._last_s:
            time_s = self._last_s + self._period_s
        self._count(time_s - self._last_s)
        self._last_s = time_s
        return time_s

    @classmethod
    def of_film(
        cls, name: str, fps: float | None, frame_count: int | None, asked_fps: float | None
    ) -> Self:
        """The clock of a film that has just been opened; raw films and pipes have no frame count.

        `asked_fps` is the user's word, which counts where the film holds no times.
        """
        if frame_count is None and fps == UNTIMED_FPS:
            return cls(asked_fps or fps, has_stamps=asked_fps is None)
        if asked_fps is not None and asked_fps != fps:
            logger.warning(
                "%s: has its own frame rate%s; the one given is not used",
                name,
                f", {fps:g}" if fps else "",
            )
        return cls(fps)

    @property
    def elapsed_s(self) -> float:
        """From the start of the file's current round to the end of its last frame [s]."""
        return self._last_s + self._period_s - self._offset_s

    @property
    def num_missing(self) -> int:
        """Frames that a film of constant rate left out; 0 where its rate is not constant."""
        is_regular = self._num_irregular <= MOST_IRREGULAR * self._num_steps
        return self._num_missing if is_regular else 0

    def restart(self) -> None:
        """Continues one frame after the last one: the file starts over."""
        self._offset_s = self._last_s + self._period_s

    def _on_grid(self, position_s: float) -> float:
        frame = position_s * self.fps
        if not math.isfinite(frame):
            return math.nan
        exact_s = round(frame) / self.fps
        return exact_s if abs(exact_s - position_s) <= STAMP_ROUNDING_S else position_s

    def _count(self, step_s: float) -> None:
        self._num_steps += 1
        frames = round(step_s * self.fps) if math.isfinite(step_s * self.fps) else 0
        if frames == 1:
            return
        self._num_irregular += 1
        if abs(frames * self._period_s - step_s) <= STAMP_ROUNDING_S:
            self._num_missing += frames - 1
        else:
            self._num_irregular = self._num_steps  # not of a constant rate at all


def warn_of_losses(info: SourceInfo, count: int, clock: MediaClock, num_lost: int) -> None:
    """Logs how many frames of a film that has ended could not be read, `num_lost` of them packets without a picture.

    Counts alone do not tell that a film was cut off: containers without a frame count have it
    estimated from duration and mean rate, which is wrong for a variable rate. Only a film that also
    ended early is cut off.
    """
    num_lost = max(num_lost, clock.num_missing)
    if num_lost:
        logger.warning(
            "%s: %d frames are damaged or missing and were left out; %d were read",
            info.name,
            num_lost,
            count,
        )
    if info.frame_count is None or info.fps is None:
        return
    promised_s = info.frame_count / info.fps
    is_short = count + num_lost < info.frame_count * (1 - TOLERATED_LOSS) - 1
    if is_short and clock.elapsed_s < promised_s * (1 - TOLERATED_LOSS) - 1 / info.fps:
        logger.warning(
            "%s: %d of %d frames could be read; the file is cut off or damaged",
            info.name,
            count,
            info.frame_count,
        )


def wait_until(due_s: float, *stops: threading.Event, clock: Clock = time.perf_counter) -> bool:
    """Waits until the clock shows `due_s`; false when one of `stops` was set."""
    while not any(stop.is_set() for stop in stops):
        left_s = due_s - clock()
        if left_s <= 0:
            return True
        stops[0].wait(min(left_s, POLL_S))
    return False


class Pacer:
    """Holds each frame back until its media time has come.

    A player that falls more than half a second behind (a suspended laptop, a decoder that is too
    slow) carries on from there and does not rush to catch up.
    """

    def __init__(self) -> None:
        self._offset_s: float | None = None

    def wait(self, media_s: float, *stops: threading.Event) -> bool:
        """Waits until `media_s` after the first call's; false when one of `stops` was set."""
        now_s = time.perf_counter()
        if self._offset_s is None or now_s - (self._offset_s + media_s) > MAX_LATE_S:
            self._offset_s = now_s - media_s
        return wait_until(self._offset_s + media_s, *stops)
