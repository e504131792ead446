"""Writes one person's joints as tables: `.csv` for spreadsheets and scripts, `.trc` for OpenSim.

Both have y up (x to the camera's right, z towards the camera). Where the person was not in view, `.csv` has empty
cells and `.trc` has NaN: OpenSim's table reader wants as many cells in each row, and takes empty ones at its end
for none.
"""

from collections.abc import Iterator
from typing import IO

import numpy as np

from realtime_vibe.geometry.smpl_joints import SMPL_JOINT_NAMES
from realtime_vibe.outputs.record.motion_track import MotionTrack

_MM_PER_M = 1000.0
_TRC_HEAD = (
    "DataRate CameraRate NumFrames NumMarkers Units OrigDataRate OrigDataStartFrame OrigNumFrames"
)


def write_csv(file: IO[bytes], track: MotionTrack) -> None:
    """One row a frame: `time_s`, then x, y, z [m] of the 24 joints."""
    axes = [f"{name}_{axis}" for name in SMPL_JOINT_NAMES for axis in "xyz"]
    file.write((",".join(["time_s", *axes]) + "\n").encode())
    full, empty = "%.6f" + ",%.5f" * len(axes) + "\n", "%.6f" + "," * len(axes) + "\n"
    for time_s, seen, joints in _frames(track):
        row = full % (time_s, *joints) if seen else empty % time_s
        file.write(row.encode())


def write_trc(file: IO[bytes], track: MotionTrack, *, name: str, rate_hz: float) -> None:
    """OpenSim's marker file of a track at a constant rate [1/s]: millimetres, frames from 1.

    `name` is the file's, which it states itself.
    """
    count = len(SMPL_JOINT_NAMES)
    numbers = [f"{axis}{marker}" for marker in range(1, count + 1) for axis in "XYZ"]
    frames = len(track.times_s)
    rate = f"{rate_hz:.6g}"
    head = [
        ["PathFileType", "4", "(X/Y/Z)", name],
        _TRC_HEAD.split(),
        [rate, rate, str(frames), str(count), "mm", rate, "1", str(frames)],
        ["Frame#", "Time", *(cell for joint in SMPL_JOINT_NAMES for cell in (joint, "", ""))],
        ["", "", *numbers],
        [],
    ]
    for line in head:
        file.write(("\t".join(line) + "\n").encode())
    full, empty = ("%d\t%.6f" + cell * len(numbers) + "\n" for cell in ("\t%.3f", "\tNaN"))
    for number, (time_s, seen, joints) in enumerate(_frames(track, _MM_PER_M), start=1):
        row = full % (number, time_s, *joints) if seen else empty % (number, time_s)
        file.write(row.encode())


def _frames(track: MotionTrack, scale: float = 1.0) -> Iterator[tuple[float, bool, list[float]]]:
    for block in track.blocks():
        joints = (block.joints.reshape(len(block.joints), -1) * np.float64(scale)).tolist()
        yield from zip(block.times_s.tolist(), block.valid.tolist(), joints, strict=True)
