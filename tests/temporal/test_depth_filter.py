"""Covers the depth filter: jumps on the spot stay there, walks are followed, wrong beliefs are given up."""

from collections.abc import Callable

import numpy as np
import pytest

from realtime_vibe.temporal.depth_filter import DepthFilter


def _filtered(
    depth_m: Callable[[float], float],
    *,
    rate_hz: float = 30.0,
    step_m: float = 0.0,
    feet_are_seen: bool = True,
    noise: float = 0.0,
) -> np.ndarray:
    """(N, 2) true and filtered depth over six seconds; the feet swing by `step_m` once a second."""
    rng, depth, found = np.random.default_rng(2), DepthFilter(), []
    for index in range(round(6 * rate_hz)):
        time_s = index / rate_hz
        joints = np.zeros((24, 3), np.float32)
        joints[7, 2] = 0.5 * step_m * np.sin(2 * np.pi * time_s)
        joints[8, 2] = -joints[7, 2]
        joints[:, 2] += depth_m(time_s) * (1.0 + noise * rng.normal())
        dt_s = 1.0 / rate_hz if index else 0.0
        found.append((depth_m(time_s), depth.update(joints, dt_s, feet_are_seen=feet_are_seen)))
    return np.array(found)


def test_somebody_who_jumps_in_place_stays_there() -> None:
    found = _filtered(lambda time_s: 3.0 + 0.25 * np.sin(2 * np.pi * time_s))
    assert np.ptp(found[60:, 1]) < 0.12


@pytest.mark.parametrize("rate_hz", [15.0, 60.0])
def test_a_walk_is_followed(rate_hz: float) -> None:
    found = _filtered(
        lambda time_s: 6.0 - 0.9 * min(max(time_s - 1.0, 0.0), 4.0),
        rate_hz=rate_hz, step_m=0.7, noise=0.02,
    )  # fmt: skip
    assert np.abs(found[:, 1] - found[:, 0]).max() < 0.4
    assert np.sqrt(np.mean(np.square(found[:, 1] - found[:, 0]))) < 0.15


@pytest.mark.parametrize("rate_hz", [15.0, 60.0])
def test_whoever_walks_from_the_first_frame_on_is_followed_at_once(rate_hz: float) -> None:
    found = _filtered(
        lambda time_s: 5.1 - 1.3 * min(time_s, 2.0), rate_hz=rate_hz, step_m=0.7, noise=0.02
    )
    assert np.abs(found[:, 1] - found[:, 0]).max() < 0.19


def test_a_lean_towards_the_camera_is_followed_where_no_feet_are_seen() -> None:
    found = _filtered(lambda time_s: 1.0 - 0.3 * float(time_s > 2.0), feet_are_seen=False)
    assert found[90, 1] == pytest.approx(0.7, abs=0.05)


def test_a_size_that_stays_wrong_is_believed_in_the_end() -> None:
    found = _filtered(lambda time_s: 3.0 + 1.0 * min(max(time_s - 1.0, 0.0), 2.0))
    assert found[-1, 1] == pytest.approx(5.0, abs=0.3)


def test_a_start_at_a_wrong_place_is_left_at_once() -> None:
    found = _filtered(lambda time_s: 5.6 if time_s < 0.09 else 2.1)
    np.testing.assert_allclose(found[3:, 1], 2.1, rtol=1e-5)


def test_the_start_and_a_standing_clock_give_what_is_measured() -> None:
    depth, joints = DepthFilter(), np.full((24, 3), 2.5, np.float32)
    assert depth.update(joints, 0.0, feet_are_seen=True) == pytest.approx(2.5)
    assert depth.update(joints * 2, 0.0, feet_are_seen=True) == pytest.approx(5.0)
