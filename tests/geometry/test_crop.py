"""Rotated square regions: mapping there and back, and what lands where in the crop."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_vibe.geometry.crop import (
    RotatedSquare,
    crop_square,
    crop_to_image,
    letterbox_square,
)

squares = st.builds(
    RotatedSquare,
    center_x_px=st.floats(-500, 2500),
    center_y_px=st.floats(-500, 2500),
    side_px=st.floats(4, 4000),
    roll_rad=st.floats(-math.pi, math.pi),
)


def image_to_crop(points, square):
    mapped = points / square.side_px
    center = np.array([square.center_x_px, square.center_y_px])
    mapped[:, :2] = (points[:, :2] - center) @ square.axes / square.side_px + 0.5
    return mapped


@given(squares, st.integers(0, 2**32 - 1))
def test_mapping_to_the_image_and_back_is_the_identity(square: RotatedSquare, seed: int) -> None:
    points = np.random.default_rng(seed).uniform(-0.5, 1.5, (7, 3)).astype(np.float32)
    back = image_to_crop(crop_to_image(points, square), square)
    np.testing.assert_allclose(back, points, atol=2e-3 * max(1.0, 500 / square.side_px))


@given(squares)
def test_mapping_keeps_lengths_up_to_the_scale(square: RotatedSquare) -> None:
    corners = np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]], np.float32)
    mapped = crop_to_image(corners, square)
    sides = np.linalg.norm(mapped[:, :2] - np.roll(mapped[:, :2], 1, axis=0), axis=1)
    np.testing.assert_allclose(sides, square.side_px, rtol=1e-3, atol=0.02)
    np.testing.assert_allclose(mapped[:, 2], square.side_px, rtol=1e-5)


def test_the_upright_square_over_the_image_gives_the_image_itself() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    np.testing.assert_array_equal(crop_square(image, letterbox_square(64, 64), 64), image)


def test_a_spot_lands_where_the_mapping_says(subtests: pytest.Subtests) -> None:
    for roll_rad in [0.0, 0.4, -1.9, math.pi]:
        with subtests.test(roll_rad=roll_rad):
            image = np.zeros((200, 300, 3), np.uint8)
            image[118:122, 138:142] = 255
            square = RotatedSquare(center_x_px=150, center_y_px=100, side_px=128, roll_rad=roll_rad)
            crop = crop_square(image, square, 256)
            rows, columns = np.nonzero(crop[..., 0] > 128)
            expected = image_to_crop(np.array([[140, 120]], np.float32), square)[0] * 256
            np.testing.assert_allclose(
                [columns.mean() + 0.5, rows.mean() + 0.5], expected, atol=0.6
            )


def test_a_clockwise_roll_turns_the_crops_up_to_the_images_right() -> None:
    square = RotatedSquare(center_x_px=0, center_y_px=0, side_px=2, roll_rad=math.pi / 2)
    up = crop_to_image(np.array([[0.5, 0.0]], np.float32), square)
    np.testing.assert_allclose(up, [[1.0, 0.0]], atol=1e-6)


def test_outside_the_image_is_black() -> None:
    image = np.full((8, 8, 3), 255, np.uint8)
    square = RotatedSquare(center_x_px=500, center_y_px=4, side_px=16, roll_rad=0.3)
    assert not crop_square(image, square, 32).any()


def test_any_size_of_image_can_be_cropped(subtests: pytest.Subtests) -> None:
    for shape in [(1, 1, 3), (3, 1, 3), (2160, 3840, 3)]:
        with subtests.test(shape=shape):
            image = np.full(shape, 200, np.uint8)
            crop = crop_square(image, letterbox_square(shape[1], shape[0]), 224)
            assert crop.shape == (224, 224, 3)
            assert crop[112, 112].min() > 0


def test_degenerate_squares_are_not_usable(subtests: pytest.Subtests) -> None:
    for side_px, center_px in [(0.0, 5.0), (float("nan"), 5.0), (10.0, float("inf")), (1e9, 5.0)]:
        with subtests.test(center_px=center_px, side_px=side_px):
            square = RotatedSquare(
                center_x_px=center_px, center_y_px=0.0, side_px=side_px, roll_rad=0.0
            )
            assert not square.is_usable


def test_a_finite_square_is_usable() -> None:
    assert letterbox_square(640, 480).is_usable
