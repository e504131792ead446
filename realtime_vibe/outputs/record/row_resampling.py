"""Brings the rows of a take to a constant frame rate.

Rotations go along the shortest arc, shapes and positions straight; joints follow by forward kinematics, so
that a resampled row is a pose of the same body. Legend: N rows, K grid points.
"""

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.geometry.rotation import (
    axis_angle_from_rotmat,
    rot6d_from_rotmat,
    rotmat_from_axis_angle,
    rotmat_from_rot6d,
)
from realtime_vibe.geometry.smpl_skeleton import joint_positions, offsets_of_posed
from realtime_vibe.outputs.record.recording_spool import Rows
from realtime_vibe.outputs.record.take_rows import NOBODY, frame_starts
from realtime_vibe.system.frame_rates import STAMP_ROUNDING_S

MAX_BRIDGE_S = 0.25
"""Somebody who is away for longer leaves a gap in the resampled take."""

_UNIFORM_TOLERANCE = 0.02
"""Of a frame: file formats round their time stamps."""


def is_uniform(rows: Rows, rate_hz: float) -> bool:
    """Whether the frames of a take come at exactly `rate_hz`, none missing."""
    times_s = np.asarray(rows["timestamp_s"])[frame_starts(rows)]
    grid_s = times_s[0] + np.arange(len(times_s)) / rate_hz
    tolerance_s = max(_UNIFORM_TOLERANCE / rate_hz, STAMP_ROUNDING_S)
    return bool(np.abs(times_s - grid_s).max() <= tolerance_s)


def resampled(rows: Rows, rate_hz: float) -> Rows:
    """The take at a constant rate, from its first to its last moment.

    Args:
        rows: (N,) of `row_type`, N > 0, in the order of time.
        rate_hz: wanted frame rate [1/s].

    Returns:
        Rows in the order of time. `frame_index` counts grid points; a point where nobody is known is an
        invalid row.
    """
    times_s = np.asarray(rows["timestamp_s"])
    # The last point may lie a hair beyond the last row, for time stamps that were rounded.
    count = int(np.floor((times_s[-1] - times_s[0]) * rate_hz + _UNIFORM_TOLERANCE)) + 1
    grid_s = times_s[0] + np.arange(max(count, 1)) / rate_hz
    pieces, numbers = [], []
    valid = np.asarray(rows["valid"])
    for person in np.unique(rows["person_id"][valid]):
        own = np.array(rows[valid & (rows["person_id"] == person)])
        own = own[np.concatenate([[True], np.diff(own["timestamp_s"]) > 0])]
        piece, number = _at(own, grid_s, 1.0 / rate_hz)
        pieces.append(piece)
        numbers.append(number)
    empty = np.setdiff1d(np.arange(len(grid_s)), np.concatenate([*numbers, []]))
    pieces.append(_nobody(rows, grid_s[empty]))
    numbers.append(empty)
    everything = np.concatenate(pieces)
    everything["frame_index"] = np.concatenate(numbers)
    order = np.argsort(everything["frame_index"], kind="stable")
    return np.asarray(everything[order])


def _at(own: Rows, grid_s: NDArray[np.float64], step_s: float) -> tuple[Rows, NDArray[np.intp]]:
    """One person's rows at the grid points where the person is known, and those points' numbers."""
    times_s = own["timestamp_s"]
    slack = _UNIFORM_TOLERANCE * step_s
    after = np.searchsorted(times_s, grid_s)
    low = np.clip(after - 1, 0, len(own) - 1)
    high = np.clip(after, 0, len(own) - 1)
    is_near = np.minimum(np.abs(times_s[low] - grid_s), np.abs(times_s[high] - grid_s)) <= slack
    is_inside = (times_s[0] <= grid_s) & (grid_s <= times_s[-1])
    is_bridged = times_s[high] - times_s[low] <= max(MAX_BRIDGE_S, 1.5 * step_s)
    numbers = np.flatnonzero((is_inside & is_bridged) | is_near)
    low, high, wanted_s = low[numbers], high[numbers], grid_s[numbers]
    span = np.maximum(times_s[high] - times_s[low], 1e-9)
    share = np.clip((wanted_s - times_s[low]) / span, 0.0, 1.0)
    # At a row (to within its time stamp's rounding) the row itself, not a blend of 99 %.
    share = np.where(np.abs(wanted_s - times_s[low]) <= slack, 0.0, share)
    share = np.where(np.abs(wanted_s - times_s[high]) <= slack, 1.0, share)
    rows = _blend(own[low], own[high], share.astype(np.float32))
    rows["timestamp_s"] = wanted_s
    return rows, numbers


def _blend(low: Rows, high: Rows, share: NDArray[np.float32]) -> Rows:
    """Rows between `low` and `high`: `share` 0 is the first, 1 the second."""
    rows = np.where(share < 0.5, low, high)
    for name in rows.dtype.names or ():
        if name in {"transl_camera", "betas", "weak_camera", "square_px", "focal_px", "kp_3d"}:
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


def _nobody(rows: Rows, times_s: NDArray[np.float64]) -> Rows:
    empty: Rows = np.zeros(len(times_s), rows.dtype)
    nearest = np.clip(np.searchsorted(rows["timestamp_s"], times_s), 0, len(rows) - 1)
    for name in ("focal_px", "image_size", "world_camera"):
        empty[name] = rows[name][nearest]
    empty["timestamp_s"] = times_s
    empty["person_id"] = NOBODY
    return empty
