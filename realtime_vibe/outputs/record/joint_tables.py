"""Writes one person's joints as tables: `.csv` for spreadsheets and scripts, `.trc` for OpenSim.

Both have y up (x to the camera's right, z towards the camera). Where the person was not in view the cells are
empty, which both kinds of reader take for a missing marker.
"""

import csv
import io
from pathlib import Path
from typing import IO

import numpy as np

from realtime_vibe.geometry.smpl_joints import SMPL_JOINT_NAMES
from realtime_vibe.outputs.base import write_atomically
from realtime_vibe.outputs.record.motion_track import MotionTrack

_MM_PER_M = 1000.0


def write_csv(path: Path, track: MotionTrack) -> None:
    """One row a frame: `time_s`, then x, y, z [m] of the 24 joints.

    Raises:
        OutputError: the disk is full or the folder is gone.
    """

    def write(file: IO[bytes]) -> None:
        text = io.TextIOWrapper(file, encoding="ascii", newline="")
        table = csv.writer(text, lineterminator="\n")
        axes = [f"{name}_{axis}" for name in SMPL_JOINT_NAMES for axis in "xyz"]
        table.writerow(["time_s", *axes])
        for time_s, seen, joints in _frames(track):
            cells = [f"{value:.5f}" for value in joints] if seen else [""] * len(axes)
            table.writerow([f"{time_s:.6f}", *cells])
        text.flush()
        text.detach()

    write_atomically(path, write)


def write_trc(path: Path, track: MotionTrack, *, rate_hz: float) -> None:
    """OpenSim's marker file: millimetres, frames counted from 1.

    Args:
        path: replaced as a whole.
        track: frames at a constant rate.
        rate_hz: of its frames [1/s].

    Raises:
        OutputError: the disk is full or the folder is gone.
    """
    count = len(SMPL_JOINT_NAMES)
    numbers = [f"{axis}{marker}" for marker in range(1, count + 1) for axis in "XYZ"]
    frames = len(track.times_s)
    rate = f"{rate_hz:.6g}"
    head = [
        ["PathFileType", "4", "(X/Y/Z)", path.name],
        [
            "DataRate",
            "CameraRate",
            "NumFrames",
            "NumMarkers",
            "Units",
            "OrigDataRate",
            "OrigDataStartFrame",
            "OrigNumFrames",
        ],
        [rate, rate, str(frames), str(count), "mm", rate, "1", str(frames)],
        ["Frame#", "Time", *(cell for name in SMPL_JOINT_NAMES for cell in (name, "", ""))],
        ["", "", *numbers],
        [],
    ]

    def write(file: IO[bytes]) -> None:
        for line in head:
            file.write(("\t".join(line) + "\n").encode())
        for number, (time_s, seen, joints) in enumerate(_frames(track), start=1):
            cells = [f"{value * _MM_PER_M:.3f}" if seen else "" for value in joints]
            row = [str(number), f"{time_s:.6f}", *cells]
            file.write(("\t".join(row) + "\n").encode())

    write_atomically(path, write)


def _frames(track: MotionTrack) -> list[tuple[float, bool, list[float]]]:
    joints = track.joints.reshape(len(track.joints), -1).astype(np.float64).tolist()
    return list(zip(track.times_s.tolist(), track.valid.tolist(), joints, strict=True))
