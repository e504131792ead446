"""The measuring script on tracks whose errors are known."""

import numpy as np
import pytest

from benchmarks.landmark_errors import JOINTS
from benchmarks.landmark_tracks import LandmarkTrack, standing_height_m
from benchmarks.tracker_errors_measured import measure
from benchmarks.tracker_errors_report import as_json, as_table

FRAMES = 120


def track(*, lean_deg: float, error_percent: float, seed: int = 0) -> LandmarkTrack:
    """Somebody facing the camera whose shanks turn; the tracker sees them `lean_deg` too far off."""
    rng = np.random.default_rng(seed)
    truth, seen = np.zeros((2, FRAMES, 12, 3))
    angles = np.radians(rng.uniform(-20, 20, FRAMES))
    for joints, extra in ((truth, 0.0), (seen, np.radians(lean_deg))):
        for row, name in enumerate(JOINTS):
            side, kind = name.split("_")
            x = 0.2 if side == "left" else -0.2
            y = {"shoulder": -0.5, "elbow": -0.2, "wrist": 0.0}.get(kind, 0.0)
            joints[:, row] = [x, y, 3.0]
            if kind in {"knee", "ankle"}:
                joints[:, row, 1] += 0.4
            if kind == "ankle":
                joints[:, row, 1] += 0.4 * np.cos(angles + extra)
                joints[:, row, 2] += 0.4 * np.sin(angles + extra)
    return LandmarkTrack(
        truth_m=truth,
        seen_m=seen,
        error_percent=np.full((FRAMES, 12, 2), error_percent),
        visibility=np.ones((FRAMES, 12)),
        period_s=1 / 30,
    )


def test_a_constant_lean_is_the_intercept() -> None:
    errors = measure([track(lean_deg=16.0, error_percent=2.0)])
    shank = errors.elevation["front"]["shank"]
    assert shank is not None
    assert (shank.slope, shank.intercept) == pytest.approx((1.0, 16.0), abs=1e-6)
    assert errors.elevation["back"]["shank"] is None
    assert errors.image["wrist"] is not None
    assert errors.image["wrist"].intercept == pytest.approx(2.0)
    assert errors.visibility["wrist"].visible_error == pytest.approx(2.0 * np.sqrt(2))


def test_simulated_samples_count_as_the_clips_are_distributed() -> None:
    like = track(lean_deg=0.0, error_percent=0.0, seed=1)
    both = [track(lean_deg=5.0, error_percent=0.0, seed=seed) for seed in (2, 3)]
    matched = measure(both, like=[like]).elevation["all"]["shank"]
    wanted = measure([like]).elevation["all"]["shank"]
    assert matched is not None
    assert wanted is not None
    assert matched.true_mean == pytest.approx(wanted.true_mean, abs=0.5)


def test_table_and_json_say_both_columns() -> None:
    real = measure([track(lean_deg=16.0, error_percent=2.0)])
    table = as_table(real, measure([track(lean_deg=3.0, error_percent=1.0)]))
    (shank,) = [line for line in table.split("facing: front")[1].splitlines() if "shank" in line][
        :1
    ]
    assert "16" in shank.split()
    assert "3" in shank.split()
    assert set(as_json(real, None)) == {"clips"}


def test_standing_height_of_a_body_in_pieces() -> None:
    assert standing_height_m(track(lean_deg=0, error_percent=0).truth_m) == pytest.approx(1.3 * 1.3)
