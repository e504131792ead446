"""Writes a take in the AMASS layout.

SMPL poses about the rest pelvis J0, hence `trans` = R (J0 + transl_camera) + t - J0 with R, t from the camera's
frame to the Z-up world.

Rows: one per processed frame and person. A frame with nobody in view has one row with `valid` False
and `person_id` -1 that repeats the values of the last valid row (zeros before the first one): readers
of AMASS files choke on NaN, and a body that jumps to the origin is worse than one that stands still.

Beside AMASS's arrays there are those of the released VIBE, by its names:

| array | shape | content |
|---|---|---|
| `weak_camera` | (N, 3) | s, tx, ty in the crop |
| `square_px` | (N, 3) | centre x, y and side of the crop in the image [px], margin included |
| `orig_cam` | (N, 4) | the same camera for the whole image: sx, sy, tx, ty |
| `kp_3d` | (N, 49, 3) | keypoints [m], camera axes, before translation |
| `kp_2d` | (N, 49, 2) | keypoints [px] in the whole image, by the crop's camera |
| `kp_names` | (49,) | their names |

The last three are there when the body has the 49 keypoints, which takes an imported SMPL model.
"""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.geometry.camera import crop_ndc_to_image, full_image_weak_camera, project_in_crop
from realtime_vibe.geometry.rotation import axis_angle_from_rotmat, rotmat_from_rot6d
from realtime_vibe.outputs.base import write_atomically
from realtime_vibe.outputs.record.recording_spool import Rows, SpoolFacts
from realtime_vibe.outputs.record.take_rows import measured_rate_hz

NUM_AMASS_POSES = 156
NUM_AMASS_BETAS = 16
NUM_AMASS_BODY_JOINTS = 22
"""The root and 21 body joints; AMASS's hands are 30 finger joints, which SMPL does not have."""


def write_npz(path: Path, rows: Rows, facts: SpoolFacts) -> None:
    """Writes the motion of everybody in the rows.

    Args:
        path: replaced as a whole.
        rows: (N,) of `row_type`, N > 0.
        facts: of the take.

    Raises:
        OutputError: the disk is full or the folder is gone.
    """
    columns = _Columns(rows, facts)

    def write(file: IO[bytes]) -> None:
        # Not np.savez_compressed: at its level of 6 an hour takes minutes, at 1 seconds.
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, column in columns.table().items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, np.asarray(column()), allow_pickle=False)

    write_atomically(path, write)


_Table = dict[str, Callable[[], NDArray[Any]]]


class _Columns:
    """The arrays of the `.npz`, each made when it is written, so that one is in memory at a time."""

    def __init__(self, rows: Rows, facts: SpoolFacts) -> None:
        self._rows = rows
        self._facts = facts
        self._valid = np.asarray(rows["valid"])
        ids = np.asarray(rows["person_id"])
        positions = np.where(self._valid, np.arange(len(rows)), -1)
        self._shown = np.maximum.accumulate(positions)
        """(N,) the row whose values are written: itself, or the last valid one before it; -1 without."""
        self._seen = self._shown >= 0
        self._last_of: dict[int, int] = {}
        self._main: int | None = None
        if self._valid.any():
            people, counts = np.unique(ids[self._valid], return_counts=True)
            self._main = int(people[np.argmax(counts)])
            for person in people:
                self._last_of[int(person)] = int(np.flatnonzero(self._valid & (ids == person))[-1])

    def table(self) -> _Table:
        """Name -> what makes the array."""
        rate = np.array(self._facts.options.rate_hz or measured_rate_hz(self._rows), np.float64)
        table: _Table = {
            "poses": self._poses,
            "trans": self._trans,
            "betas": self._betas,
            "gender": lambda: np.array(self._facts.gender),
            "mocap_framerate": lambda: rate,
            "mocap_frame_rate": lambda: rate,
            "hand_poses": self._hand_poses,
            "joints_camera": lambda: self._held("joints_camera"),
            "transl_camera": lambda: self._held("transl_camera"),
            "world_camera": lambda: self._own("world_camera"),
            "weak_camera": lambda: self._held("weak_camera"),
            "square_px": lambda: self._held("square_px"),
            "orig_cam": self._image_cameras,
            "betas_per_row": lambda: self._held("betas"),
            "frame_index": lambda: self._own("frame_index"),
            "timestamps_s": lambda: self._own("timestamp_s"),
            "valid": lambda: self._valid,
            "person_id": lambda: self._own("person_id"),
            "focal_px": lambda: self._own("focal_px"),
            "image_size": lambda: self._own("image_size"),
        }
        if self._facts.keypoint_names:
            table |= {
                "kp_3d": lambda: self._held("kp_3d"),
                "kp_2d": self._image_keypoints,
                "kp_names": lambda: np.array(self._facts.keypoint_names),
            }
        return table

    def _own(self, name: str) -> NDArray[Any]:
        return np.ascontiguousarray(self._rows[name])

    def _held(self, name: str) -> NDArray[Any]:
        """The last valid value at each row; zeros before the first one."""
        values = np.array(self._rows[name][np.maximum(self._shown, 0)])
        values[~self._seen] = 0
        return values

    def _image_cameras(self) -> NDArray[Any]:
        # Before the first person there is no square; its camera is written as zeros, too.
        square_px = self._held("square_px")
        seen = self._seen & (square_px[:, 2] > 0)
        cameras = np.zeros((len(seen), 4), np.float32)
        cameras[seen] = full_image_weak_camera(
            self._held("weak_camera")[seen], square_px[seen], self._held("image_size")[seen]
        )
        return cameras

    def _image_keypoints(self) -> NDArray[Any]:
        in_crop = project_in_crop(self._held("kp_3d"), self._held("weak_camera"))
        return crop_ndc_to_image(in_crop, self._held("square_px"))

    def _poses(self) -> NDArray[Any]:
        seen, written = self._seen, 3 * NUM_AMASS_BODY_JOINTS
        rotmats = rotmat_from_rot6d(self._held("rot6d")[seen, :NUM_AMASS_BODY_JOINTS])
        rotmats[:, 0] = self._held("world_camera")[seen][:, :, :3] @ rotmats[:, 0]
        poses = np.zeros((len(seen), NUM_AMASS_POSES), np.float32)
        poses[seen, :written] = axis_angle_from_rotmat(rotmats).reshape(-1, written)
        return poses

    def _hand_poses(self) -> NDArray[Any]:
        rotmats = rotmat_from_rot6d(self._held("rot6d")[self._seen, NUM_AMASS_BODY_JOINTS:])
        poses = np.zeros((len(self._seen), 6), np.float32)
        poses[self._seen] = axis_angle_from_rotmat(rotmats).reshape(-1, 6)
        return poses

    def _trans(self) -> NDArray[Any]:
        # The file has one body shape per person, so J0 is that of the person's last row; the
        # written pelvis is then exactly the recorded one.
        people, world = self._held("person_id"), self._held("world_camera")
        rest_pelvis = np.zeros((len(people), 3), np.float32)
        for person, last in self._last_of.items():
            row = self._rows[last]
            rest_pelvis[people == person] = row["joints_camera"][0] - row["transl_camera"]
        pelvis = (world[:, :, :3] @ self._held("joints_camera")[:, 0, :, None])[..., 0]
        trans = pelvis + world[:, :, 3] - rest_pelvis
        trans[~self._seen] = 0.0
        return np.asarray(trans, np.float32)

    def _betas(self) -> NDArray[Any]:
        betas = np.zeros(NUM_AMASS_BETAS, np.float32)
        if self._main is not None:
            last = self._rows[self._last_of[self._main]]["betas"]
            betas[: len(last)] = last
        return betas
