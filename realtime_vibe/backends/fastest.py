"""Measures which of several sessions runs the same graph fastest."""

import logging
import statistics
import time
from collections.abc import Callable, Mapping

import numpy as np

from realtime_vibe.backends.base import AnyArray, InferenceSession
from realtime_vibe.errors import RealtimeVibeError

_log = logging.getLogger(__name__)

WARMUP_RUNS = 2
"""First runs allocate and, on GPUs, tune."""
FEWEST_ROUNDS, MOST_ROUNDS = 3, 40
BUDGET_S = 0.2
"""For the runs of one graph; an engine has three or four graphs."""
MARGIN = 0.95
"""The first candidate stays unless another takes less than this share of its time: what is as fast as
makes no difference should not change from one start to the next."""
_PAUSE_S = 0.002
"""Workers of the one before may spin for a millisecond, as between two frames."""


def median_times_ms(
    sessions: Mapping[str, InferenceSession],
    *,
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, float]:
    """Runs the sessions in turn, one person each, and gives their medians.

    Args:
        sessions: by backend, all of the same graph.
        clock: seconds.
        sleep: waits seconds.

    Returns:
        Medians [ms]; a session that cannot run is left out, with a warning.
    """
    able = {}
    for name, session in sessions.items():
        feeds = zero_feeds(session)
        try:
            for _ in range(WARMUP_RUNS):
                session.run(feeds)
        except RealtimeVibeError as error:
            _log.warning("backend %s is left out: %s", name, error)
        else:
            able[name] = (session, feeds)
    times_s: dict[str, list[float]] = {name: [] for name in able}
    end_s = clock() + BUDGET_S
    for number in range(MOST_ROUNDS):
        if number >= FEWEST_ROUNDS and clock() >= end_s:
            break
        for name, (session, feeds) in able.items():
            sleep(_PAUSE_S)
            start_s = clock()
            session.run(feeds)
            times_s[name].append(clock() - start_s)
    return {name: statistics.median(spent) * 1e3 for name, spent in times_s.items()}


def fastest(times_ms: Mapping[str, float]) -> str:
    """The name of the fastest, or the first when that is nearly as fast.

    Args:
        times_ms: at least one.
    """
    first = next(iter(times_ms))
    best = min(times_ms, key=lambda name: times_ms[name])
    return best if times_ms[best] < MARGIN * times_ms[first] else first


def zero_feeds(session: InferenceSession) -> dict[str, AnyArray]:
    """Zeros for every input, for one person."""
    shapes = {
        spec.name: [size if isinstance(size, int) else 1 for size in spec.shape]
        for spec in session.inputs
    }
    return {spec.name: np.zeros(shapes[spec.name], spec.dtype) for spec in session.inputs}
