"""The ring holds exactly the last N vectors, in order, without copying."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from realtime_vibe.temporal.ring_buffer import FeatureRing


@given(capacity=st.integers(1, 8), count=st.integers(0, 40))
def test_window_is_the_tail_of_what_was_appended(capacity, count):
    ring = FeatureRing(capacity, 3)
    rows = np.arange(count * 3, dtype=np.float32).reshape(count, 3)
    for row in rows:
        ring.append(row)
    assert len(ring) == min(count, capacity)
    np.testing.assert_array_equal(ring.window(), rows[max(0, count - capacity) :])


def test_window_is_a_contiguous_view():
    ring = FeatureRing(4, 2)
    for value in range(7):
        ring.append(np.full(2, value, np.float32))
    window = ring.window()
    assert window.flags.c_contiguous
    assert window.base is not None


def test_clear_empties():
    ring = FeatureRing(4, 2)
    ring.append(np.ones(2, np.float32))
    ring.clear()
    assert len(ring) == 0
    assert ring.window().shape == (0, 2)
