"""What the errors of a clip come to, and how they compare.

Legend: F frames, K scored joints.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy_joints import JointSet
from benchmarks.accuracy_overlay import Overlay
from benchmarks.accuracy_posture import STRAIGHT_DEG, Posture, score_posture
from benchmarks.accuracy_run import ClipRun
from benchmarks.metrics import (
    accel_error,
    aligned_joint_errors,
    auc,
    joint_errors,
    pck,
)

ACCEL_RATE_HZ = 30.0
"""Clips of higher rates are thinned to about this: second differences grow with the time step."""

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Errors of one method, mean over the frames with a person; NaN: cannot be said."""

    pa_mpjpe_mm: float
    """After the best similarity transform of each frame."""
    mpjpe_mm: float
    """About the root."""
    pve_mm: float
    """Vertices about the pelvis."""
    accel_mm: float
    """[mm/frame^2] at the clip's `accel_rate_hz`, about the root."""
    pck_percent: float
    """Joints nearer than 150 mm, about the root."""
    auc_percent: float
    """Mean of that over 0, 5, .. 150 mm."""
    coverage: float
    """Share of the known frames with a person."""


HIGHER_IS_BETTER = ("pck_percent", "auc_percent")
COMPARED = tuple(field.name for field in fields(Scores) if field.name != "coverage")


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodResult:
    """One method on one clip."""

    scores: Scores
    joint_mm: FloatArray
    """(K,) mean error of each joint about the root; NaN when nobody was found."""
    aligned_joint_mm: FloatArray
    """(K,) the same after the similarity transform."""
    posture: Posture


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipResult:
    """Both methods on one clip."""

    name: str
    joint_names: tuple[str, ...]
    """(K,)."""
    num_frames: int
    """Frames with a known truth."""
    fps: float
    """[1/s]."""
    accel_rate_hz: float
    """Rate at which second differences were taken [1/s]."""
    ours: MethodResult
    blazepose: MethodResult | None
    """None for a joint set that BlazePose does not have."""
    overlay: Overlay | None = None
    """Of our mesh; None where nobody was found, or the body has no landmarks."""


def accel_stride(fps: float) -> int:
    """Every how many frames second differences are taken; 1 below 45 frames a second."""
    return max(1, round(fps / ACCEL_RATE_HZ))


def score_clip(name: str, run: ClipRun, joints: JointSet, fps: float) -> ClipResult:
    """Scores a run.

    Args:
        name: the clip's.
        run: joints in the order of `joints.gathered`.
        joints: which are scored, and the root.
        fps: of the clip [1/s].
    """
    return ClipResult(
        name=name,
        joint_names=joints.joints,
        num_frames=int(_known(run.truth).sum()),
        fps=fps,
        accel_rate_hz=fps / accel_stride(fps),
        ours=score_method(run.ours, run.truth, joints, fps, run.vertex_errors_m, run.straight_deg),
        blazepose=(
            None
            if run.blazepose is None
            else score_method(run.blazepose, run.truth, joints, fps, None, run.straight_deg)
        ),
        overlay=run.overlay,
    )


def score_method(
    predicted: FloatArray,
    truth: FloatArray,
    joints: JointSet,
    fps: float,
    vertex_errors_m: FloatArray | None = None,
    straight_deg: float = STRAIGHT_DEG,
) -> MethodResult:
    """Errors over the frames that have a truth and a prediction.

    Args:
        predicted: (F, `joints.gathered`, 3) [m]; NaN where nobody was found.
        truth: the same shape; NaN where it is unknown.
        joints: which are scored, and the root.
        fps: [1/s].
        vertex_errors_m: (F,), NaN where nobody was found.
        straight_deg: interior angle of knees that are straight in this truth.
    """
    known = _known(truth)
    found = known & _known(predicted)
    num_scored = len(joints.joints)
    posture = score_posture(predicted, truth, joints.gathered, fps, straight_deg)
    if not found.any():
        nothing = Scores(**dict.fromkeys(COMPARED, float("nan")), coverage=0.0)
        empty = np.full(num_scored, np.nan)
        return MethodResult(scores=nothing, joint_mm=empty, aligned_joint_mm=empty, posture=posture)
    errors = joint_errors(predicted[found], truth[found], joints.root_weights)[:, :num_scored]
    aligned = aligned_joint_errors(predicted[found, :num_scored], truth[found, :num_scored])
    vertices = np.full(1, np.nan) if vertex_errors_m is None else vertex_errors_m[found]
    return MethodResult(
        scores=Scores(
            pa_mpjpe_mm=float(aligned.mean() * 1e3),
            mpjpe_mm=float(errors.mean() * 1e3),
            pve_mm=_mean_of_finite(vertices) * 1e3,
            accel_mm=_accel_m(predicted, truth, joints, accel_stride(fps)) * 1e3,
            pck_percent=pck(errors) * 100,
            auc_percent=auc(errors) * 100,
            coverage=float(found.sum() / known.sum()),
        ),
        joint_mm=errors.mean(axis=0) * 1e3,
        aligned_joint_mm=aligned.mean(axis=0) * 1e3,
        posture=posture,
    )


def mean_scores(results: Sequence[MethodResult], num_frames: Sequence[int] | None = None) -> Scores:
    """Mean over clips; a score that one of them lacks is NaN.

    Args:
        results: one method on every clip.
        num_frames: known frames of each clip: every frame in which somebody was found counts alike, as in
            the evaluations of the data sets' papers. None: every clip counts alike.
    """

    def mean(score: str) -> float:
        values = np.array([getattr(result.scores, score) for result in results])
        if num_frames is None:
            return float(values.mean())
        weights = np.array(num_frames, np.float64)
        if score != "coverage":
            weights *= [result.scores.coverage for result in results]
        counts = weights > 0
        return (
            float(np.average(values[counts], weights=weights[counts])) if counts.any() else np.nan
        )

    return Scores(**{field.name: mean(field.name) for field in fields(Scores)})


def gain_percent(ours: Scores, theirs: Scores, score: str) -> float:
    """By how much ours is better, relative to theirs [%]; negative: worse; NaN: cannot be said.

    Args:
        ours: our scores.
        theirs: the others'.
        score: one of `COMPARED`; errors count downwards, PCK and AUC upwards.
    """
    mine, base = getattr(ours, score), getattr(theirs, score)
    if base == 0:
        return float("nan")
    change = 100.0 * (mine / base - 1.0)
    return float(change if score in HIGHER_IS_BETTER else -change)


def _known(joints: FloatArray) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(joints).all(axis=(1, 2)), np.bool_)


def _accel_m(predicted: FloatArray, truth: FloatArray, joints: JointSet, stride: int) -> float:
    # About the root, as for MPJPE: BlazePose's world landmarks do not move through the room.
    weights = joints.root_weights
    moved = predicted - np.einsum("k,nkc->nc", weights, predicted)[:, None]
    true = truth - np.einsum("k,nkc->nc", weights, truth)[:, None]
    num_scored = len(joints.joints)
    # Each phase of a thinned clip is a clip of its own; together they use every frame.
    phases = [
        accel_error(moved[start::stride, :num_scored], true[start::stride, :num_scored])
        for start in range(stride)
    ]
    return _mean_of_finite(np.concatenate(phases))


def _mean_of_finite(values: FloatArray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else float("nan")
