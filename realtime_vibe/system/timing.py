"""Clocks, latency statistics, and how often to draw."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

Clock = Callable[[], float]
"""Returns seconds; the live app injects `time.perf_counter`."""


class StageTimer:
    """Wall time of named stages of one step."""

    def __init__(self, clock: Clock = time.perf_counter) -> None:
        self._clock = clock
        self.stage_ms: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Adds the time spent inside the `with` block to `stage_ms[name]`."""
        started_s = self._clock()
        try:
            yield
        finally:
            spent_ms = (self._clock() - started_s) * 1e3
            self.stage_ms[name] = self.stage_ms.get(name, 0.0) + spent_ms


RECENT = 300
"""Values behind what is shown during a run: some ten seconds of frames."""


class LatencyStats:
    """Percentiles of a series of durations, without the warm-up: first runs allocate and tune.

    Memory is taken once, 8 bytes a value, so a long run stays flat: beyond `capacity` the oldest
    values leave, the count goes on.
    """

    def __init__(self, warmup: int = 0, capacity: int = 100_000) -> None:
        self._warmup = warmup
        self._values_ms = np.full(capacity, np.nan)
        self.count = 0
        """Values taken into account, warm-up left out."""
        self.warmup_count = 0
        """Values left out as warm-up."""

    def add(self, value_ms: float) -> None:
        """Records one duration [ms]."""
        if self.warmup_count < self._warmup:
            self.warmup_count += 1
            return
        self._values_ms[self.count % self._values_ms.size] = value_ms
        self.count += 1

    def percentile_ms(self, percent: float) -> float:
        """The given percentile [ms]; NaN while nothing was recorded."""
        if self.count == 0:
            return float("nan")
        return float(np.percentile(self._kept_ms(), percent))

    def recent_ms(self, percent: float) -> float:
        """The same over the last `RECENT` values: what it costs does not grow with the run."""
        if self.count == 0:
            return float("nan")
        size = self._values_ms.size
        places = np.arange(max(0, self.count - min(RECENT, size)), self.count) % size
        return float(np.percentile(self._values_ms[places], percent))

    def summary(self) -> dict[str, float | int | None]:
        """`{"count", "p50_ms", "p95_ms", "p99_ms"}`; percentiles are None while count is 0."""
        if self.count == 0:
            return {"count": 0, "p50_ms": None, "p95_ms": None, "p99_ms": None}
        p50, p95, p99 = np.percentile(self._kept_ms(), [50, 95, 99])
        return {
            "count": self.count,
            "p50_ms": round(float(p50), 4),
            "p95_ms": round(float(p95), 4),
            "p99_ms": round(float(p99), 4),
        }

    def _kept_ms(self) -> NDArray[np.float64]:
        return self._values_ms[: self.count]


class RateMeter:
    """Events per second over a sliding window [s]."""

    def __init__(self, window_s: float = 2.0) -> None:
        self._window_s = window_s
        self._stamps_s: deque[tuple[float, int]] = deque()

    def tick(self, now_s: float, events: int = 1) -> None:
        """Records that `events` events happened up to `now_s`."""
        self._stamps_s.append((now_s, events))
        while now_s - self._stamps_s[0][0] > self._window_s:
            self._stamps_s.popleft()

    def rate_at(self, now_s: float) -> float:
        """Events per second; 0 while there is no interval, or once there was no tick for a whole window before `now_s`."""
        stamps = list(self._stamps_s)
        if len(stamps) < 2 or now_s - stamps[-1][0] > self._window_s:
            return 0.0
        span_s = stamps[-1][0] - stamps[0][0]
        return sum(events for _, events in stamps[1:]) / span_s if span_s > 0 else 0.0


class DrawingPace:
    """After each drawing, a pause as long as the drawing took.

    Drawing holds Python's lock for much of its time, and inference runs in another thread of the same
    process: 1 ms on a graphics card never matters, 40 ms without one would halve the frame rate.
    """

    def __init__(self, clock: Clock = time.perf_counter) -> None:
        self._clock = clock
        self._due_s = float("-inf")

    def is_due(self) -> bool:
        """Whether the pause after the last drawing is over."""
        return self._clock() >= self._due_s

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """Times what happens inside the `with` block."""
        started_s = self._clock()
        try:
            yield
        finally:
            now_s = self._clock()
            self._due_s = now_s + (now_s - started_s)
