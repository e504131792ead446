"""Decoding of the detector's numbers, and the merging of overlapping answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_vibe.backends.base import TensorSpec
from realtime_vibe.tracking.base import chances
from realtime_vibe.tracking.blazepose_detector import (
    INPUT_SIZE,
    BlazePoseDetector,
    anchor_centers,
    decode,
    detected_person,
    merge_overlapping,
)


def test_anchors_cover_the_input_evenly() -> None:
    centers = anchor_centers()
    assert centers.shape == (2254, 2)
    np.testing.assert_allclose(centers.mean(axis=0), 0.5, atol=1e-6)
    np.testing.assert_allclose(centers[0], 0.5 / 28)
    np.testing.assert_allclose(centers[-1], 1 - 0.5 / 7)
    # The second column of cells lies to the right of the first, not below it.
    np.testing.assert_allclose(centers[2], [1.5 / 28, 0.5 / 28])


def test_decode_adds_the_anchor_and_divides_by_the_input_size() -> None:
    centers = anchor_centers()
    raw = np.array([[22.4, 0, 44.8, 22.4, 0, 22.4, 0, -22.4, 1, 2, 3, 4]], np.float32)
    boxes, keypoints = decode(raw, centers[700:701])
    x, y = centers[700]
    np.testing.assert_allclose(boxes, [[x, y - 0.05, x + 0.2, y + 0.05]], atol=1e-6)
    np.testing.assert_allclose(keypoints[0, :2], [[x, y + 0.1], [x, y - 0.1]], atol=1e-6)


def test_huge_logits_neither_overflow_nor_warn() -> None:
    logits = np.array([-1e4, 0, 2, 1e4], np.float32)
    np.testing.assert_allclose(chances(logits), [0, 0.5, 0.880797, 1], atol=1e-6)


class BrokenSession:
    """Answers with the same number everywhere."""

    inputs = (TensorSpec(name="image", shape=(1, INPUT_SIZE, INPUT_SIZE, 3), dtype="uint8"),)

    def __init__(self, boxes: float, scores: float) -> None:
        self.boxes, self.scores = boxes, scores

    def run(self, feeds: object) -> dict[str, np.ndarray]:
        return {
            "boxes": np.full((1, 2254, 12), self.boxes, np.float32),
            "scores": np.full((1, 2254, 1), self.scores, np.float32),
        }


@pytest.mark.parametrize(("boxes", "scores"), [(0.0, np.nan), (np.nan, 9.0), (np.inf, 9.0)])
def test_a_detector_that_overflows_finds_nobody_and_says_so(
    boxes: float, scores: float, caplog: pytest.LogCaptureFixture
) -> None:
    detector = BlazePoseDetector(BrokenSession(boxes, scores))  # type: ignore[arg-type]
    assert detector.detect(np.zeros((48, 64, 3), np.uint8)) == ()
    assert "2254 of 2254" in caplog.text


def test_overlapping_boxes_are_averaged_by_score() -> None:
    boxes = np.array([[0, 0, 1, 1], [0.1, 0, 1.1, 1], [5, 5, 6, 6]], np.float32)
    scores = np.array([0.9, 0.6, 0.7], np.float32)
    keypoints = np.arange(3, dtype=np.float32).reshape(3, 1, 1) * np.ones((1, 4, 2), np.float32)
    merged = merge_overlapping(scores, boxes, keypoints)
    assert [round(score, 3) for score, _ in merged] == [0.9, 0.7]
    np.testing.assert_allclose(merged[0][1], 0.4, atol=1e-6)
    np.testing.assert_allclose(merged[1][1], 2.0)


def test_a_persons_box_is_the_square_about_the_circle_around_the_body() -> None:
    keypoints = np.array([[100, 200], [160, 120], [100, 100], [0, 0]], np.float32)
    person = detected_person(0.8, keypoints)
    np.testing.assert_allclose(person.bbox_xyxy, [0, 100, 200, 300])
    assert person.score == 0.8
    assert (person.region.center_x_px, person.region.center_y_px) == (100, 200)
    np.testing.assert_allclose(person.region.side_px, 1.25 * 200)


@given(st.integers(0, 2**32 - 1), st.integers(0, 30))
def test_merging_keeps_the_best_and_leaves_no_strong_overlap_uncovered(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 1, (n, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(0, 0.4, (n, 2))], 1).astype(np.float32)
    scores = rng.uniform(0.5, 1, n).astype(np.float32)
    merged = merge_overlapping(scores, boxes, np.zeros((n, 4, 2), np.float32))
    found = [score for score, _ in merged]
    assert found == sorted(found, reverse=True)
    assert len(found) <= n
    assert (not n) or found[0] == np.float32(scores.max())
