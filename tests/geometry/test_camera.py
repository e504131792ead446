"""Boxes and cameras: the crop camera and the full camera see the same pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_vibe.geometry import boxes, camera

squares = st.builds(boxes.SquareBox, st.floats(-200, 900), st.floats(-200, 700), st.floats(40, 800))
depths = st.floats(0.7, 12.0)
offsets = st.floats(-1.5, 1.5)


@given(squares, offsets, offsets, depths)
def test_weak_camera_round_trip(square, x, y, depth):
    transl = np.array([x, y, depth], np.float32)
    weak = camera.weak_camera_from_transl(transl, square, (640, 480), 800.0)
    back = camera.transl_from_weak_camera(weak, square, (640, 480), 800.0)
    np.testing.assert_allclose(back, transl, rtol=1e-3, atol=1e-3)


@given(squares, offsets, offsets, depths)
def test_full_image_projection_agrees_with_the_crop(square, x, y, depth):
    """A point at the body's depth lands in the full image where the crop camera put it."""
    transl = np.array([x, y, depth], np.float32)
    weak = camera.weak_camera_from_transl(transl, square, (640, 480), 800.0).astype(np.float64)
    point = np.array([0.2, -0.4, 0.0])
    crop = weak[0] * (point[:2] + weak[1:])
    from_crop = np.array(square[:2]) + 0.5 * square.side * crop
    full = camera.project((point + transl).astype(np.float32), (640, 480), 800.0)
    np.testing.assert_allclose(full, from_crop, rtol=1e-3, atol=0.5)


def test_points_behind_the_camera_have_no_pixel():
    assert np.isnan(camera.project(np.array([[0.0, 0.0, -1.0]], np.float32), (64, 48), 50.0)).all()


def test_nominal_focal_is_the_diagonal_and_fov_is_horizontal():
    assert camera.nominal_focal_px(640, 480) == pytest.approx(800.0)
    assert camera.nominal_focal_px(640, 480, fov_deg=90.0) == pytest.approx(320.0)


def test_square_encloses_the_box():
    square = boxes.square_of_bbox(np.array([10, 20, 50, 100], np.float32), scale=1.1)
    assert square == pytest.approx((30, 60, 88))


def test_bbox_of_points_is_tight():
    points = np.array([[3, 9, 1], [7, 2, 5], [5, 5, 5]], np.float32)
    np.testing.assert_array_equal(boxes.bbox_of_points(points), [3, 2, 7, 9])


def test_degenerate_box_still_has_a_side():
    assert boxes.square_of_bbox(np.zeros(4, np.float32)).side > 0
