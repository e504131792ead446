"""Stage times, percentiles without warm-up, and rates."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_vibe.system.timing import RECENT, DrawingPace, LatencyStats, RateMeter, StageTimer

durations = st.lists(st.floats(0, 1e6), min_size=1, max_size=60)


def test_stages_add_up_and_survive_errors() -> None:
    ticks = itertools.count()
    timer = StageTimer(clock=lambda: float(next(ticks)))
    with timer.stage("track"):
        pass
    with timer.stage("track"), timer.stage("inner"):
        pass
    with pytest.raises(ValueError, match="x"), timer.stage("fails"):
        raise ValueError("x")
    assert timer.stage_ms == {"track": 4000.0, "inner": 1000.0, "fails": 1000.0}


@given(values=durations, warmup=st.integers(0, 10), capacity=st.integers(1, 40))
def test_percentiles_are_those_of_the_last_values(
    values: list[float], warmup: int, capacity: int
) -> None:
    stats = LatencyStats(warmup=warmup, capacity=capacity)
    for value in values:
        stats.add(value)
    kept = values[warmup:]
    assert stats.count == len(kept)
    assert stats.warmup_count == min(warmup, len(values))
    if not kept:
        assert np.isnan(stats.percentile_ms(50))
        assert stats.summary() == {"count": 0, "p50_ms": None, "p95_ms": None, "p99_ms": None}
        return
    summary = stats.summary()
    for percent in (50, 95, 99):
        expected = np.percentile(kept[-capacity:], percent)
        assert stats.percentile_ms(percent) == pytest.approx(expected)
        assert stats.recent_ms(percent) == pytest.approx(expected)
        assert summary[f"p{percent}_ms"] == pytest.approx(expected, abs=1e-4)
    assert summary["count"] == len(kept)


def test_what_is_shown_during_a_run_looks_at_the_last_values_alone():
    stats = LatencyStats(capacity=RECENT + 5)
    for value in (*[900.0] * 40, *range(RECENT)):
        stats.add(float(value))
    assert stats.recent_ms(100) == RECENT - 1
    assert stats.recent_ms(50) == pytest.approx(np.median(range(RECENT)))


@given(period_s=st.floats(0.001, 0.5), count=st.integers(3, 100))
def test_rate_of_a_steady_series(period_s: float, count: int) -> None:
    meter = RateMeter(window_s=2.0)
    for step in range(count):
        meter.tick(step * period_s)
    assert meter.rate_at((count - 1) * period_s) == pytest.approx(1 / period_s, rel=1e-6)


def test_rate_without_an_interval_and_after_silence() -> None:
    meter = RateMeter(window_s=1.0)
    assert meter.rate_at(5.0) == 0.0
    meter.tick(10.0)
    assert meter.rate_at(10.0) == 0.0
    meter.tick(10.0)
    assert meter.rate_at(10.0) == 0.0
    meter.tick(10.5)
    assert meter.rate_at(11.4) == pytest.approx(4.0)
    assert meter.rate_at(11.6) == 0.0


def test_rate_forgets_what_left_the_window() -> None:
    meter = RateMeter(window_s=1.0)
    for stamp_s in (0.0, 0.01, 0.02, 5.0, 5.5):
        meter.tick(stamp_s)
    assert meter.rate_at(5.5) == pytest.approx(2.0)


def test_events_that_come_together_are_all_counted() -> None:
    meter = RateMeter(window_s=10.0)
    for stamp_s in (0.0, 1.0, 2.0):
        meter.tick(stamp_s, events=3)
    assert meter.rate_at(2.0) == pytest.approx(3.0)


@pytest.mark.parametrize("drawing_s", [0.001, 0.04, 0.5])
def test_drawing_takes_at_most_half_of_the_time(drawing_s):
    now_s, spent_s = [100.0], 0.0
    pace = DrawingPace(lambda: now_s[0])
    assert pace.is_due()
    while now_s[0] < 110.0:
        if pace.is_due():
            with pace.drawing():
                now_s[0] += drawing_s
            spent_s += drawing_s
            assert not pace.is_due()
        now_s[0] += 0.0005
    assert 0.3 < spent_s / (now_s[0] - 100.0) <= 0.51


def test_a_drawing_that_fails_counts_too():
    now_s = [0.0]
    pace = DrawingPace(lambda: now_s[0])

    def fail():
        with pace.drawing():
            now_s[0] += 1.0
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not pace.is_due()
    now_s[0] += 1.0
    assert pace.is_due()
