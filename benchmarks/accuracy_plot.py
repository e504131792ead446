"""Bars of each joint's error, ours beside BlazePose's, to a PNG; the only user of matplotlib."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.accuracy_evaluate import Evaluation
from benchmarks.accuracy_scores import ClipResult, MethodResult, mean_scores

MOST_CLIP_PANELS = 5
"""Beyond this only the mean over clips is drawn."""

_COLOURS = {
    "ours": "#0072B2",
    "BlazePose": "#B0B0B0",
}  # distinct for colour-blind eyes and in grey
_BAR_WIDTH = 0.38
_HEADROOM = 1.22
_PANEL_INCHES = (5.6, 3.3)


def draw_joint_errors(evaluation: Evaluation, path: Path) -> None:
    """Writes the picture: one panel a clip and one for their mean, or the mean alone.

    Bars are root-aligned errors, lines across them the errors after the similarity transform. In
    the mean's panel whiskers reach from the best clip to the worst.

    Args:
        evaluation: its clips must have the same joints for a mean; else each gets its own panel.
        path: a `.png`.

    Raises:
        OSError: the file cannot be written.
    """
    clips = evaluation.clips
    has_mean = len(clips) > 1 and len({clip.joint_names for clip in clips}) == 1
    shown = clips if len(clips) <= MOST_CLIP_PANELS or not has_mean else ()
    num_panels = len(shown) + has_mean
    columns = min(num_panels, 3)
    rows = -(-num_panels // columns)
    figure = Figure(
        figsize=(max(columns * _PANEL_INCHES[0], 8.0), rows * _PANEL_INCHES[1] + 0.6),
        layout="constrained",
    )
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for panel, clip in zip(axes, shown, strict=False):
        _draw(panel, clip.joint_names, _series([clip]))
        panel.set_title(clip.name, fontsize=10, loc="left")
    if has_mean:
        panel = axes[len(shown)]
        _draw(panel, clips[0].joint_names, _series(clips))
        title = f"mean of {len(clips)} clips; whiskers: best to worst clip"
        panel.set_title(title, fontsize=10, loc="left", fontweight="bold")
    # All panels share one scale; their legends stand above the tallest bar of any.
    axes[0].set_ylim(0, max(1.0, *(panel.dataLim.y1 for panel in axes[:num_panels])) * _HEADROOM)
    for panel in axes[num_panels:]:
        panel.set_visible(False)
    config = evaluation.config
    figure.suptitle(
        f"Error of each joint [mm]: bars about the root, lines across them after the similarity "
        f"transform\n{evaluation.engine}, {config.temporal}, smoothing {config.smooth:g}",
        fontsize=11,
    )
    figure.savefig(path, dpi=110, format="png")


def _series(clips: Sequence[ClipResult]) -> dict[str, list[MethodResult]]:
    theirs = [clip.blazepose for clip in clips if clip.blazepose is not None]
    series = {"ours": [clip.ours for clip in clips]}
    return {**series, "BlazePose": theirs} if theirs else series


def _draw(panel: Axes, joints: tuple[str, ...], series: dict[str, list[MethodResult]]) -> None:
    centres = np.arange(len(joints))
    for index, (label, results) in enumerate(series.items()):
        at = centres + (index - (len(series) - 1) / 2) * _BAR_WIDTH
        errors = np.stack([result.joint_mm for result in results])
        aligned = np.stack([result.aligned_joint_mm for result in results]).mean(axis=0)
        height = errors.mean(axis=0)
        scores = mean_scores(results)
        text = f"MPJPE {scores.mpjpe_mm:.0f}, PA-MPJPE {scores.pa_mpjpe_mm:.0f} mm"
        found = np.isfinite(height).all()
        text = f"{label}: {text if found else 'nobody found'}"
        panel.bar(at, height, _BAR_WIDTH, color=_COLOURS[label], label=text)
        panel.hlines(aligned, at - _BAR_WIDTH / 2, at + _BAR_WIDTH / 2, color="black", lw=1.6)
        if len(results) > 1:
            whiskers = np.stack([height - errors.min(axis=0), errors.max(axis=0) - height])
            panel.errorbar(
                at, height, np.maximum(whiskers, 0), fmt="none", ecolor="#444444", elinewidth=0.8,
                capsize=2,
            )  # fmt: skip
    names = [
        name.replace("left_", "L ").replace("right_", "R ").replace("_", " ") for name in joints
    ]
    panel.set_xticks(centres, names, rotation=45, ha="right", fontsize=8, rotation_mode="anchor")
    panel.set_ylabel("error [mm]", fontsize=9)
    panel.tick_params(axis="y", labelsize=8, labelleft=True)
    panel.grid(axis="y", color="#DDDDDD", linewidth=0.6)
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(fontsize=8, frameon=False, loc="upper right")
    panel.margins(x=0.02)
