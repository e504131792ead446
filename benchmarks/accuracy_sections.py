"""The short tables under the main one: mesh against landmarks, posture, and others' figures."""

import math
from collections.abc import Mapping, Sequence

from benchmarks.accuracy_evaluate import Evaluation
from benchmarks.accuracy_overlay import VISIBLE, Overlay, mean_overlay
from benchmarks.accuracy_posture import (
    STRAIGHT_DEG,
    STRAIGHT_SMPL_DEG,
    SWAP_MARGIN_M,
    Posture,
    mean_posture,
)
from benchmarks.accuracy_scores import ClipResult

WHAM_PA_MPJPE_MM: Mapping[str, float] = {"opencap_squat": 27.5, "opencap_walk": 33.6}
"""WHAM (Shin et al., CVPR 2024; offline, on a GPU) on the same clips through the same skeleton."""

_OVERLAY = ("median", "90 %", "wrists", "90 %", "ankles", "90 %")
_POSTURE = (
    "knee", "bias", "elbow", "trunk", "forward", "straight L", "R", "share %", "flips/min", "flipped %",
)  # fmt: skip


def overlay_lines(evaluation: Evaluation) -> list[str]:
    """How tightly the mesh lies on the person; nothing where no clip can say."""
    measured = {clip.name: clip.overlay for clip in evaluation.clips} | evaluation.overlays
    known = {name: overlay for name, overlay in measured.items() if overlay is not None}
    if not known:
        return []
    if len(known) > 1:
        known["mean"] = mean_overlay(list(known.values()))
    width = max(map(len, known))
    lines = ["", "mesh against the tracker's landmarks in the image, % of the person's height"]
    lines.append(f"{'clip':<{width}}" + "".join(f"{column:>9}" for column in _OVERLAY))
    for name, overlay in known.items():
        lines.append(
            f"{name:<{width}}" + "".join(f"{_number(value, 2):>9}" for value in _cells(overlay))
        )
    return [
        *lines,
        f"  the mesh's BlazePose landmarks beside the tracked ones of visibility above {VISIBLE:g}; height: "
        "longer side of",
        "  the box around the projected mesh, median over the clip",
    ]


def _cells(overlay: Overlay) -> tuple[float, ...]:
    return (
        overlay.median,
        overlay.p90,
        overlay.wrist_median,
        overlay.wrist_p90,
        overlay.ankle_median,
        overlay.ankle_p90,
    )


def posture_lines(clips: Sequence[ClipResult]) -> list[str]:
    """How people stand, ours beside BlazePose."""
    if not clips:
        return []
    rows = [
        (clip.name, method, result.posture)
        for clip in clips
        for method, result in (("ours", clip.ours), ("blazepose", clip.blazepose))
        if result is not None
    ]
    if len(clips) > 1:
        for method in dict.fromkeys(method for _, method, _ in rows):
            postures = [posture for _, other, posture in rows if other == method]
            rows.append(("mean", method, mean_posture(postures)))
    width = max(4, *(len(name) for name, _, _ in rows))
    lines = ["", "posture, mean errors in degrees"]
    lines.append(f"{'clip':<{width}}  {'method':<10}" + "".join(f"{c:>11}" for c in _POSTURE))
    shown = ""
    for name, method, posture in rows:
        cells = "".join(f"{_number(value):>11}" for value in _angles(posture))
        lines.append(f"{'' if name == shown else name:<{width}}  {method:<10}{cells}")
        shown = name
    return [
        *lines,
        "  bias: knees, negative: more bent than they are; forward: the trunk's part in the true body's "
        "sagittal plane;",
        f"  straight: knees whose truth is {STRAIGHT_DEG:g} degrees or more ({STRAIGHT_SMPL_DEG:g} in a truth of SMPL's joints), share: of all knees; flips: how "
        "often the arms or the legs",
        f"  begin to fit better by {SWAP_MARGIN_M * 1e3:.0f} mm with left and right exchanged, flipped: share "
        "of such frames",
    ]


def _angles(posture: Posture) -> tuple[float, ...]:
    return (
        posture.knee,
        posture.knee_bias,
        posture.elbow,
        posture.trunk,
        posture.trunk_forward,
        posture.straight_left_knee,
        posture.straight_right_knee,
        100.0 * posture.straight_share,
        posture.flips_per_min,
        posture.flipped_percent,
    )


def _number(value: float, digits: int = 1) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "-"
