"""Brings the rows of a take to a constant frame rate.

Rotations go along the shortest arc, shapes and positions straight; joints follow by forward kinematics, so
that a resampled row is a pose of the same body. A pause in which no frame came (a camera that was away) has no rows
but for a few seconds: hours of nobody are what fills a disk. Legend: N rows, K rows on the grid.
"""

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.errors import OutputError
from realtime_vibe.geometry.rotation import (
    axis_angle_from_rotmat,
    rot6d_from_rotmat,
    rotmat_from_axis_angle,
    rotmat_from_rot6d,
)
from realtime_vibe.geometry.smpl_skeleton import joint_positions, offsets_of_posed
from realtime_vibe.outputs.record.recording_spool import Rows
from realtime_vibe.outputs.record.row_blocks import INDEX, Numbers, TakeRows
from realtime_vibe.outputs.record.take_rows import NOBODY, frame_starts, grouped
from realtime_vibe.system.frame_rates import STAMP_ROUNDING_S

MAX_BRIDGE_S = 0.25
"""Somebody who is away for longer leaves a gap in the resampled take."""

MAX_PAUSE_S = 10.0
"""Longer stretches without a frame are left out."""
_MAX_PER_FRAME, _ALWAYS_FINE = 20, 100_000
"""Grid points for each frame that was recorded, and how many may be made of anything."""

_UNIFORM_TOLERANCE = 0.02
"""Of a frame: file formats round their time stamps."""


def is_uniform(rows: Rows, rate_hz: float) -> bool:
    """Whether the frames of a take come at exactly `rate_hz`, none missing."""
    times_s = np.asarray(rows["timestamp_s"])[frame_starts(rows)]
    grid_s = times_s[0] + np.arange(len(times_s)) / rate_hz
    tolerance_s = max(_UNIFORM_TOLERANCE / rate_hz, STAMP_ROUNDING_S)
    return bool(np.abs(times_s - grid_s).max() <= tolerance_s)


def left_out_s(rows: Rows, rate_hz: float) -> float:
    """How much of the time between the first and the last row a resampled take leaves out [s]."""
    steps = np.diff(rows["frame_index"][frame_starts(rows)])
    return float((steps[steps > 1] - 1).sum()) / rate_hz


def resampled(rows: TakeRows, rate_hz: float) -> TakeRows:
    """The take (N > 0, in the order of time) at a constant rate [1/s], from its first to its last moment.

    Its K rows are in the order of time. `frame_index` counts grid points; a point where nobody is known is an
    invalid row, and long pauses have no points.

    Raises:
        OutputError: the rate would make a file out of all proportion to what was recorded.
    """
    index = rows.index
    times_s = np.maximum.accumulate(index["timestamp_s"])
    points = _grid(times_s, rate_hz)
    grid_s = times_s[0] + points / rate_hz
    pieces = []
    seen = np.flatnonzero(index["valid"])
    for numbers in grouped(seen, index["person_id"][seen]):
        own = numbers[np.concatenate([[True], np.diff(times_s[numbers]) > 0])]
        pieces.append(_places(own, times_s[own], grid_s, 1.0 / rate_hz))
    known = np.concatenate([np.zeros(0, np.intp), *(piece["point"] for piece in pieces)])
    empty = np.setdiff1d(np.arange(len(points)), known)
    nobody = np.zeros(len(empty), _PLACE)
    nobody["point"] = empty
    nobody["low"] = np.clip(np.searchsorted(times_s, grid_s[empty]), 0, len(rows) - 1)
    nobody["high"] = nobody["low"]
    places = np.concatenate([*pieces, nobody])
    places = places[np.argsort(places["point"], kind="stable")]
    made = np.zeros(len(places), INDEX)
    made["frame_index"] = points[places["point"]]
    made["timestamp_s"] = grid_s[places["point"]]
    made["valid"] = places["known"]
    nearest = np.where(places["share"] < 0.5, places["low"], places["high"])
    made["person_id"] = np.where(places["known"], index["person_id"][nearest], NOBODY)
    made["world_camera"] = index["world_camera"][nearest]

    def load(numbers: Numbers) -> Rows:
        wanted = places[numbers]
        low, high = rows.load_stored(wanted["low"]), rows.load_stored(wanted["high"])
        found = _blend(low, high, wanted["share"])
        for name in set(found.dtype.names or ()) - {"focal_px", "image_size"}:
            found[name][~wanted["known"]] = 0
        for name in INDEX.names or ():
            found[name] = made[name][numbers]
        return found

    return TakeRows(made, load)


_PLACE = np.dtype(
    [("point", np.intp), ("low", np.intp), ("high", np.intp), ("share", "<f4"), ("known", "?")]
)
"""A row on the grid: between which rows it lies, and how far towards the second."""


def _grid(times_s: NDArray[np.float64], rate_hz: float) -> Numbers:
    """Numbers of the grid points, counted from the first row, without long pauses."""
    cuts = np.flatnonzero(np.diff(times_s) > max(MAX_PAUSE_S, 1.5 / rate_hz)) + 1
    firsts = (times_s[[0, *cuts]] - times_s[0]) * rate_hz
    lasts = (times_s[[*(cuts - 1), -1]] - times_s[0]) * rate_hz
    # A point may lie a hair beyond a row, for time stamps that were rounded.
    starts = np.ceil(firsts - _UNIFORM_TOLERANCE)
    stops = np.maximum(np.floor(lasts + _UNIFORM_TOLERANCE) + 1, starts + 1)
    frames = np.count_nonzero(np.diff(times_s) > 0) + 1
    wanted = float((stops - starts).sum())
    if not wanted <= _ALWAYS_FINE + _MAX_PER_FRAME * frames:
        raise OutputError(
            f"{rate_hz:g} frames/s would make {wanted:.3g} frames of the {frames} that were recorded: "
            "choose a lower --record-fps"
        )
    runs = [np.arange(start, stop) for start, stop in zip(starts, stops, strict=True)]
    return np.unique(np.concatenate(runs)).astype(np.intp)


def _places(
    own: Numbers, times_s: NDArray[np.float64], grid_s: NDArray[np.float64], step_s: float
) -> NDArray[np.void]:
    """(K,) of `_PLACE`: one person at the grid points where the person, of rows `own` at rising times [s], is known."""
    slack = _UNIFORM_TOLERANCE * step_s
    # Nobody costs more than the own time, however long the take is.
    first, stop = np.searchsorted(grid_s, (times_s[0] - step_s, times_s[-1] + step_s))
    grid_s = grid_s[first:stop]
    after = np.searchsorted(times_s, grid_s)
    low = np.clip(after - 1, 0, len(own) - 1)
    high = np.clip(after, 0, len(own) - 1)
    is_near = np.minimum(np.abs(times_s[low] - grid_s), np.abs(times_s[high] - grid_s)) <= slack
    is_inside = (times_s[0] <= grid_s) & (grid_s <= times_s[-1])
    is_bridged = times_s[high] - times_s[low] <= max(MAX_BRIDGE_S, 1.5 * step_s)
    points = np.flatnonzero((is_inside & is_bridged) | is_near)
    low, high, wanted_s = low[points], high[points], grid_s[points]
    span = np.maximum(times_s[high] - times_s[low], 1e-9)
    share = np.clip((wanted_s - times_s[low]) / span, 0.0, 1.0)
    # At a row (to within its time stamp's rounding) the row itself, not a blend of 99 %.
    share = np.where(np.abs(wanted_s - times_s[low]) <= slack, 0.0, share)
    share = np.where(np.abs(wanted_s - times_s[high]) <= slack, 1.0, share)
    places = np.zeros(len(points), _PLACE)
    places["point"], places["low"], places["high"] = first + points, own[low], own[high]
    places["share"], places["known"] = share, True
    return places


_LINEAR = {
    "transl_camera", "betas", "weak_camera", "square_px", "focal_px", "kp_3d", "joint_confidence",
    "landmarks_px", "landmark_visibility",
}  # fmt: skip


def _blend(low: Rows, high: Rows, share: NDArray[np.float32]) -> Rows:
    """Rows between `low` and `high`: `share` 0 is the first, 1 the second."""
    rows = np.where(share < 0.5, low, high)
    for name in rows.dtype.names or ():
        if name in _LINEAR:
            weight = share.reshape(-1, *[1] * (low[name].ndim - 1))
            rows[name] = low[name] + weight * (high[name] - low[name])
    first, second = rotmat_from_rot6d(low["rot6d"]), rotmat_from_rot6d(high["rot6d"])
    turn = axis_angle_from_rotmat(np.swapaxes(first, -1, -2) @ second)
    rotmats = first @ rotmat_from_axis_angle(turn * share[:, None, None])
    offsets = offsets_of_posed(first, low["joints_camera"])
    offsets += share[:, None, None] * (offsets_of_posed(second, high["joints_camera"]) - offsets)
    pelvis = low["joints_camera"][:, 0] + share[:, None] * (
        high["joints_camera"][:, 0] - low["joints_camera"][:, 0]
    )
    is_between = (share > 0) & (share < 1)
    joints = joint_positions(rotmats, offsets, pelvis)
    rows["rot6d"][is_between] = rot6d_from_rotmat(rotmats)[is_between]
    rows["joints_camera"][is_between] = joints[is_between]
    return rows
