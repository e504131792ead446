"""Median flow: how drawn things moved, and when it says that it cannot tell."""

import numpy as np
import pytest

from realtime_vibe.tracking.median_flow import MedianFlow
from tests.tracking.textured_scene import HEIGHT, WIDTH, Scene, Thing


def _flow(scene: Scene, *indices: int) -> tuple[object, ...]:
    flow = MedianFlow()
    flow.advance(scene.frame(indices[0]).image_bgr, [])
    return flow.advance(scene.frame(indices[1]).image_bgr, scene.boxes(indices[0]))


@pytest.mark.parametrize("step", [(0.0, 0.0), (7.0, -3.0), (-22.0, 9.0), (0.6, 0.4)])
def test_a_shift_is_found_to_a_third_of_a_pixel(step: tuple[float, float]) -> None:
    scene = Scene(Thing(1, lambda i: (300 + step[0] * i, 240 + step[1] * i, 110, 260)))
    (move,) = _flow(scene, 0, 1)
    assert move is not None
    np.testing.assert_allclose(move.shift_px, step, atol=0.35)
    assert move.scaling == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("growth", [0.95, 1.05])
def test_half_of_a_change_of_size_is_taken(growth: float) -> None:
    scene = Scene(Thing(1, lambda i: (300, 240, 120 * growth**i, 280 * growth**i)))
    (move,) = _flow(scene, 0, 1)
    assert move is not None
    assert move.scaling == pytest.approx(growth**0.5, abs=0.01)
    np.testing.assert_allclose(move.shift_px, 0, atol=2.0)


def test_a_body_much_narrower_than_its_box_does_not_stay_with_the_wall_behind() -> None:
    body = Thing(1, lambda i: (300 + 6.0 * i, 240, 60, 260))
    scene = Scene(body)
    flow = MedianFlow()
    flow.advance(scene.frame(0).image_bgr, [])
    square = np.array([170, 110, 430, 370], np.float32)
    (move,) = flow.advance(scene.frame(1).image_bgr, [square])
    assert move is not None
    np.testing.assert_allclose(move.shift_px, [6, 0], atol=0.5)


def test_a_cut_a_flat_picture_a_new_size_and_a_start_say_nothing() -> None:
    scene, other = Scene(Thing(1, lambda _: (300, 240, 110, 260))), Scene(background=7)
    boxes = scene.boxes(0)
    image = scene.frame(0).image_bgr
    flow = MedianFlow()
    assert flow.advance(image, boxes) == (None,)
    assert flow.advance(other.frame(0).image_bgr, boxes) == (None,)
    flat = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    assert flow.advance(flat, boxes) == (None,)
    assert flow.advance(flat, boxes) == (None,)
    assert flow.advance(flat[:100], boxes) == (None,)
    flow.advance(image, [])
    flow.reset()
    assert flow.advance(image, boxes) == (None,)


def test_boxes_on_each_other_say_nothing_and_one_beside_goes_on() -> None:
    things = [
        Thing(seed, lambda i, x=x: (x + 3.0 * i, 240, 100, 240))
        for seed, x in enumerate((100, 102, 400))
    ]
    moves = _flow(Scene(*things), 0, 1)
    assert [move is None for move in moves] == [True, True, False]


def test_boxes_partly_or_wholly_outside_the_picture_raise_nothing() -> None:
    scene = Scene(Thing(1, lambda i: (5 + 3.0 * i, 240, 110, 260)))
    flow = MedianFlow()
    flow.advance(scene.frame(0).image_bgr, [])
    outside = np.array([-900, -900, -800, -700], np.float32)
    partly, wholly = flow.advance(scene.frame(1).image_bgr, [scene.boxes(0)[0], outside])
    assert wholly is None
    assert partly is not None
    np.testing.assert_allclose(partly.shift_px, [3, 0], atol=0.5)


def test_the_picture_is_not_written_to() -> None:
    scene = Scene(Thing(1, lambda _: (300, 240, 110, 260)))
    image = scene.frame(0).image_bgr
    before = image.copy()
    flow = MedianFlow()
    flow.advance(image, [])
    flow.advance(image, scene.boxes(0))
    np.testing.assert_array_equal(image, before)
