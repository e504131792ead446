"""The motion of one person over a take, as the formats for other programs want it.

Axes: y up, x to the camera's right, z towards the camera [m]: those of BVH, glTF and SMPL's own rest pose, so a
person who stands upright and faces the camera has no rotation at all. Legend: N frames, J = 24 joints.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.geometry.axes import R_YUP_WORLD
from realtime_vibe.geometry.rotation import rotmat_from_rot6d
from realtime_vibe.geometry.smpl_skeleton import offsets_of_posed, rest_joints
from realtime_vibe.outputs.record.recording_spool import Rows
from realtime_vibe.outputs.record.row_blocks import Numbers, TakeRows
from realtime_vibe.outputs.record.take_rows import frame_starts
from realtime_vibe.packets import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackBlock:
    """Successive frames of a track, n of them."""

    times_s: NDArray[np.float64]
    """(n,) from the take's first frame on."""
    valid: NDArray[np.bool_]
    """(n,) False where the person was not in view: the pose of before is held there (the first one before it)."""
    rotmats: FloatArray
    """(n, 24, 3, 3) relative to the parent; the root relative to the world."""
    joints: FloatArray
    """(n, 24, 3) as they were seen live [m]."""
    offsets: FloatArray
    """(n, 24, 3) from parent to joint in the rest pose, of the shape as it was estimated at each moment [m]; the
    root's is zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionTrack:
    """One person; every track of a take has the same frames."""

    times_s: NDArray[np.float64]
    """(N,) from the take's first frame on."""
    valid: NDArray[np.bool_]
    """(N,) as in the blocks."""
    rest_joints: FloatArray
    """(24, 3) of the person's last shape in the rest pose [m]."""
    betas: FloatArray
    """(10,) that shape."""
    rows: TakeRows
    shown: Numbers
    """(N,) the row that each frame shows."""

    def blocks(self) -> Iterator[TrackBlock]:
        """All frames in their order, a block at a time."""
        stop = 0
        for rows in self.rows.blocks(self.shown):
            part = slice(stop, stop + len(rows))
            stop = part.stop
            rotmats = rotmat_from_rot6d(rows["rot6d"])
            offsets = offsets_of_posed(rotmats, rows["joints_camera"])
            rotation, translation = _world(rows)
            joints = np.einsum("nab,njb->nja", rotation, rows["joints_camera"])
            rotmats[:, 0] = rotation @ rotmats[:, 0]
            yield TrackBlock(
                times_s=self.times_s[part],
                valid=self.valid[part],
                rotmats=rotmats,
                joints=(joints + translation[:, None]).astype(np.float32),
                offsets=offsets,
            )


def tracks_of(rows: TakeRows, people: Sequence[Numbers]) -> Iterator[MotionTrack]:
    """Tracks of people (`people_of`) of a take of at least one row, made one after the other: each has all frames of it."""
    starts = frame_starts(rows.index)
    frame_of_row = np.cumsum(np.isin(np.arange(len(rows)), starts)) - 1
    return (_track(rows, starts, own, frame_of_row) for own in people)


def _track(
    rows: TakeRows, starts: NDArray[np.intp], own: NDArray[np.intp], frame_of_row: NDArray[np.intp]
) -> MotionTrack:
    seen = np.full(len(starts), -1)
    seen[frame_of_row[own]] = own
    shown = np.maximum.accumulate(seen)
    shown[shown < 0] = own[0]
    last = rows.load(shown[-1:])
    offsets = offsets_of_posed(rotmat_from_rot6d(last["rot6d"]), last["joints_camera"])[0]
    offsets[0] = last["joints_camera"][0, 0] - last["transl_camera"][0]
    times_s = rows.index["timestamp_s"][starts]
    return MotionTrack(
        times_s=times_s - times_s[0],
        valid=seen >= 0,
        rest_joints=rest_joints(offsets),
        betas=np.array(last["betas"][0]),
        rows=rows,
        shown=shown,
    )


def _world(rows: Rows) -> tuple[FloatArray, FloatArray]:
    """Rotation (N, 3, 3) and translation (N, 3) from the camera's frame to the y-up world."""
    world = rows["world_camera"]
    return R_YUP_WORLD @ world[:, :, :3], world[:, :, 3] @ R_YUP_WORLD.T
