"""Figures of `real_curve` over training time, to a PNG."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.real_curve import Scored

_PANELS = {
    "pa_mpjpe_mm": "PA-MPJPE [mm]",
    "mpjpe_mm": "MPJPE [mm]",
    "accel_mm": "Accel at 30 fps [mm/frame^2]",
    "overlay": "mesh against landmarks, median [% of height]",
    "straight_knee_deg": "knees straight in truth, error [deg]",
    "trunk_deg": "trunk, error [deg]",
}
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999")


def draw_curve(networks: Sequence[Scored], path: Path) -> None:
    """Writes the picture: a panel a figure; thin lines are clips, the thick one is their mean.

    Networks that say how long they were trained stand at their hours, in order; the others are
    dashed levels across.

    Args:
        networks: at least one.

    Raises:
        OSError: the file cannot be written.
    """
    figure = Figure(figsize=(13.0, 7.0), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2, 3).ravel()
    for panel, (field, title) in zip(panels, _PANELS.items(), strict=True):
        _draw(panel, networks, field)
        panel.set_title(title, fontsize=10, loc="left")
        panel.grid(color="#DDDDDD", linewidth=0.6)
        panel.set_ylim(bottom=0)
        panel.set_xlabel("hours of training", fontsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].legend(fontsize=7, frameon=False)
    figure.savefig(path, dpi=110, format="png")


def _draw(panel: Axes, networks: Sequence[Scored], field: str) -> None:
    trained = sorted(
        (each for each in networks if each.hours is not None), key=lambda each: each.hours or 0.0
    )
    hours = [each.hours or 0.0 for each in trained]
    for colour, name in zip(_COLOURS, networks[0].clips, strict=False):
        values = [getattr(each.clips[name], field) for each in trained]
        panel.plot(hours, values, ".-", color=colour, linewidth=0.9, label=name)
    means = [getattr(each.mean, field) for each in trained]
    panel.plot(hours, means, "o-", color="black", linewidth=2.2, markersize=4, label="mean")
    for each in networks:
        if each.hours is None:
            level = getattr(each.mean, field)
            panel.axhline(level, color="black", ls="--", lw=1.0, label=f"{each.name}, mean")
