"""Overlap of boxes, the pairing of people with detections, and the core of a box."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_vibe.tracking.boxes import core_of, greedy_pairs, hull_of, iou_matrix, pair_boxes


def _box(x: float, y: float, width: float = 40, height: float = 100) -> np.ndarray:
    return np.array([x, y, x + width, y + height], np.float32)


def test_overlap_of_equal_apart_half_and_empty_boxes() -> None:
    box = _box(0, 0)
    others = [box, _box(500, 0), _box(20, 0), _box(0, 0, 0, 0), _box(40, 0)]
    np.testing.assert_allclose(iou_matrix([box], others), [[1, 0, 1 / 3, 0, 0]], atol=1e-6)
    assert iou_matrix([], others).shape == (0, 5)
    assert iou_matrix(others, []).shape == (5, 0)


@given(st.integers(0, 2**32 - 1), st.integers(0, 6), st.integers(0, 6))
def test_pairs_are_one_to_one_and_nobody_good_is_left_over(seed: int, n: int, m: int) -> None:
    scores = np.random.default_rng(seed).uniform(0, 1, (n, m)).astype(np.float32)
    pairs = greedy_pairs(scores, 0.4)
    rows, columns = [row for row, _ in pairs], [column for _, column in pairs]
    assert len(set(rows)) == len(rows)
    assert len(set(columns)) == len(columns)
    found = [float(scores[pair]) for pair in pairs]
    assert found == sorted(found, reverse=True)
    left = np.delete(np.delete(scores, rows, axis=0), columns, axis=1)
    assert not left.size or left.max() < 0.4


def test_overlap_goes_before_nearness_and_nearness_needs_reach_and_size() -> None:
    old = [_box(0, 0), _box(200, 0)]
    new = [_box(245, 0), _box(190, 0)]
    assert pair_boxes(old, new, [0, 0]) == {1: 1}
    assert pair_boxes(old, new, [300, 0]) == {1: 1, 0: 0}
    assert pair_boxes(old, new, [200, 0]) == {1: 1}
    assert pair_boxes(old[:1], [_box(45, 0, 100, 250)], [300]) == {}
    assert pair_boxes(old[:1], [_box(90, 0), _box(45, 0)], [300]) == {0: 1}
    assert pair_boxes([], new, []) == {}


@pytest.mark.parametrize(
    ("box", "width", "height"),
    [
        (_box(10, 20, 40, 100), 32, 80),
        (_box(10, 20, 100, 100), 40, 80),
        (_box(0, 0, 100, 40), 40, 32),
    ],
)
def test_the_core_is_in_the_middle_and_as_wide_as_a_body(
    box: np.ndarray, width: float, height: float
) -> None:
    core = core_of(box)
    np.testing.assert_allclose(core[2:] - core[:2], [width, height], rtol=1e-6)
    np.testing.assert_allclose(core[2:] + core[:2], box[2:] + box[:2], rtol=1e-6)
    hull = hull_of(box)
    assert (hull[:2] < core[:2]).all()
    assert (hull[2:] > core[2:]).all()
    assert (hull[2:] <= box[2:]).all()
