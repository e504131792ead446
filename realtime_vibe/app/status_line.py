"""What is said of a run without windows: a line that a terminal rewrites, now and then a line in a log."""

import logging
import math
import os
import sys
import time
from collections.abc import Callable
from typing import Self, TextIO

from tqdm import tqdm

from realtime_vibe.app.live_run import LiveRun
from realtime_vibe.system.closing import ClosedByWith
from realtime_vibe.system.threads import SlotClosed
from realtime_vibe.system.timing import Clock

logger = logging.getLogger(__name__)
_INTERVAL_S = 0.5
_LOG_INTERVAL_S = 30.0
"""Time between two lines where each stays: in files and journals."""
_DEFAULT_COLUMNS = 80
_BETWEEN = " | "

tqdm.monitor_interval = 0  # its watchdog thread would outlive the run


class StatusLine(ClosedByWith):
    """The last line of a terminal; log messages push it down instead of running into it.

    Where `stream` is no terminal, the text becomes a log message now and then. Both intervals are in seconds.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        interval_s: float = _INTERVAL_S,
        log_interval_s: float = _LOG_INTERVAL_S,
        clock: Clock = time.perf_counter,
    ) -> None:
        self._bar = bar = tqdm(bar_format="{desc}", file=stream, leave=False, disable=None)
        self._interval_s = log_interval_s if bar.disable else interval_s
        self._clock = clock
        self._due_s = clock() + log_interval_s if bar.disable else -math.inf
        self._handlers = [] if bar.disable else list(logging.getLogger().handlers)

    def __enter__(self) -> Self:
        for handler in self._handlers:
            handler.addFilter(self._make_room)
        return self

    def close(self) -> None:
        """Ends the bar; log messages are left alone again."""
        for handler in self._handlers:
            handler.removeFilter(self._make_room)
        self._bar.close()

    def update(self, text: Callable[[], str]) -> None:
        """Rewrites the text, or logs it, when it is time to; only then is the text made."""
        now_s = self._clock()
        if now_s < self._due_s:
            return
        self._due_s = now_s + self._interval_s
        if self._bar.disable:
            logger.info("%s", text())
            return
        # The last column stays free: many terminals begin a new line when it is written.
        self._bar.set_description_str(_fitted(text(), _columns(self._bar.fp) - 1))

    def _make_room(self, _: logging.LogRecord) -> bool:
        self._bar.clear()
        return True


def _fitted(text: str, length: int) -> str:
    """Leaves out last parts until the text fits: half a number would be a wrong one."""
    while len(text) > length and _BETWEEN in text:
        text = text.rpartition(_BETWEEN)[0]
    return text[:length]


def _columns(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or _DEFAULT_COLUMNS
    except (OSError, ValueError):
        return _DEFAULT_COLUMNS


def follow(
    live: LiveRun, num_frames: int | None, recording: Callable[[], str], caught: list[int]
) -> None:
    """Waits for the end of a run, or for the first of `caught` signals.

    Args:
        num_frames: how many will be processed, as far as that is known.
        recording: names the files that are being written; empty when there are none.

    Raises:
        BaseException: whatever broke a thread of the run.
    """
    with StatusLine(sys.stderr) as line:
        while not caught:
            try:
                live.take(0.2)
            except SlotClosed:
                break
            line.update(lambda: status_text(live, num_frames, recording()))


def status_text(live: LiveRun, num_frames: int | None, recording: str) -> str:
    """The line: names of files that are recorded (may be empty), progress, rates, people."""
    last = live.latest_result
    parts = (  # what matters most comes first: a narrow terminal shows the beginning
        live.trouble,
        f"rec {recording}" if recording else "",
        "" if num_frames is None else _progress(live, num_frames),
        f"source {live.capture_fps:.1f}, motion {live.inference_fps:.1f} fps",
        _people(len(last.people) if last is not None else 0),
        *_live_parts(live, live.stats.recent_ms),
    )
    return _BETWEEN.join(part for part in parts if part)


def summary_text(live: LiveRun) -> str:
    """One line about a run that is over."""
    fps = live.stats.fps
    parts = (
        f"{live.frames_processed} frames processed",
        *([] if fps is None else [f"{fps:.1f} fps"]),
        *_live_parts(live, live.stats.percentile_ms),
    )
    return ", ".join(parts)


def _progress(live: LiveRun, num_frames: int) -> str:
    """Such as `60 of 94 frames, 1 s left`."""
    left, fps = num_frames - live.frames_processed, live.inference_fps
    in_s = f", {left / fps:.0f} s left" if left > 0 and fps > 0 else ""
    return f"{live.frames_processed} of {num_frames} frames{in_s}"


def _live_parts(live: LiveRun, percentile_ms: Callable[[str, float], float]) -> tuple[str, ...]:
    """Latency and drops; nothing where every frame is processed: none is lost, and each waits for those before it."""
    if live.every_frame:
        return ()
    p50_ms, p95_ms = (percentile_ms("end_to_end", percent) for percent in (50, 95))
    # The first frames are not counted.
    is_known = not math.isnan(p50_ms)
    latency = f"latency {p50_ms:.1f} ms (p95 {p95_ms:.1f})" if is_known else "measuring latency"
    return latency, f"{live.dropped} dropped"


def _people(count: int) -> str:
    if count == 0:
        return "nobody in view"
    return "1 person" if count == 1 else f"{count} people"
