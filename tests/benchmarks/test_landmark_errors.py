"""Errors put on known bodies must come back as what they are."""

import numpy as np
import pytest

from benchmarks.landmark_errors import JOINTS, Series, elevation_deg, facing, fit_errors

PERIOD_S = 1 / 30


def standing() -> np.ndarray:
    """(12, 3) camera axes, facing the camera: the person's left is on the right of the image."""
    height = {"shoulder": -0.5, "elbow": -0.2, "wrist": 0.0, "hip": 0.0, "knee": 0.4, "ankle": 0.8}
    return np.array(
        [
            [0.2 if name.startswith("left") else -0.2, height[name.split("_")[1]], 3.0]
            for name in JOINTS
        ]
    )


def test_facing_follows_the_heading(subtests: pytest.Subtests) -> None:
    for heading_deg, expected in [(0, 0), (30, 0), (60, 1), (-90, 1), (180, 2), (140, 2)]:
        with subtests.test(expected=expected, heading_deg=heading_deg):
            angle = np.radians(heading_deg)
            turn = np.array(
                [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
            )
            assert facing((standing() @ turn.T)[None]) == expected


def test_facing_of_nobody_is_unknown() -> None:
    assert facing(np.full((1, 12, 3), np.nan)) == -1


def test_elevation_is_positive_away_from_the_camera() -> None:
    np.testing.assert_allclose(elevation_deg(np.array([[0.0, 1, 1], [1, 0, -1]])), [45, -45])


def series_with(slope: float, offsets: list[float], noise: float) -> list[Series]:
    rng = np.random.default_rng(0)
    series = []
    for offset in offsets:
        true = rng.uniform(-40, 40, 3000)
        seen = 5 + slope * true + offset + noise * rng.standard_normal(3000)
        ones = np.ones(3000)
        series.append(Series(true=true, seen=seen, weight=ones, period_s=PERIOD_S))
    return series


def test_regression_and_split_of_what_is_left() -> None:
    fit = fit_errors(series_with(0.6, [-4.0, 4.0], 3.0))
    assert fit is not None
    assert fit.slope == pytest.approx(0.6, abs=0.01)
    assert fit.intercept == pytest.approx(5, abs=0.2)
    assert fit.within == pytest.approx(3, abs=0.1)
    assert fit.between == pytest.approx(4, abs=0.2)
    assert fit.left_over == pytest.approx(5, abs=0.2)
    assert fit.lag1 == pytest.approx(0, abs=0.05)


def test_decay_of_a_drift_beside_white_noise() -> None:
    rng = np.random.default_rng(1)
    tau_s, steps = 0.2, 60_000
    keep = np.exp(-PERIOD_S / tau_s)
    drift = np.zeros(steps)
    kicks = 2.0 * np.sqrt(1 - keep**2) * rng.standard_normal(steps)
    for step in range(1, steps):
        drift[step] = keep * drift[step - 1] + kicks[step]
    seen = drift + rng.standard_normal(steps)
    zeros, ones = np.zeros(steps), np.ones(steps)
    fit = fit_errors(
        [Series(true=zeros, seen=seen, weight=ones, period_s=PERIOD_S)], is_offset=True
    )
    assert fit is not None
    assert fit.white == pytest.approx(1, abs=0.15)
    assert fit.drift == pytest.approx(2, abs=0.15)
    assert fit.tau_s == pytest.approx(tau_s, abs=0.03)


def test_unchosen_and_unknown_frames_do_not_count() -> None:
    (series,) = series_with(1.0, [0.0], 0.0)
    weight = np.where(np.arange(3000) < 100, 1.0, 0.0)
    seen = np.where(series.weight * np.arange(3000) < 50, np.nan, series.seen)
    fit = fit_errors([Series(true=series.true, seen=seen, weight=weight, period_s=PERIOD_S)])
    assert fit is not None
    assert fit.samples == 50
    assert fit.left_over == pytest.approx(0, abs=1e-6)


def test_too_few_samples_say_nothing() -> None:
    few = Series(true=np.zeros(5), seen=np.zeros(5), weight=np.ones(5), period_s=PERIOD_S)
    assert fit_errors([few]) is None
