"""Plays recorded media at its own speed."""

import threading
import time

from realtime_vibe.system.timing import Clock

MAX_LATE_S = 0.5
POLL_S = 0.1


class Pacer:
    """Holds each frame back until its media time has come.

    A player that falls more than half a second behind (a suspended laptop, a decoder that is too
    slow) carries on from there and does not rush to catch up.
    """

    def __init__(self, clock: Clock = time.perf_counter) -> None:
        self._clock = clock
        self._offset_s: float | None = None

    def wait(self, media_s: float, *stops: threading.Event) -> bool:
        """Waits until `media_s` after the first call's; false when one of `stops` was set."""
        now_s = self._clock()
        if self._offset_s is None or now_s - (self._offset_s + media_s) > MAX_LATE_S:
            self._offset_s = now_s - media_s
        due_s = self._offset_s + media_s
        while not any(stop.is_set() for stop in stops):
            left_s = due_s - self._clock()
            if left_s <= 0:
                return True
            stops[0].wait(min(left_s, POLL_S))
        return False
