"""Sequences of equal length out of streams: rows in order, padding without weight, time kept."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from realtime_vibe.training.samples.cutting import random_cut, time_steps


@given(st.integers(1, 90), st.integers(1, 60), st.floats(0, 1), st.integers(0, 999))
def test_rows_ascend_stay_inside_and_only_real_ones_weigh(length, frames, chance, seed):
    cut = random_cut(length, frames, chance, np.random.default_rng(seed))
    assert cut.rows.shape == cut.weight.shape == (frames,)
    assert 0 <= cut.rows.min() <= cut.rows.max() < length
    real = cut.rows[cut.weight == 1]
    steps = np.diff(real)
    assert len(real) >= 1
    assert (steps == steps[:1]).all()
    assert set(steps.tolist()) <= {1, 2}
    # What has no weight repeats the last real row, and comes after all of them.
    assert (cut.rows[len(real) :] == real[-1]).all()
    assert cut.weight[: len(real)].all()


def test_a_long_stream_is_never_padded():
    rng = np.random.default_rng(0)
    for _ in range(50):
        assert random_cut(400, 60, 0.5, rng).weight.all()


def test_time_of_rows_left_out_is_added_up():
    dt_s = np.array([0.3, 0.1, 0.2, 0.1, 0.4], np.float32)
    np.testing.assert_allclose(time_steps(dt_s, np.array([0, 2, 4])), [0, 0.3, 0.5], atol=1e-7)
    np.testing.assert_allclose(time_steps(dt_s, np.array([1, 4, 4])), [0, 0.7, 0.0], atol=1e-7)
