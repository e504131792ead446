"""Boxes of YOLOv3's graph to people in the image: letterbox, suppression, regions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_vibe.backends.base import TensorSpec
from realtime_vibe.geometry.crop import letterbox_square
from realtime_vibe.tracking import yolov3_detector
from realtime_vibe.tracking.yolov3_detector import YoloV3Detector, best_apart, letterboxed

GREY = 127


class FakeSession:
    """Answers with given boxes and keeps the picture it was shown."""

    def __init__(self, boxes, scores, size=416):
        self.inputs = (TensorSpec(name="image_bgr", shape=(1, size, size, 3), dtype="uint8"),)
        self.outputs = ()
        self.backend = "fake"
        self.num_closed = 0
        self._results = {
            "boxes": np.array(boxes, np.float32).reshape(1, -1, 4),
            "scores": np.array(scores, np.float32).reshape(1, -1),
        }

    def run(self, feeds):
        self.picture = feeds["image_bgr"]
        return self._results

    def close(self):
        self.num_closed += 1


def image(width=640, height=480):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_boxes_are_mapped_to_the_image():
    """The square around 640x480 begins 80 px above it."""
    session = FakeSession([[0.25, 0.25, 0.5, 0.875]], [0.9])
    (person,) = YoloV3Detector(session).detect(image())
    assert person.score == pytest.approx(0.9)
    np.testing.assert_allclose(person.bbox_xyxy, [160, 80, 320, 480])
    assert (person.region.center_x_px, person.region.center_y_px) == (240, 280)
    assert person.region.side_px == pytest.approx(1.25 * 400)
    assert person.region.roll_rad == 0


@pytest.mark.parametrize("size", [320, 416, 608])
def test_the_graph_says_how_large_its_picture_is(size):
    session = FakeSession([], [], size)
    assert YoloV3Detector(session).detect(image()) == ()
    assert session.picture.shape == (1, size, size, 3)
    assert session.picture.dtype == np.uint8
    assert session.picture.flags.c_contiguous


def test_people_come_best_first_and_only_so_many(monkeypatch):
    boxes = [[0.1 * n, 0, 0.1 * n + 0.05, 1] for n in range(5)]
    scores = [0.8, 0.6, 0.95, 0.75, 0.9]
    found = YoloV3Detector(FakeSession(boxes, scores)).detect(image())
    assert [round(person.score, 2) for person in found] == [0.95, 0.9, 0.8, 0.75]
    monkeypatch.setattr(yolov3_detector, "MAX_PEOPLE", 2)
    found = YoloV3Detector(FakeSession(boxes, scores)).detect(image())
    assert [round(person.score, 2) for person in found] == [0.95, 0.9]


def test_closing_twice_is_allowed():
    session = FakeSession([], [])
    detector = YoloV3Detector(session)
    detector.close()
    detector.close()
    assert session.num_closed == 2


def test_the_picture_is_surrounded_by_grey_without_an_edge(subtests):
    """A grey image and its grey border cannot be distinguished, whatever the sizes."""
    for width, height in [(640, 480), (480, 640), (1280, 720), (500, 333), (7, 5)]:
        with subtests.test(height=height, width=width):
            grey = np.full((height, width, 3), GREY, np.uint8)
            square = letterbox_square(width, height)
            np.testing.assert_array_equal(letterboxed(grey, square, 416), GREY)


def test_the_border_leaves_the_image_as_it_is():
    square = letterbox_square(832, 416)
    picture = letterboxed(np.full((416, 832, 3), 255, np.uint8), square, 416)
    assert np.all(picture[104:312] == 255)
    assert np.all(picture[:103] == GREY)
    assert np.all(picture[313:] == GREY)


def test_overlapping_boxes_leave_the_best():
    boxes = np.array([[0, 0, 1, 1], [0.1, 0, 1.1, 1], [0, 0, 0.3, 1], [2, 2, 3, 3]], np.float32)
    scores = np.array([0.8, 0.9, 0.7, 0.75], np.float32)
    assert best_apart(boxes, scores).tolist() == [1, 3, 2]


def test_answers_that_are_not_finite_are_left_out_with_a_warning(caplog):
    boxes = [[0, 0, np.inf, 1], [0.2, 0.2, 0.4, 1], [np.nan] * 4, [0, 0, 1, 1], [np.inf] * 4]
    scores = [0.9, 0.8, 0.9, np.nan, 0.1]  # what is too low to count may be anything
    (person,) = YoloV3Detector(FakeSession(boxes, scores)).detect(image())
    assert person.score == pytest.approx(0.8)
    assert "3 of 5" in caplog.text


@given(st.integers(0, 2**32 - 1), st.integers(0, 40))
def test_what_is_left_is_apart_and_covers_what_is_gone(seed, count):
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 1, (count, 2))
    boxes = np.hstack([corners, corners + rng.uniform(0.05, 0.5, (count, 2))]).astype(np.float32)
    scores = rng.uniform(0, 1, count).astype(np.float32)
    left = best_apart(boxes, scores)
    assert list(scores[left]) == sorted(scores[left], reverse=True)
    overlap = iou(boxes)
    assert np.all(overlap[np.ix_(left, left)][~np.eye(len(left), dtype=bool)] <= 0.45 + 1e-5)
    for gone in set(range(count)) - set(left):
        assert any(overlap[gone, k] >= 0.45 - 1e-5 and scores[k] >= scores[gone] for k in left)


def iou(boxes):
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=2)
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    return shared / (area[:, None] + area[None] - shared)
