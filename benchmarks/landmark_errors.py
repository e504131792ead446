"""How measured angles and positions differ from true ones: regression, spread and how long it lasts.

A bone's elevation is its angle out of the image plane, positive where its far end is farther from
the camera. Legend: F frames, K = 12 joints of `JOINTS`, N samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

KINDS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
JOINTS = tuple(f"{side}_{kind}" for kind in KINDS for side in ("left", "right"))
FACINGS = ("front", "side", "back")

_L_SHOULDER, _R_SHOULDER, _L_HIP, _R_HIP = (
    JOINTS.index(name) for name in ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
)
_Ends = tuple[tuple[int, ...], tuple[int, ...]]


def _limb(near: str, far: str) -> tuple[_Ends, ...]:
    return tuple(
        ((JOINTS.index(f"{side}_{near}"),), (JOINTS.index(f"{side}_{far}"),))
        for side in ("left", "right")
    )


BONES: dict[str, tuple[_Ends, ...]] = {
    "upper arm": _limb("shoulder", "elbow"),
    "forearm": _limb("elbow", "wrist"),
    "thigh": _limb("hip", "knee"),
    "shank": _limb("knee", "ankle"),
    "trunk": (((_L_SHOULDER, _R_SHOULDER), (_L_HIP, _R_HIP)),),
}
"""Of each bone, a pair of near and far ends a side; an end is the middle of its joints."""

_FRONT_DEG, _BACK_DEG = 45.0, 135.0
_LAGS_S = 0.5
_FEWEST_SAMPLES = 30
_LEAST_RANGE_DEG = 3.0
"""A slope over a smaller deviation of the truth says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One quantity of one bone or joint over one clip; NaN where it is not known or not chosen."""

    true: FloatArray
    """(F,)."""
    seen: FloatArray
    """(F,)."""
    weight: FloatArray
    """(F,) how much a frame counts."""
    period_s: float
    """Between frames [s]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorFit:
    """`seen = intercept + slope * true` and what is left; NaN: cannot be said."""

    samples: int
    true_mean: float
    true_sd: float
    slope: float
    intercept: float
    left_over: float
    """Deviation of what is left over."""
    within: float
    """Its part within a clip."""
    between: float
    """Its part between clips."""
    white: float
    """Of the part within a clip, what is new in every frame."""
    drift: float
    """The rest of that part, which decays exponentially."""
    tau_s: float
    """In this time; too short by the length of the clips, whose means are taken off."""
    lag1: float
    """Correlation of what is left over within a clip from a frame to the next."""


def facing(joints: FloatArray) -> NDArray[np.intp]:
    """Where bodies (F, K, 3) look, as index into `FACINGS`; -1 where it is not known.

    The body's forward axis is across its hips and shoulders and its trunk; less than 45 degrees
    from the direction to the camera is the front, more than 135 the back.
    """
    left = joints[:, _L_SHOULDER] - joints[:, _R_SHOULDER] + joints[:, _L_HIP] - joints[:, _R_HIP]
    up = joints[:, [_L_SHOULDER, _R_SHOULDER]].mean(1) - joints[:, [_L_HIP, _R_HIP]].mean(1)
    forward = np.cross(left, up)
    with np.errstate(invalid="ignore", divide="ignore"):
        towards = -forward[:, 2] / np.linalg.norm(forward, axis=-1)
        angle = np.degrees(np.arccos(np.clip(towards, -1.0, 1.0)))
    index = np.where(angle < _FRONT_DEG, 0, np.where(angle > _BACK_DEG, 2, 1))
    return np.where(np.isfinite(angle), index, -1)


def bone_vectors(joints: FloatArray, ends: _Ends) -> FloatArray:
    """(F, 3) from the near to the far end of a bone of bodies (F, K, 3)."""
    near, far = ends
    vectors: FloatArray = joints[:, list(far)].mean(axis=1) - joints[:, list(near)].mean(axis=1)
    return vectors


def elevation_deg(vectors: FloatArray) -> FloatArray:
    """(F,) angle of (F, 3) out of the image plane; positive: away from the camera."""
    across = np.linalg.norm(vectors[:, :2], axis=-1)
    return np.asarray(np.degrees(np.arctan2(vectors[:, 2], across)), np.float64)


def azimuth_deg(vectors: FloatArray) -> FloatArray:
    """(F,) angle of (F, 3) within the image plane."""
    return np.asarray(np.degrees(np.arctan2(vectors[:, 1], vectors[:, 0])), np.float64)


def fit_errors(series: Sequence[Series], *, is_offset: bool = False) -> ErrorFit | None:
    """Regression over all series, and how what is left over splits; None for too few samples.

    Args:
        is_offset: take a slope of 1: the truth is no line to fit, as of positions.
    """
    used = [each for each in series if _known(each).any()]
    true, seen, weight = (
        np.concatenate([getattr(each, name)[_known(each)] for each in used] or [np.empty(0)])
        for name in ("true", "seen", "weight")
    )
    if len(true) < _FEWEST_SAMPLES:
        return None
    total = weight.sum()
    true_mean, seen_mean = (weight @ true) / total, (weight @ seen) / total
    variance = weight @ (true - true_mean) ** 2 / total
    slope = 1.0 if is_offset else float("nan")
    if not is_offset and variance > _LEAST_RANGE_DEG**2:
        slope = float(weight @ ((true - true_mean) * (seen - seen_mean)) / total / variance)
    taken = 1.0 if np.isnan(slope) else slope
    intercept = seen_mean - taken * true_mean
    rests = [(each.seen - intercept - taken * each.true, each.weight) for each in used]
    return ErrorFit(
        samples=len(true),
        true_mean=float(true_mean),
        true_sd=float(np.sqrt(variance)),
        slope=slope,
        intercept=float(intercept),
        **_spread(rests, [each.period_s for each in used]),
    )


def _known(series: Series) -> NDArray[np.bool_]:
    known = np.isfinite(series.true) & np.isfinite(series.seen) & (series.weight > 0)
    return np.asarray(known, np.bool_)


def _spread(
    rests: Sequence[tuple[FloatArray, FloatArray]], periods_s: Sequence[float]
) -> dict[str, float]:
    """Deviations within and between series of (rest, weight), and how long the former last."""
    weights = [np.where(np.isfinite(rest), weight, 0.0) for rest, weight in rests]
    totals = np.array([weight.sum() for weight in weights])
    values = [np.nan_to_num(rest) for rest, _ in rests]
    means = np.array(
        [
            value @ weight / total
            for value, weight, total in zip(values, weights, totals, strict=True)
        ]
    )
    inner = [value - mean for value, mean in zip(values, means, strict=True)]
    between = totals @ (means - totals @ means / totals.sum()) ** 2 / totals.sum()
    period_s = float(np.median(periods_s))
    covariance = _autocovariance(inner, weights, round(_LAGS_S / period_s))
    white, drift, tau_s = _decay(covariance, period_s)
    return {
        "left_over": float(np.sqrt(covariance[0] + between)),
        "within": float(np.sqrt(covariance[0])),
        "between": float(np.sqrt(between)),
        "white": white,
        "drift": drift,
        "tau_s": tau_s,
        "lag1": float(covariance[1] / covariance[0]) if covariance[0] > 0 else float("nan"),
    }


def _autocovariance(
    values: Sequence[FloatArray], weights: Sequence[FloatArray], num_lags: int
) -> FloatArray:
    """(num_lags + 1,) over all series, each about its own mean."""
    sums, counts = np.zeros(num_lags + 1), np.zeros(num_lags + 1)
    for value, weight in zip(values, weights, strict=True):
        for lag in range(min(num_lags + 1, len(value))):
            both = np.sqrt(weight[lag:] * weight[: len(weight) - lag])
            sums[lag] += (both * value[lag:] * value[: len(value) - lag]).sum()
            counts[lag] += both.sum()
    return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)


def _decay(covariance: FloatArray, period_s: float) -> tuple[float, float, float]:
    """White part, drift and the drift's time constant, by a line through the logarithm."""
    variance = covariance[0]
    low = np.flatnonzero(~(covariance[1:] > 0.2 * covariance[1]))
    used = slice(1, 1 + (int(low[0]) if low.size else len(covariance) - 1))
    lags = np.arange(len(covariance))[used] * period_s
    if len(lags) < 2 or not covariance[1] > 0:
        return float(np.sqrt(variance)), 0.0, float("nan")
    slope, start = np.polyfit(lags, np.log(covariance[used]), 1)
    drift = min(float(np.exp(start)), float(variance))
    white = float(np.sqrt(variance - drift))
    return white, float(np.sqrt(drift)), float(-1.0 / slope) if slope < 0 else float("inf")
