"""Frame rates measured from times: rounded, jittering, lossy and bursting ones."""

import numpy as np
import pytest

from realtime_vibe.system.frame_rates import measured_rate, nearest_standard_rate

FRAMES = np.arange(94)


def test_rounded_times_give_the_standard_rate(subtests: pytest.Subtests) -> None:
    for fps in [12.5, 20.0, 24000 / 1001, 25.0, 30000 / 1001, 30.0, 50.0, 60000 / 1001, 60.0, 90.0]:
        with subtests.test(fps=fps):
            assert measured_rate(np.round(FRAMES / fps, 3)) == fps


def test_lost_frames_and_gaps_do_not_lower_the_rate() -> None:
    times_s = np.delete(FRAMES / 30, [7, 8, 40, 60])
    times_s[50:] += 12.0
    assert measured_rate(times_s) == 30.0
    assert measured_rate([0, 1 / 30, 2 / 30, 7200, 7200 + 1 / 30]) == 30.0
    assert measured_rate(60.0 * FRAMES) == pytest.approx(
        1 / 60, rel=1e-4
    )  # a time lapse has no gaps


def test_frames_in_bursts_have_their_mean_rate() -> None:
    arrival_s = FRAMES // 8 * 8 / 30 + FRAMES % 8 * 0.004
    assert measured_rate(arrival_s) == pytest.approx(30, rel=0.1)


def test_a_rate_of_its_own_is_left_alone() -> None:
    assert measured_rate(FRAMES / 17.5) == pytest.approx(17.5)
    assert nearest_standard_rate(29.6) == 29.6
    assert nearest_standard_rate(59.94006) == 60000 / 1001


def test_what_has_no_rate() -> None:
    assert measured_rate([]) is None
    assert measured_rate([1.0, 1.0]) is None
