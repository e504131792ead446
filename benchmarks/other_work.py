"""How busy other programs keep this machine, and so what timings taken now are worth."""

import os
import time
from functools import cache
from pathlib import Path

BUSY_PROCESSORS = 0.25
"""From so much on timings are not worth quoting."""
_SAMPLE_S = 0.5
_PROC_STAT = Path("/proc/stat")
_IDLE = (3, 4)
"""Columns of the first line that are no work: idle, and waiting for a disk."""
_NUM_COLUMNS = 8
"""Up to `steal`, what the host took; those behind it are counted in the others already."""


def busy_processors() -> float | None:
    """Processors that other programs keep busy, over half a second; None where the system does not say.

    The load average would not do: it counts the benchmark that ran in the minute before.
    """
    before_s = _worked_s()
    if before_s is None:
        return None
    own_s, started_s = time.process_time(), time.perf_counter()
    time.sleep(_SAMPLE_S)
    own_s = time.process_time() - own_s
    worked_s = (_worked_s() or before_s) - before_s
    return max(0.0, (worked_s - own_s) / (time.perf_counter() - started_s))


@cache
def busy_at_start() -> float | None:
    """`busy_processors` when this process first asked, before it measured anything itself."""
    return busy_processors()


def warn_if_busy() -> None:
    """Says so on a machine with other work: its timings are worth little."""
    busy = busy_at_start()
    if busy is not None and busy > BUSY_PROCESSORS:
        print(
            f"note: other programs keep {busy:.1f} of {os.cpu_count()} processors busy; times taken beside them "
            "are worth little, and ratios not much more: they slow several threads more than one\n"
        )


def _worked_s() -> float | None:
    """Processor seconds of all programs since the machine started."""
    try:
        columns = _PROC_STAT.read_text().split("\n", 1)[0].split()[1 : _NUM_COLUMNS + 1]
    except OSError:
        return None
    ticks = sum(int(value) for place, value in enumerate(columns) if place not in _IDLE)
    return float(ticks) / os.sysconf("SC_CLK_TCK")
