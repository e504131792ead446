"""Times of a film's frames: always rising, on the rate's grid, with what is missing counted."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_vibe.sources.media_clock import MediaClock


@given(
    positions=st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=50),
    fps=st.none() | st.floats(0.1, 1000),
)
def test_times_always_rise(positions: list[float], fps: float | None) -> None:
    clock = MediaClock(fps)
    times = [clock.stamp(position) for position in positions]
    assert all(math.isfinite(time_s) for time_s in times)
    # Beyond 1e10 s a frame time is lost in rounding; no file is 300 years long.
    believable = [time_s for time_s in times if time_s < 1e10]
    assert all(before < after for before, after in itertools.pairwise(believable))


def test_missing_times_count_frames() -> None:
    clock = MediaClock(25.0)
    times = [clock.stamp(position) for position in (0.0, 0.0, float("nan"), -1.0)]
    np.testing.assert_allclose(times, [0.0, 0.04, 0.08, 0.12])


def test_whole_milliseconds_go_back_onto_the_grid(subtests: pytest.Subtests) -> None:
    for fps in [24000 / 1001, 30.0, 60000 / 1001, 60.0]:
        with subtests.test(fps=fps):
            exact = np.arange(200) / fps
            clock = MediaClock(fps)
            times = [clock.stamp(float(round(time_s * 1e3))) for time_s in exact]
            np.testing.assert_allclose(times, exact, atol=1e-9)
            assert clock.num_missing == 0


def test_missing_frames_are_counted_where_the_rate_is_constant() -> None:
    def missing(times_s: list[float]) -> int:
        clock = MediaClock(30.0)
        for time_s in times_s:
            clock.stamp(time_s * 1e3)
        return clock.num_missing

    grid = [number / 30 for number in range(90)]
    assert missing(grid) == 0
    assert missing(grid[:40] + grid[45:]) == 5
    assert missing(grid[:40] + [time_s + 0.05 for time_s in grid[40:]]) == 0  # no whole frames
    assert missing(grid[::2]) == 0  # another rate than the nominal one


def test_the_users_rate_counts_where_the_film_has_no_times() -> None:
    raw = MediaClock.of_film("a.h264", 25.0, None, 30.0)
    np.testing.assert_allclose([raw.stamp(ms) for ms in (0, 40, 80)], [0, 1 / 30, 2 / 30])
    timed = MediaClock.of_film("a.mp4", 25.0, 100, 30.0)
    np.testing.assert_allclose([timed.stamp(ms) for ms in (0, 40, 80)], [0, 0.04, 0.08])
