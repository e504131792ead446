"""Zero offsets of knees and elbows in converted motion capture, found and taken out.

The BVH conversions of CMU's recordings have joint zeros of their own: whole subjects walk without ever
straightening a knee beyond 150 to 165 degrees. A constant extension of each limb, the same in all clips
of a skeleton, brings the 99th percentile of its angle to that of people who stand and walk.

A limb is left alone where its motion does not show that it was ever straight:

* less motion of the skeleton than `LEAST_SECONDS`: four seconds hold steps and a straight knee, but
  elbows can stay bent for longer;
* it moved through less than `LEAST_RANGE_DEG` between its 1st and 99th percentile: a held pose;
* more than `LARGEST_EXTENSION_DEG` are missing: somebody sat or ran, no offset is as large.

Legend: N frames. World frame: Z up [m].
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.geometry.rotation import (
    quat_wxyz_from_rotmat,
    rotmat_from_axis_angle,
    rotmat_from_quat_wxyz,
)
from realtime_vibe.geometry.smpl_skeleton import REST_JOINTS_M, bone_offsets, joint_positions
from realtime_vibe.training.datasets.clip import POOL_RATE_HZ, FloatArray, MotionClip, continuous
from realtime_vibe.training.datasets.limb_angles import LIMBS, Hinge, interior_angle_deg

Array = NDArray[np.float64]

STRAIGHT_DEG = 177.0
"""99th percentile of a knee or an elbow of people who move about."""
LARGEST_EXTENSION_DEG = 30.0
NEGLIGIBLE_DEG = 2.0
"""Less than this is missing: people differ by as much."""
LEAST_SECONDS: Mapping[str, float] = {"knee": 4.0, "elbow": 20.0}
LEAST_RANGE_DEG = 40.0
_OFFSETS = bone_offsets(REST_JOINTS_M)
_LOWEST = (7, 8, 10, 11)
"""Ankles and feet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimbZero:
    """What was found about one limb of one skeleton."""

    skeleton: str
    limb: str
    """A key of `LIMBS`."""
    seconds: float
    straightest_deg: float
    """99th percentile of the interior angle, as recorded."""
    extension_deg: float
    """What is added to the angle; 0 where nothing is to be done."""
    reason: str
    """Why nothing is added; empty where something is."""

    def __str__(self) -> str:
        done = f"extended by {self.extension_deg:.1f}" if self.extension_deg else self.reason
        return f"{self.skeleton} {self.limb}: {self.straightest_deg:.0f} degrees, {done}"


def limb_zeros(skeleton: str, clips: Sequence[MotionClip]) -> tuple[LimbZero, ...]:
    """Estimates the extensions of all limbs of a skeleton from everything recorded with it."""
    seconds = sum(len(clip.trans) for clip in clips) / POOL_RATE_HZ
    zeros = []
    for limb, hinge in LIMBS.items():
        angles = np.concatenate([interior_angle_deg(clip.quats, hinge) for clip in clips])
        low, high = np.percentile(angles, [1, 99])
        missing = STRAIGHT_DEG - float(high)
        reason = _reason(limb, seconds, float(high - low), missing)
        zeros.append(
            LimbZero(
                skeleton=skeleton,
                limb=limb,
                seconds=seconds,
                straightest_deg=float(high),
                extension_deg=0.0 if reason else missing,
                reason=reason,
            )
        )
    return tuple(zeros)


def _reason(limb: str, seconds: float, swing_deg: float, missing_deg: float) -> str:
    """Why a limb is left alone; empty where it is not."""
    least_s = LEAST_SECONDS[limb.rsplit(maxsplit=1)[-1]]
    if missing_deg <= NEGLIGIBLE_DEG:
        return "straight"
    if seconds < least_s:
        return f"left alone: {seconds:.1f} s of motion, {least_s:g} needed"
    if swing_deg < LEAST_RANGE_DEG:
        return f"left alone: it moves through {swing_deg:.0f} degrees, {LEAST_RANGE_DEG:g} needed"
    if missing_deg > LARGEST_EXTENSION_DEG:
        return (
            f"left alone: more than {LARGEST_EXTENSION_DEG:g} are missing, it may never be straight"
        )
    return ""


def with_zeros(clip: MotionClip, zeros: Sequence[LimbZero]) -> MotionClip:
    """Extends limbs of a recorded clip about their own axes, by its skeleton's zeros.

    Upper and lower bone turn so that the line from hip to ankle (shoulder to wrist) keeps its direction;
    feet and hands keep theirs. Longer legs lift the pelvis: the lowest foot stays at its height.
    """
    wanted = [zero for zero in zeros if zero.extension_deg]
    if not wanted:
        return clip
    turns = rotmat_from_quat_wxyz(clip.quats.astype(np.float64))
    floor = _lowest_foot(turns)
    for zero in wanted:
        _extend(turns, LIMBS[zero.limb], np.deg2rad(zero.extension_deg))
    trans = clip.trans.copy()
    trans[:, 2] += floor - _lowest_foot(turns)
    changed = sorted({joint for zero in wanted for joint in LIMBS[zero.limb]})
    quats: FloatArray = clip.quats.copy()
    quats[:, changed] = quat_wxyz_from_rotmat(turns[:, changed]).astype(np.float32)
    return replace(clip, quats=continuous(quats), trans=trans)


def _extend(turns: Array, hinge: Hinge, extension_rad: float) -> None:
    """Opens one limb in place; `turns` (N, 24, 3, 3) are local."""
    upper, middle, lower = hinge
    axis = _flexion_axis(turns, hinge)
    bent = turns[:, middle].copy()
    opened = rotmat_from_axis_angle(-extension_rad * axis) @ bent
    before = _OFFSETS[middle] + bent @ _OFFSETS[lower]
    after = _OFFSETS[middle] + opened @ _OFFSETS[lower]
    back = rotmat_from_axis_angle(_angle_about(axis, after, before)[:, None] * axis)
    turns[:, upper] = turns[:, upper] @ back
    turns[:, lower] = np.swapaxes(back @ opened, -1, -2) @ bent @ turns[:, lower]
    turns[:, middle] = opened


def _flexion_axis(turns: Array, hinge: Hinge) -> Array:
    """(3,) axis in the upper bone's frame about which the limb bends, from the frames in which it does."""
    cross = np.cross(_OFFSETS[hinge.middle], turns[:, hinge.middle] @ _OFFSETS[hinge.lower])
    axis = cross.sum(axis=0)
    unit: Array = axis / np.linalg.norm(axis)
    return unit


def _angle_about(axis: Array, start: Array, end: Array) -> Array:
    """(N,) angle [rad] about an axis from one direction (N, 3) to another, both seen along it."""
    sine = np.cross(start, end) @ axis
    cosine = np.sum(start * end, axis=-1) - (start @ axis) * (end @ axis)
    angle: Array = np.arctan2(sine, cosine)
    return angle


def _lowest_foot(turns: Array) -> Array:
    """(N,) height of the lowest ankle or foot above the pelvis (negative for people on their feet) [m]."""
    joints = joint_positions(turns, _OFFSETS, np.zeros((len(turns), 3)))
    lowest: Array = joints[:, _LOWEST, 2].min(axis=1)
    return lowest
