"""Covers the shadow on the floor: dark below bodies, beside them for what is high, nowhere else."""

import numpy as np

from realtime_vibe.outputs.view.stage import shadow_of


def test_the_floor_is_dark_below_a_body_and_lit_elsewhere() -> None:
    block = np.random.default_rng(0).uniform(-0.2, 0.2, (4000, 3)).astype(np.float32)
    low, high = shadow_of(block), shadow_of(block + np.float32([0, 1, 0]))
    assert low[50, 50] > 0.9
    assert low[:30].max() == 0
    # A light on the left: what is high casts its shadow to the right.
    assert np.argmax(high.sum(axis=0)) > np.argmax(low.sum(axis=0)) + 3
    assert shadow_of(np.full((5, 3), 99, np.float32)).max() == 0
