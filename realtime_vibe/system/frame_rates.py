"""Frame rates: which are usual, and which one a series of times has."""

import numpy as np
from numpy.typing import ArrayLike

STANDARD_RATES_HZ = (
    10.0, 12.0, 12.5, 15.0, 20.0, 24000 / 1001, 24.0, 25.0, 30000 / 1001, 30.0, 48.0, 50.0,
    60000 / 1001, 60.0, 72.0, 90.0, 100.0, 120000 / 1001, 120.0, 144.0, 240.0,
)  # fmt: skip
"""Rates of cameras and films [1/s]."""

STAMP_ROUNDING_S = 1.1e-3
"""Containers such as Matroska keep times in whole milliseconds."""

_NEAR = 2e-3
_LONG_STEP_S, _PAUSE_S = 0.5, 10.0
_USUAL_SHARE = 1 / 3


def nearest_standard_rate(rate_hz: float) -> float:
    """The usual rate that `rate_hz` was rounded from, to within 0.2 %; else `rate_hz` itself."""
    nearest = min(STANDARD_RATES_HZ, key=lambda standard: abs(standard - rate_hz))
    return nearest if abs(nearest - rate_hz) <= _NEAR * nearest else rate_hz


def measured_rate(times_s: ArrayLike) -> float | None:
    """Frames per second of times (N,) in order [s]; None where there are fewer than two.

    Counts intervals over the time they take. Where most of the time passes in steps of one length
    (give or take a rounding to milliseconds) those alone are counted, so that lost frames do not
    lower the rate; else, as with frames that come in bursts, all but long gaps are.
    """
    steps_s = np.diff(np.asarray(times_s, np.float64))
    steps_s = steps_s[steps_s > 0]
    if len(steps_s) == 0:
        return None
    typical_s = np.median(steps_s)
    # Of a few steps a single gap is most of the mean; beside usual steps a pause is none of them.
    long_s = min(5 * float(steps_s.mean()), max(_PAUSE_S, 5 * float(typical_s)))
    is_gap = steps_s > max(_LONG_STEP_S, long_s)
    counted = np.abs(steps_s - typical_s) <= 0.1 * typical_s + STAMP_ROUNDING_S
    if steps_s[counted].sum() < _USUAL_SHARE * steps_s[~is_gap].sum():
        counted = ~is_gap
    rate_hz = float(counted.sum() / steps_s[counted].sum())
    return nearest_standard_rate(round(rate_hz, 6)) or rate_hz
