"""Writes a take in the AMASS layout, a few thousand rows at a time.

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
from collections.abc import Callable, Iterator
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
_CHUNK_ROWS = 4096


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
        # Level 1: the 90 zeros of the hands shrink away, and an hour takes seconds, not minutes.
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, (dtype, shape, chunks) in columns.table().items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    header = {
                        "descr": np.lib.format.dtype_to_descr(dtype),
                        "fortran_order": False,
                        "shape": shape,
                    }
                    np.lib.format.write_array_header_1_0(member, header)
                    for chunk in chunks():
                        member.write(np.ascontiguousarray(chunk, dtype).tobytes())

    write_atomically(path, write)


_Chunks = Callable[[], Iterator[NDArray[Any]]]
_Table = dict[str, tuple[np.dtype[Any], tuple[int, ...], _Chunks]]


class _Columns:
    """The arrays of the `.npz`; only three integers per row are held in memory."""

    def __init__(self, rows: Rows, facts: SpoolFacts) -> None:
        self._rows = rows
        self._facts = facts
        valid = np.asarray(rows["valid"])
        ids = np.asarray(rows["person_id"])
        positions = np.where(valid, np.arange(len(rows)), -1)
        self._shown = np.maximum.accumulate(positions)
        """(N,) the row whose values are written: itself, or the last valid one before it."""
        self._last_of: dict[int, int] = {}
        self._main: int | None = None
        if valid.any():
            people, counts = np.unique(ids[valid], return_counts=True)
            self._main = int(people[np.argmax(counts)])
            for person in people:
                self._last_of[int(person)] = int(np.flatnonzero(valid & (ids == person))[-1])

    def table(self) -> _Table:
        """Name -> (dtype, shape, chunks of the array along its first axis)."""
        count = len(self._rows)
        float32, float64 = np.dtype(np.float32), np.dtype(np.float64)
        rate = np.array(self._facts.options.rate_hz or measured_rate_hz(self._rows))
        gender = np.array(self._facts.gender)
        return {
            "poses": (float32, (count, NUM_AMASS_POSES), self._poses),
            "trans": (float32, (count, 3), self._trans),
            "betas": (float32, (NUM_AMASS_BETAS,), lambda: iter([self._betas()])),
            "gender": (gender.dtype, (), lambda: iter([gender])),
            "mocap_framerate": (float64, (), lambda: iter([rate])),
            "mocap_frame_rate": (float64, (), lambda: iter([rate])),
            "hand_poses": (float32, (count, 6), self._hand_poses),
            "joints_camera": (float32, (count, 24, 3), lambda: self._held("joints_camera")),
            "transl_camera": (float32, (count, 3), lambda: self._held("transl_camera")),
            "world_camera": (float32, (count, 3, 4), lambda: self._own("world_camera")),
            "weak_camera": (float32, (count, 3), lambda: self._held("weak_camera")),
            "square_px": (float32, (count, 3), lambda: self._held("square_px")),
            "orig_cam": (float32, (count, 4), self._image_cameras),
            "betas_per_row": (float32, (count, 10), lambda: self._held("betas")),
            "frame_index": (np.dtype(np.int64), (count,), lambda: self._own("frame_index")),
            "timestamps_s": (float64, (count,), lambda: self._own("timestamp_s")),
            "valid": (np.dtype(np.bool_), (count,), lambda: self._own("valid")),
            "person_id": (np.dtype(np.int64), (count,), lambda: self._own("person_id")),
            "focal_px": (float32, (count,), lambda: self._own("focal_px")),
            "image_size": (np.dtype(np.int32), (count, 2), lambda: self._own("image_size")),
            **self._keypoint_table(),
        }

    def _keypoint_table(self) -> _Table:
        if not self._facts.keypoint_names:
            return {}
        names = np.array(self._facts.keypoint_names)
        count, float32 = len(self._rows), np.dtype(np.float32)
        return {
            "kp_3d": (float32, (count, len(names), 3), lambda: self._held("kp_3d")),
            "kp_2d": (float32, (count, len(names), 2), self._image_keypoints),
            "kp_names": (names.dtype, names.shape, lambda: iter([names])),
        }

    def _own(self, name: str) -> Iterator[NDArray[Any]]:
        for start in range(0, len(self._rows), _CHUNK_ROWS):
            yield np.asarray(self._rows[start : start + _CHUNK_ROWS][name])

    def _shown_rows(self) -> Iterator[Rows]:
        for start in range(0, len(self._rows), _CHUNK_ROWS):
            shown = self._shown[start : start + _CHUNK_ROWS]
            rows = np.array(self._rows[np.maximum(shown, 0)])
            rows[shown < 0] = np.zeros((), rows.dtype)
            yield rows

    def _held(self, name: str) -> Iterator[NDArray[Any]]:
        for rows in self._shown_rows():
            yield rows[name]

    def _image_cameras(self) -> Iterator[NDArray[Any]]:
        for rows in self._shown_rows():
            # Before the first person there is no square; its camera is written as zeros, too.
            seen = rows["valid"] & (rows["square_px"][:, 2] > 0)
            cameras = np.zeros((len(rows), 4), np.float32)
            cameras[seen] = full_image_weak_camera(
                rows["weak_camera"][seen], rows["square_px"][seen], rows["image_size"][seen]
            )
            yield cameras

    def _image_keypoints(self) -> Iterator[NDArray[Any]]:
        for rows in self._shown_rows():
            in_crop = project_in_crop(rows["kp_3d"], rows["weak_camera"])
            yield crop_ndc_to_image(in_crop, rows["square_px"])

    def _poses(self) -> Iterator[NDArray[Any]]:
        for rows in self._shown_rows():
            poses = np.zeros((len(rows), NUM_AMASS_POSES), np.float32)
            rotmats = rotmat_from_rot6d(rows["rot6d"][:, :NUM_AMASS_BODY_JOINTS])
            rotmats[:, 0] = rows["world_camera"][:, :, :3] @ rotmats[:, 0]
            seen = rows["valid"]
            written = 3 * NUM_AMASS_BODY_JOINTS
            angles = axis_angle_from_rotmat(rotmats[seen]).reshape(-1, written)
            poses[seen, :written] = angles
            yield poses

    def _hand_poses(self) -> Iterator[NDArray[Any]]:
        for rows in self._shown_rows():
            poses = np.zeros((len(rows), 6), np.float32)
            rotmats = rotmat_from_rot6d(rows["rot6d"][:, NUM_AMASS_BODY_JOINTS:])
            seen = rows["valid"]
            poses[seen] = axis_angle_from_rotmat(rotmats[seen]).reshape(-1, 6)
            yield poses

    def _trans(self) -> Iterator[NDArray[Any]]:
        for rows in self._shown_rows():
            # The file has one body shape per person, so J0 is that of the person's last row; the
            # written pelvis is then exactly the recorded one.
            rest_pelvis = np.array(
                [self._rest_pelvis(int(person)) for person in rows["person_id"]], np.float32
            )
            world = rows["world_camera"]
            pelvis = (world[:, :, :3] @ rows["joints_camera"][:, 0, :, None])[..., 0]
            trans = pelvis + world[:, :, 3] - rest_pelvis
            yield np.where(rows["valid"][:, None], trans, 0.0)

    def _rest_pelvis(self, person: int) -> NDArray[Any]:
        if person not in self._last_of:
            return np.zeros(3, np.float32)
        row = self._rows[self._last_of[person]]
        pelvis: NDArray[Any] = row["joints_camera"][0] - row["transl_camera"]
        return pelvis

    def _betas(self) -> NDArray[Any]:
        betas = np.zeros(NUM_AMASS_BETAS, np.float32)
        if self._main is not None:
            last = self._rows[self._last_of[self._main]]["betas"]
            betas[: len(last)] = last
        return betas
