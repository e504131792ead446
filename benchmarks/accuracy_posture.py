"""How somebody stands: angles of knees, elbows and trunk, and left taken for right.

Legend: F frames, K joints by name, as the truth and the prediction both have them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

STRAIGHT_DEG = 174.0
"""A true knee of this interior angle or more is straight."""

STRAIGHT_SMPL_DEG = 170.0
"""The same for a truth of SMPL's joints: the default body's hips, knees and ankles lie on no line, and
its straight legs reach 172 degrees."""

SWAP_MARGIN_M = 0.05
"""By how much the exchanged limbs must fit better, mean of their joints."""

FloatArray = NDArray[np.float64]

_SIDES = ("left", "right")
_LIMBS = {"arms": ("elbow", "wrist"), "legs": ("knee", "ankle")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Posture:
    """Errors of angles [degrees], mean over frames; NaN: the joints or such frames are missing."""

    knee: float
    """Of the interior angle of both knees, absolute."""
    knee_bias: float
    """The same, signed; negative: more bent than they are."""
    elbow: float
    trunk: float
    """Angle between the directions from hips to shoulders, camera frame."""
    trunk_forward: float
    """Its part in the true body's sagittal plane; positive: leans forward too far."""
    straight_left_knee: float
    """Of the knees whose truth is straight, absolute."""
    straight_right_knee: float
    straight_share: float
    """Share of all knees that are straight in truth."""
    flips_per_min: float
    """How often left begins to be taken for right: the arms or the legs, exchanged, fit the truth
    better by `SWAP_MARGIN_M`."""
    flipped_percent: float
    """Share of frames in which it is [%]."""

    @property
    def straight_knee(self) -> float:
        """Mean of both sides, or of the one that is known."""
        sides = [self.straight_left_knee, self.straight_right_knee]
        known = [side for side in sides if np.isfinite(side)]
        return float(np.mean(known)) if known else float("nan")


def interior_deg(joints: FloatArray, names: Sequence[str], corners: Sequence[str]) -> FloatArray:
    """(F,) angle at the middle of three named joints of (F, K, 3); 180: straight."""
    first, middle, last = (joints[:, names.index(name)] for name in corners)
    return angle_deg(first - middle, last - middle)


def angle_deg(a: FloatArray, b: FloatArray) -> FloatArray:
    """(F,) angle between (F, 3) and (F, 3)."""
    crossed = np.linalg.norm(np.cross(a, b), axis=-1)
    return np.asarray(np.degrees(np.arctan2(crossed, (a * b).sum(axis=-1))), np.float64)


def score_posture(
    predicted: FloatArray,
    truth: FloatArray,
    names: Sequence[str],
    fps: float,
    straight_deg: float = STRAIGHT_DEG,
) -> Posture:
    """Posture of all frames that have a truth and a prediction.

    Args:
        predicted: (F, K, 3) [m], camera axes; NaN where nobody was found.
        truth: the same shape; NaN where it is unknown.
        names: (K,) full names.
        fps: [1/s].
        straight_deg: true knees of this interior angle or more are straight.
    """
    found = np.isfinite(predicted).all(axis=(1, 2)) & np.isfinite(truth).all(axis=(1, 2))
    knees = _limb_errors(predicted, truth, names, ("hip", "knee", "ankle"))
    elbows = _limb_errors(predicted, truth, names, ("shoulder", "elbow", "wrist"))
    is_straight = [true >= straight_deg for _, true in knees]
    straight = [
        np.abs(error)[chosen] for (error, _), chosen in zip(knees, is_straight, strict=True)
    ]
    trunk, forward = _trunk_errors(predicted, truth, names)
    swapped = is_swapped(predicted, truth, names)
    onsets = int((swapped & ~np.concatenate([[False], swapped[:-1]])).sum())
    seconds = found.sum() / fps
    return Posture(
        knee=_mean(np.abs([error for error, _ in knees])),
        knee_bias=_mean(np.array([error for error, _ in knees])),
        elbow=_mean(np.abs([error for error, _ in elbows])),
        trunk=_mean(trunk),
        trunk_forward=_mean(forward),
        straight_left_knee=_mean(straight[0]) if straight else float("nan"),
        straight_right_knee=_mean(straight[1]) if straight else float("nan"),
        straight_share=_mean(np.array([each[found] for each in is_straight], np.float64)),
        flips_per_min=60.0 * onsets / seconds if seconds else float("nan"),
        flipped_percent=100.0 * _mean(swapped[found].astype(np.float64)),
    )


def is_swapped(predicted: FloatArray, truth: FloatArray, names: Sequence[str]) -> NDArray[np.bool_]:
    """(F,) whether the arms or the legs fit the truth better with left and right exchanged.

    Bodies lie with the middle of all joints on one another, which exchanging does not move.
    """
    moved = predicted - predicted.mean(axis=1, keepdims=True)
    true = truth - truth.mean(axis=1, keepdims=True)
    swapped = np.zeros(len(predicted), np.bool_)
    for kinds in _LIMBS.values():
        pairs = [(f"{side}_{kind}", f"{other}_{kind}") for kind in kinds for side, other in _TURNED]
        if not all(name in names for name, _ in pairs):
            continue
        here = [names.index(name) for name, _ in pairs]
        there = [names.index(other) for _, other in pairs]
        as_is = np.linalg.norm(moved[:, here] - true[:, here], axis=-1).mean(axis=1)
        exchanged = np.linalg.norm(moved[:, there] - true[:, here], axis=-1).mean(axis=1)
        swapped |= as_is - exchanged > SWAP_MARGIN_M  # NaN compares false
    return swapped


_TURNED = (("left", "right"), ("right", "left"))


def mean_posture(postures: Sequence[Posture]) -> Posture:
    """Mean over clips that have a figure, each counting alike."""
    return Posture(
        **{
            field.name: _mean(np.array([getattr(each, field.name) for each in postures]))
            for field in fields(Posture)
        }
    )


def _limb_errors(
    predicted: FloatArray, truth: FloatArray, names: Sequence[str], kinds: Sequence[str]
) -> list[tuple[FloatArray, FloatArray]]:
    """Of the left and the right: (F,) error of the interior angle, and the true angle."""
    sides = [[f"{side}_{kind}" for kind in kinds] for side in _SIDES]
    if not all(name in names for corners in sides for name in corners):
        return []
    pairs = []
    for corners in sides:
        true = interior_deg(truth, names, corners)
        pairs.append((interior_deg(predicted, names, corners) - true, true))
    return pairs


def _trunk_errors(
    predicted: FloatArray, truth: FloatArray, names: Sequence[str]
) -> tuple[FloatArray, FloatArray]:
    corners = [f"{side}_{kind}" for kind in ("shoulder", "hip") for side in _SIDES]
    if not all(name in names for name in corners):
        return np.empty(0), np.empty(0)
    at = [names.index(name) for name in corners]
    trunk, true = (
        joints[:, at[:2]].mean(axis=1) - joints[:, at[2:]].mean(axis=1)
        for joints in (predicted, truth)
    )
    across = truth[:, at[2]] - truth[:, at[3]] + truth[:, at[0]] - truth[:, at[1]]
    # Right-handed about the axis to the person's left: from up towards the front.
    turn = np.cross(true, trunk)
    lengths = [np.linalg.norm(each, axis=-1) for each in (across, true, trunk)]
    along = (turn * across).sum(axis=-1) / np.maximum(np.prod(lengths, axis=0), 1e-12)
    forward = np.degrees(np.arcsin(np.clip(along, -1.0, 1.0)))
    return angle_deg(trunk, true), np.asarray(forward, np.float64)


def _mean(values: FloatArray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else float("nan")
