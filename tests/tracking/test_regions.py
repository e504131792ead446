"""Regions from the two alignment points, and which region can be the lost person."""

import math
from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from realtime_vibe.geometry.crop import RotatedSquare
from realtime_vibe.tracking.regions import is_near, on_grid, region_from_alignment, steadied


def test_the_squares_up_points_to_the_circle_point(subtests: pytest.Subtests) -> None:
    for circle, roll_rad in [
        ((100, 40), 0.0),
        ((160, 100), math.pi / 2),
        ((40, 100), -math.pi / 2),
        ((100, 160), math.pi),
    ]:
        with subtests.test(roll_rad=roll_rad, circle=circle):
            region = region_from_alignment(
                np.array([100, 100], np.float32), np.array(circle, np.float32)
            )
            assert region.roll_rad == pytest.approx(roll_rad)
            assert region.side_px == pytest.approx(2 * 60 * 1.25)
            assert (region.center_x_px, region.center_y_px) == (100, 100)


def test_coinciding_points_give_no_usable_region() -> None:
    point = np.array([10, 10], np.float32)
    assert not region_from_alignment(point, point).is_usable


def test_near_means_a_plausible_way_and_size(subtests: pytest.Subtests) -> None:
    for shift_px, side_px, gap_s, expected in [
        (20, 100, 0.0, True),
        (60, 100, 0.0, False),
        (60, 100, 0.5, True),
        (5, 300, 0.0, False),
    ]:
        with subtests.test(expected=expected, gap_s=gap_s, side_px=side_px, shift_px=shift_px):
            last = RotatedSquare(center_x_px=0, center_y_px=0, side_px=100, roll_rad=0)
            candidate = RotatedSquare(
                center_x_px=shift_px, center_y_px=0, side_px=side_px, roll_rad=1
            )
            assert is_near(candidate, last, gap_s) is expected


def test_steady_region_ignores_small_changes() -> None:
    last = RotatedSquare(center_x_px=100.0, center_y_px=80.0, side_px=200.0, roll_rad=0.1)
    wanted = RotatedSquare(center_x_px=101.0, center_y_px=79.0, side_px=203.0, roll_rad=0.12)
    assert steadied(last, wanted) == last


@given(
    dx=st.floats(-150, 150),
    dy=st.floats(-150, 150),
    size=st.floats(0.55, 1.9),
    turn=st.floats(-3.0, 3.0),
)
def test_steady_region_stays_within_its_slack(
    dx: float, dy: float, size: float, turn: float
) -> None:
    last = RotatedSquare(center_x_px=300.0, center_y_px=200.0, side_px=160.0, roll_rad=3.0)
    wanted = RotatedSquare(
        center_x_px=300.0 + dx, center_y_px=200.0 + dy, side_px=160.0 * size, roll_rad=3.0 + turn
    )
    region = steadied(last, wanted)
    assert region in (last, on_grid(wanted))  # nothing else of the past is kept
    way = math.hypot(
        region.center_x_px - wanted.center_x_px, region.center_y_px - wanted.center_y_px
    )
    assert way <= 0.01 * region.side_px + 1e-6
    assert abs(math.log(region.side_px / wanted.side_px)) <= 0.02 + 1e-9
    assert (
        abs(math.remainder(region.roll_rad - wanted.roll_rad, math.tau)) <= math.radians(1.5) + 1e-9
    )


def test_two_trackers_of_one_film_meet() -> None:
    """What a network answers depends a little on where it looks, unpredictably."""

    def followed(start_px: float) -> RotatedSquare:
        region = RotatedSquare(center_x_px=start_px, center_y_px=80.0, side_px=200.0, roll_rad=0.0)
        for frame in range(100):
            seen_px = 300.0 + 80.0 * math.sin(frame / 7) + math.sin(1e3 * region.center_x_px)
            wanted = replace(region, center_x_px=seen_px)
            region = steadied(region, wanted)
        return region

    assert followed(300.0) == followed(303.0)
