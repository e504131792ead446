"""The table and the JSON of an evaluation."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from benchmarks.accuracy_evaluate import Evaluation
from benchmarks.accuracy_joints import COMMON, MARKED
from benchmarks.accuracy_overlay import Overlay
from benchmarks.accuracy_scores import (
    COMPARED,
    ClipResult,
    MethodResult,
    Scores,
    gain_percent,
    mean_scores,
)
from benchmarks.accuracy_sections import WHAM_PA_MPJPE_MM, overlay_lines, posture_lines
from realtime_vibe.system.machine import installed_versions, machine_facts

ACCEL_FORMULA = "mean |(p[t-1] - 2 p[t] + p[t+1]) - (q[t-1] - 2 q[t] + q[t+1])|"

_COLUMNS = ("PA-MPJPE", "MPJPE", "PVE", "Accel", "PCK@150", "AUC")
_UNITS = ("mm", "mm", "mm", "mm/f^2", "%", "%")


def as_table(evaluation: Evaluation) -> str:
    """A readable table: per clip ours, BlazePose and the gain, then means and what they mean."""
    clips = evaluation.clips
    if not clips:
        return "\n".join([*overlay_lines(evaluation), "", _engine_note(evaluation)]).lstrip("\n")
    width = max(4, *(len(clip.name) for clip in clips))
    header = _line(width, "clip", "method", _COLUMNS, "found", "frames")
    lines = [header, _line(width, "", "", _UNITS, "%", ""), "-" * len(header)]
    for clip in clips:
        lines += _rows(
            width,
            clip.name,
            clip.ours.scores,
            None if clip.blazepose is None else clip.blazepose.scores,
            clip.num_frames,
        )
        if evaluation.joint_set == MARKED and clip.name in WHAM_PA_MPJPE_MM:
            cells = [_number(WHAM_PA_MPJPE_MM[clip.name]), *["-"] * (len(COMPARED) - 1)]
            lines.append(_line(width, "", "WHAM", cells, "", ""))
    if len(clips) > 1:
        lines += _rows(width, "mean", *_means(evaluation), sum(clip.num_frames for clip in clips))
    lines += ["", *_notes(evaluation)]
    return "\n".join([*lines, *overlay_lines(evaluation), *posture_lines(clips)])


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """Everything in the table and the error of each joint; scores that are not known are null."""
    config = evaluation.config
    clips = evaluation.clips
    return {
        "settings": {
            "engine": evaluation.engine,
            "backend": evaluation.backend,
            "precision": evaluation.precision,
            "tracker": config.tracker,
            "tracker_model": config.tracker_model,
            "refine": config.refine,
            "temporal": config.temporal,
            "smooth": config.smooth,
            "joint_set": evaluation.joint_set,
            "regressor": evaluation.regressor or None,
            "mean_over": "frames" if evaluation.is_pooled else "clips",
            "root": _root(evaluation),
            "pve": "vertices about the pelvis, both bodies posed on the engine's",
            "accel": f"{ACCEL_FORMULA} over joints about the root, p ours, q truth",
            "auc": "mean of PCK over 0, 5, .. 150 mm; perfect joints reach 96.8 %",
            "gain_percent": "100 (1 - ours / blazepose) for errors, negated for PCK and AUC",
        },
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine_facts(),
        "versions": installed_versions(),
        "clips": {clip.name: _clip_json(clip) for clip in clips},
        "overlays": {name: _overlay_json(each) for name, each in evaluation.overlays.items()},
        "mean": _methods_json(*_means(evaluation)) if clips else None,
    }


def _line(width: int, clip: str, method: str, cells: Sequence[str], found: str, frames: str) -> str:
    return (
        f"{clip:<{width}}  {method:<10}"
        + "".join(f"{cell:>9}" for cell in cells)
        + f"{found:>7}{frames:>8}"
    )


def _rows(width: int, name: str, ours: Scores, theirs: Scores | None, num_frames: int) -> list[str]:
    methods = [("ours", ours)] + ([] if theirs is None else [("blazepose", theirs)])
    lines = [
        _line(
            width,
            name,
            method,
            [_number(getattr(scores, score)) for score in COMPARED],
            f"{scores.coverage:.0%}".rstrip("%"),
            str(num_frames),
        )
        for method, scores in methods
    ]
    if theirs is not None:
        gains = [_signed(gain_percent(ours, theirs, score)) for score in COMPARED]
        lines.append(_line(width, name, "gain %", gains, "", ""))
    return lines


def _notes(evaluation: Evaluation) -> list[str]:
    clips = evaluation.clips
    joints = {clip.joint_names for clip in clips}
    counts = sorted({len(names) for names in joints})
    rates = sorted({round(clip.accel_rate_hz, 1) for clip in clips})
    notes = [
        _engine_note(evaluation),
        f"joints: set {evaluation.joint_set}, {' or '.join(map(str, counts))} joints, "
        f"root: {_root(evaluation)}; ours are "
        + (
            f"regressed with {evaluation.regressor}"
            if evaluation.regressor
            else "read off the mesh where people mark them"
            if evaluation.joint_set == MARKED
            else "SMPL's joints"
        )
        + ("; in the mean every frame counts alike" if evaluation.is_pooled else ""),
        f"Accel: {ACCEL_FORMULA} about the root, "
        f"at {' to '.join(f'{rate:g}' for rate in dict.fromkeys((rates[0], rates[-1])))} fps"
        + (" (not comparable between rates)" if len(rates) > 1 else ""),
        "PVE: about the pelvis, where the truth has a mesh; AUC: mean PCK at 0, 5, .. 150 mm "
        "(96.8 % at most)",
        "gain: by how much ours is better, relative to BlazePose's world landmarks of the same "
        "frames; in the mean rows, of the means",
    ]
    if evaluation.joint_set == MARKED and any(clip.name in WHAM_PA_MPJPE_MM for clip in clips):
        notes.append("WHAM: Shin et al. 2024, offline and on a GPU, through the same skeleton")
    if any(clip.blazepose is None for clip in clips):
        notes[4] = "no BlazePose rows: it does not have all joints of this set"
    return notes


def _engine_note(evaluation: Evaluation) -> str:
    config = evaluation.config
    return (
        f"engine {evaluation.engine} on {evaluation.backend} {evaluation.precision}, "
        f"{config.temporal}, smoothing {config.smooth:g} (ours only), "
        f"tracker {config.tracker} {config.tracker_model}" + (", refined" if config.refine else "")
    )


def _root(evaluation: Evaluation) -> str:
    if evaluation.joint_set in {COMMON, MARKED}:
        return "middle of the scored joints"
    return "middle of " + " and ".join(evaluation.root)


def _means(evaluation: Evaluation) -> tuple[Scores, Scores | None]:
    clips = evaluation.clips
    frames = [clip.num_frames for clip in clips] if evaluation.is_pooled else None
    theirs = [clip.blazepose for clip in clips if clip.blazepose is not None]
    # A joint set is BlazePose's for all clips or for none.
    ours = mean_scores([clip.ours for clip in clips], frames)
    return ours, mean_scores(theirs, frames) if theirs else None


def _clip_json(clip: ClipResult) -> dict[str, Any]:
    content = _methods_json(
        clip.ours.scores, None if clip.blazepose is None else clip.blazepose.scores
    )
    content["ours"].update(_joints_json(clip.joint_names, clip.ours))
    content["ours"]["overlay_percent"] = _overlay_json(clip.overlay)
    if clip.blazepose is not None:
        content["blazepose"].update(_joints_json(clip.joint_names, clip.blazepose))
    return {
        "frames": clip.num_frames,
        "fps": clip.fps,
        "accel_rate_hz": clip.accel_rate_hz,
        **content,
    }


def _overlay_json(overlay: Overlay | None) -> dict[str, float | None] | None:
    return None if overlay is None else finite(asdict(overlay))


def _methods_json(ours: Scores, theirs: Scores | None) -> dict[str, Any]:
    content: dict[str, Any] = {"ours": finite(asdict(ours))}
    if theirs is not None:
        content["blazepose"] = finite(asdict(theirs))
        content["gain_percent"] = finite(
            {score: gain_percent(ours, theirs, score) for score in COMPARED}
        )
    return content


def _joints_json(names: Sequence[str], method: MethodResult) -> dict[str, Any]:
    """Posture, and each joint's errors."""
    return {
        "posture": finite(asdict(method.posture)),
        "joint_mm": finite(dict(zip(names, method.joint_mm.tolist(), strict=True))),
        "aligned_joint_mm": finite(dict(zip(names, method.aligned_joint_mm.tolist(), strict=True))),
    }


def finite(numbers: dict[str, float]) -> dict[str, float | None]:
    """Rounded; JSON has no NaN."""
    return {key: round(n, 3) if math.isfinite(n) else None for key, n in numbers.items()}


def _number(value: float) -> str:
    return f"{value:.1f}" if math.isfinite(value) else "-"


def _signed(value: float) -> str:
    return f"{value:+.0f}" if math.isfinite(value) else "-"
