"""Boxes and cameras: the crop camera and the full camera see the same pixels."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_vibe.body.model_file import load_body
from realtime_vibe.body.smpl import SmplBody
from realtime_vibe.geometry import camera
from realtime_vibe.geometry.camera import camera_from_sight, sight_from_camera
from tests.crop_camera import tight_box, weak_camera_from_transl

squares = st.builds(
    camera.SquareBox, st.floats(-200, 900), st.floats(-200, 700), st.floats(40, 800)
)
depths = st.floats(0.7, 12.0)
offsets = st.floats(-1.5, 1.5)


CENTERS = np.array([[0.0, 0.0], [0.5, 0.0], [0.0, -0.4], [-0.3, 0.6]])


@given(squares, offsets, offsets, depths)
def test_weak_camera_round_trip(square, x, y, depth):
    transl = np.array([x, y, depth], np.float32)
    weak = weak_camera_from_transl(transl, square, (640, 480), 800.0)
    back = camera.transl_from_weak_camera(weak, square, (640, 480), 800.0)
    np.testing.assert_allclose(back, transl, rtol=1e-3, atol=1e-3)


@given(squares, offsets, offsets, depths)
def test_full_image_projection_agrees_with_the_crop(square, x, y, depth):
    """A point at the body's depth lands in the full image where the crop camera put it."""
    transl = np.array([x, y, depth], np.float32)
    weak = weak_camera_from_transl(transl, square, (640, 480), 800.0).astype(np.float64)
    point = np.array([0.2, -0.4, 0.0])
    crop = weak[0] * (point[:2] + weak[1:])
    from_crop = np.array(square[:2]) + 0.5 * square.side * crop
    full = camera.project((point + transl).astype(np.float32), (640, 480), 800.0)
    np.testing.assert_allclose(full, from_crop, rtol=1e-3, atol=0.5)


def test_points_behind_the_camera_have_no_pixel():
    assert np.isnan(camera.project(np.array([[0.0, 0.0, -1.0]], np.float32), (64, 48), 50.0)).all()


def test_nominal_focal_is_of_the_diagonal_and_fov_is_horizontal():
    assert camera.nominal_focal_px(640, 480) == pytest.approx(600.0)
    assert camera.nominal_focal_px(640, 480, fov_deg=90.0) == pytest.approx(320.0)


def test_square_encloses_the_box():
    square = camera.square_of_bbox(np.array([10, 20, 50, 100], np.float32), scale=1.1)
    assert square == pytest.approx((30, 60, 88))


def test_degenerate_box_still_has_a_side():
    assert camera.square_of_bbox(np.zeros(4, np.float32)).side > 0


BODY_FILE = Path(__file__).resolve().parents[2] / "engines" / "blazepose-gru" / "body.npz"
IMAGE_SIZE = (1280, 720)


def standing_body():
    """Vertices (V, 3) [m] in camera axes of a person who faces the camera, pelvis at the origin."""
    turn = np.diag([1.0, -1.0, -1.0]).astype(np.float32)
    straight = np.broadcast_to(np.eye(3, dtype=np.float32), (23, 3, 3))
    body = SmplBody(load_body(BODY_FILE))
    mesh = body.forward(turn, straight, np.zeros(10, np.float32), np.zeros(3, np.float32))
    return mesh.vertices


def in_image(vertices, weak, image_size=IMAGE_SIZE):
    """Pixels (V, 2) where a whole-image weak camera (sx, sy, tx, ty) puts body points."""
    half = 0.5 * np.array(image_size)
    return half + half * weak[:2] * (vertices[:, :2] + weak[2:])


def extent_px(points):
    return np.ptp(points, axis=0)


@given(squares, st.floats(0.2, 3.0), offsets, offsets)
def test_image_camera_puts_points_where_the_crop_camera_does(square, scale, tx, ty):
    weak = np.array([scale, tx, ty], np.float32)
    points = np.random.default_rng(0).normal(size=(20, 3))
    crop = weak[0] * (points[:, :2] + weak[1:])
    full = camera.full_image_weak_camera(weak, square, IMAGE_SIZE)
    assert full.dtype == np.float32
    np.testing.assert_allclose(
        in_image(points, full.astype(np.float64)), camera.crop_ndc_to_image(crop, square), atol=0.5
    )


def test_many_cameras_at_once_are_each_its_own():
    rng = np.random.default_rng(1)
    weak = rng.uniform(0.3, 1.2, (5, 3)).astype(np.float32)
    some = rng.uniform(50, 400, (5, 3)).astype(np.float32)
    sizes = rng.integers(200, 900, (5, 2))
    points = rng.normal(size=(5, 49, 3)).astype(np.float32)
    together = camera.full_image_weak_camera(weak, some, sizes)
    in_crop = camera.project_in_crop(points, weak)
    in_pixels = camera.crop_ndc_to_image(in_crop, some)
    for k in range(5):
        square, size = camera.SquareBox(*some[k].tolist()), (int(sizes[k, 0]), int(sizes[k, 1]))
        alone = camera.full_image_weak_camera(weak[k], square, size)
        np.testing.assert_allclose(together[k], alone, rtol=1e-6)
        np.testing.assert_array_equal(in_crop[k], camera.project_in_crop(points[k], weak[k]))
        np.testing.assert_allclose(in_pixels[k], camera.crop_ndc_to_image(in_crop[k], square))


def test_the_crop_projection_is_the_papers():
    """By hand: t = (tx, ty, 2 f / (224 s)), then f / z, then from 112 px to 1."""
    point, weak = np.array([[0.3, -0.5, 0.2]], np.float32), np.array([0.8, 0.1, 0.05], np.float32)
    depth = 0.2 + 2 * 5000 / (224 * 0.8)
    expected = 5000 * np.array([[0.4, -0.45]]) / depth / 112
    np.testing.assert_allclose(camera.project_in_crop(point, weak), expected, rtol=1e-5)
    flat = np.array([[0.3, -0.5, 0.0]], np.float32)
    weakly = 0.8 * (flat[:, :2] + weak[1:])
    np.testing.assert_allclose(camera.project_in_crop(flat, weak), weakly, rtol=1e-5)


@pytest.mark.parametrize("transl", [(0.0, 0.0, 12.0), (2.0, -0.6, 14.0), (-2.5, 0.8, 18.0)])
def test_an_overlay_is_as_large_as_the_person(transl):
    """Person -> picture -> box -> square with margin -> crop camera -> picture: the same pixels.

    From a dozen metres and near the middle, the body's own depth moves its outline by less than the
    1 % that is allowed.
    """
    focal_px = 2000.0
    transl = np.array(transl, np.float32)
    vertices = standing_body()
    seen = camera.project(vertices + transl, IMAGE_SIZE, focal_px)
    box = tight_box(seen)
    square = camera.square_of_bbox(box)
    weak = weak_camera_from_transl(transl, square, IMAGE_SIZE, focal_px)
    drawn = in_image(vertices, camera.full_image_weak_camera(weak, square, IMAGE_SIZE))
    height_px = extent_px(seen)[1]
    assert np.abs(extent_px(drawn) - extent_px(seen)).max() < 0.01 * height_px
    assert np.abs(tight_box(drawn) - box).max() < 0.01 * height_px
    # What the network sees in the crop, back in the image, by its own nearly parallel camera.
    keypoints = camera.crop_ndc_to_image(camera.project_in_crop(vertices, weak), square)
    assert np.abs(tight_box(keypoints) - box).max() < 0.01 * height_px
    # The box before its margin, with the same crop camera, is the released demo's fault.
    unscaled = camera.square_of_bbox(box, scale=1.0)
    small = in_image(vertices, camera.full_image_weak_camera(weak, unscaled, IMAGE_SIZE))
    ratio = extent_px(small)[1] / extent_px(drawn)[1]
    assert ratio == pytest.approx(1 / 1.1, abs=1e-3)


def test_the_z_axis_becomes_the_line_and_nothing_is_stretched():
    ahead = np.tile([0.0, 0.0, 2.0], (4, 1, 1))
    turned = camera_from_sight(ahead, CENTERS)[:, 0]
    np.testing.assert_allclose(turned[:, :2] / turned[:, 2:], CENTERS, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(turned, axis=1), 2.0)


def test_there_and_back():
    points = np.random.default_rng(0).standard_normal((4, 7, 3))
    turned = camera_from_sight(points, CENTERS)
    np.testing.assert_allclose(sight_from_camera(turned, CENTERS), points, atol=1e-12)
    np.testing.assert_allclose(points @ points.mT, turned @ turned.mT, atol=1e-12)


def test_an_angle_to_the_side_turns_about_the_vertical():
    angle = np.radians(20.0)
    across = camera_from_sight(np.array([[1.0, 0.0, 0.0]]), np.array([np.tan(angle), 0.0]))[0]
    assert across == pytest.approx([np.cos(angle), 0.0, -np.sin(angle)])
