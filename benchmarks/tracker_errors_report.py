"""The tables and the JSON of `tracker_errors`: clips beside the simulation."""

import math
from dataclasses import asdict
from typing import Any

from benchmarks.landmark_errors import BONES, FACINGS, KINDS
from benchmarks.tracker_errors_measured import ALL, TrackerErrors


def as_table(real: TrackerErrors, simulated: TrackerErrors | None) -> str:
    """Short tables; in every cell the clips' figure, then the simulation's."""
    both = [real] if simulated is None else [real, simulated]
    names = "clips" if simulated is None else "clips simulated"
    lines = [
        f"{real.tracks} clips"
        + (f", {simulated.tracks} simulated streams" if simulated is not None else "")
        + f"; every cell: {names}",
    ]
    for chosen in (ALL, *FACINGS):
        if all(real.elevation[chosen][bone] is None for bone in BONES):
            continue
        rows = {bone: [each.elevation[chosen][bone] for each in both] for bone in BONES}
        lines += ["", f"elevation of bones [degrees], facing: {chosen}"]
        lines += _fit_rows(rows, _SLOPED)
    for title, part in (
        ("direction within the image plane [degrees]", "azimuth"),
        ("length of bones, seen over true [% above 100]", "length"),
        ("image landmarks, x and y [% of the person's height]", "image"),
    ):
        fits = [getattr(each, part) for each in both]
        lines += ["", title]
        lines += _fit_rows({name: [fit[name] for fit in fits] for name in fits[0]}, _OFFSETS)
    lines += ["", "visibility, and distance in the image [% of the person's height]"]
    seen = {kind: [each.visibility[kind] for each in both] for kind in KINDS}
    return "\n".join([*lines, *_fit_rows(seen, _VISIBILITY), "", *_NOTES])


_SLOPED = {
    "true mean": ("true_mean", 0), "true sd": ("true_sd", 0), "slope": ("slope", 2),
    "intercept": ("intercept", 0), "left over": ("left_over", 1), "within": ("within", 1),
    "between": ("between", 1), "white": ("white", 1), "drift": ("drift", 1),
    "tau s": ("tau_s", 2), "lag 1": ("lag1", 2), "samples": ("samples", 0),
}  # fmt: skip
_OFFSETS = {
    "mean": ("intercept", 1), "within": ("within", 2), "between": ("between", 2),
    "white": ("white", 2), "drift": ("drift", 2), "tau s": ("tau_s", 2), "lag 1": ("lag1", 2),
}  # fmt: skip
_VISIBILITY = {
    "mean": ("mean", 2), "10th pct": ("low", 2), "share > 0.5": ("share_visible", 2),
    "error > 0.5": ("visible_error", 1), "error <= 0.5": ("hidden_error", 1),
}  # fmt: skip
_NOTES = (
    "elevation: angle out of the image plane, positive: the far end is farther away; trunk: from the",
    "shoulders' middle to the hips'. seen = intercept + slope x true; left over: deviation about that",
    "line; within, between: its parts within and between clips and sides. The part within a clip is",
    "white noise and an exponentially decaying drift (tau); short clips make tau and drift too small.",
    "facing: the body's forward axis less than 45 degrees from the direction to the camera: front; more",
    "than 135: back. Height: standing, 1.30 x (trunk + thigh + shank) of the truth.",
    "Image errors between clips hold the difference between the truth's joints and the tracker's.",
)


def _fit_rows(rows: dict[str, list[Any]], columns: dict[str, tuple[str, int]]) -> list[str]:
    cell = max(8, -(-12 // len(next(iter(rows.values())))))
    width = cell * len(next(iter(rows.values())))
    lines = [f"{'':<10}" + "".join(f"{column:>{width}}" for column in columns)]
    for name, methods in rows.items():
        cells = (
            "".join(f"{_number(method, field, digits):>{cell}}" for method in methods)
            for field, digits in columns.values()
        )
        lines.append(f"{name:<10}" + "".join(cells))
    return lines


def _number(method: Any, field: str, digits: int) -> str:
    value = math.nan if method is None else getattr(method, field)
    return f"{value:.{digits}f}" if math.isfinite(value) else "-"


def as_json(real: TrackerErrors, simulated: TrackerErrors | None) -> dict[str, Any]:
    """All figures; what cannot be said is null."""
    content = {"clips": _finite(asdict(real))}
    if simulated is not None:
        content["simulated"] = _finite(asdict(simulated))
    return content


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    return value
