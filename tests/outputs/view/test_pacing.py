"""Covers the pace of drawing: at most half of the time, however long one drawing takes."""

import pytest

from realtime_vibe.outputs.view.pacing import DrawingPace


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
