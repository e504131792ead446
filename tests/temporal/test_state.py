"""One body shape per person: a mean that settles and is only given out when it moves."""

import numpy as np

from realtime_vibe.temporal.state import SHAPE_STEP, RunningShape


def test_a_wrong_start_is_soon_of_no_weight():
    shape = RunningShape()
    np.testing.assert_array_equal(shape.update(np.full(10, 3, np.float32)), np.full(10, 3.0))
    for _ in range(30):
        shown = shape.update(np.ones(10, np.float32))
    np.testing.assert_allclose(shown, np.ones(10), atol=0.02)


def test_small_changes_give_the_same_array():
    shape = RunningShape()
    first = shape.update(np.ones(10, np.float32))
    again = shape.update(np.full(10, 1 + SHAPE_STEP, np.float32))
    assert again is first


def test_streams_that_share_frames_end_with_one_shape():
    """A band in which nothing is given out would keep two shapes for ever."""
    rng = np.random.default_rng(0)
    shapes = RunningShape(), RunningShape()
    shapes[0].update(np.full(10, 1.5 * SHAPE_STEP, np.float32))
    for betas in rng.normal(0, 0.2, (3000, 10)).astype(np.float32):
        given = [shape.update(betas) for shape in shapes]
    assert np.abs(np.subtract(*given)).max() < 0.2 * SHAPE_STEP


def test_noise_settles():
    rng = np.random.default_rng(0)
    shape = RunningShape()
    for _ in range(400):
        shown = shape.update(1 + rng.standard_normal(10).astype(np.float32))
    assert np.abs(shown - 1).max() < 0.25


def test_a_reset_believes_the_next_estimate():
    shape = RunningShape()
    for _ in range(50):
        shape.update(np.zeros(10, np.float32))
    shape.reset()
    np.testing.assert_array_equal(shape.update(np.full(10, 2.0, np.float32)), np.full(10, 2.0))
