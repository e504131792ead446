"""Records motion in the AMASS layout, crash-safe and in flat memory.

Frames of reference: the written world is AMASS's Z up. It is the camera's frame turned, with the
camera at the origin: x right, y away from the camera, z up, so heights are relative to the camera.
SMPL poses about the rest pelvis J0, hence `trans` = R (J0 + transl_camera) - J0 with R = `R_WORLD_CAMERA`.

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

import logging
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.errors import OutputError
from realtime_vibe.geometry.camera import crop_to_image, full_image_weak_camera, project_in_crop
from realtime_vibe.geometry.rotation import axis_angle_from_rotmat
from realtime_vibe.outputs.base import check_output_path, write_atomically
from realtime_vibe.outputs.recording_spool import (
    Rows,
    Spool,
    SpoolFacts,
    SpoolWriter,
    is_being_written,
    read_spool,
    row_type,
)
from realtime_vibe.packets import BodyMesh, FloatArray, FrameResult, PersonResult

_log = logging.getLogger(__name__)

R_WORLD_CAMERA = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], np.float32)
"""(3, 3) from the camera's frame (x right, y down, z forward) to AMASS's (z up)."""

NOBODY = -1
"""`person_id` of a row without a person."""

NUM_AMASS_POSES = 156
NUM_AMASS_BETAS = 16
FALLBACK_RATE_HZ = 30.0
"""Written as the frame rate when there are fewer than two frames to measure it."""

_NUM_BODY_JOINTS = 21
_CHUNK_ROWS = 4096


class KeypointLocator(Protocol):
    """Picks named points from a posed body."""

    @property
    def names(self) -> tuple[str, ...]:
        """One name per point."""

    def locate(self, mesh: BodyMesh) -> FloatArray:
        """(K, 3) [m], camera axes, before translation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedBody:
    """What a recording needs to know about the body whose motion it holds."""

    gender: str = "neutral"
    """Neutral, male or female."""
    keypoints: KeypointLocator | None = None
    """None for bodies that do not have the 49 keypoints."""


ANY_BODY = RecordedBody()
"""Neutral, without keypoints."""


class NpzRecorder:
    """Writes one `.npz` with the motion of everybody in view.

    Rows go to `OUT.npz.part` at once; `close` turns that file into `OUT.npz` and removes it. After a
    crash `recover` does the same.

    Args:
        path: the file to write.
        body: the body whose motion is recorded.
        overwrite: replace `path` if it exists, and move a leftover `.part` file aside.

    Raises:
        OutputError: `path` exists, the folder is not writable, or a leftover `.part` file is there.
    """

    def __init__(
        self, path: Path, *, body: RecordedBody = ANY_BODY, overwrite: bool = False
    ) -> None:
        check_output_path(path, overwrite=overwrite, suffixes=(".npz",))
        self.path = path
        self._overwrite = overwrite
        part = spool_path(path)
        if part.exists():
            _clear_leftover(part, move_aside=overwrite)
        self._keypoints = body.keypoints
        names = body.keypoints.names if body.keypoints else ()
        facts = SpoolFacts(gender=body.gender, keypoint_names=names)
        self._row_type = row_type(facts)
        self._spool = SpoolWriter(part, facts)
        self._closed = False

    @property
    def num_rows(self) -> int:
        """Rows written so far."""
        return self._spool.num_rows

    def write(self, result: FrameResult) -> None:
        """Appends one row per person, or one invalid row when nobody is in view.

        Raises:
            OutputError: the disk is full; what was recorded before is kept in the `.part` file.
        """
        rows = np.zeros(max(1, len(result.people)), self._row_type)
        _fill_frame(rows, result)
        for row, person in zip(rows, result.people, strict=False):
            _fill_person(row, person)
            if self._keypoints is not None:
                row["kp_3d"] = self._keypoints.locate(person.mesh)
        self._spool.append(rows)

    def close(self) -> None:
        """Writes the `.npz`; without a single row there is none. May be called twice.

        Raises:
            OutputError: the `.npz` cannot be written; the `.part` file is kept.
        """
        if self._closed:
            return
        self._closed = True
        self._spool.close()
        if self._spool.num_rows == 0:
            self._spool.path.unlink(missing_ok=True)
            _log.warning("nothing was recorded, %s is not written", self.path)
            return
        try:
            _convert(self._spool.path, self.path)
        except OutputError as error:
            raise OutputError(f"{error}; the motion is kept in {self._spool.path}") from error
        self._spool.path.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def spool_path(path: Path) -> Path:
    """The file that holds the rows while `path` is being recorded."""
    return path.with_name(path.name + ".part")


def recover(part: Path, output: Path | None = None, *, overwrite: bool = False) -> Path:
    """Turns the spool of a recording that was cut off into an `.npz`, then removes the spool.

    Args:
        part: the `.part` file.
        output: the file to write; None takes the spool's name up to `.npz`.
        overwrite: replace `output` if it exists.

    Returns:
        The file that was written.

    Raises:
        OutputError: the spool is missing, empty, damaged or still being written, or `output` exists.
    """
    if output is None:
        stem, found, _ = part.name.rpartition(".npz.part")
        if not found:
            raise OutputError(f"{part}: expected a name with .npz.part, or say --output OUT.npz")
        output = part.with_name(f"{stem}.npz")
    check_output_path(output, overwrite=overwrite, suffixes=(".npz",))
    if len(read_spool(part).rows) == 0:
        raise OutputError(f"{part} holds no complete row: nothing to recover, delete it")
    if is_being_written(part):
        raise OutputError(f"{part} is still being written: end that run first")
    _convert(part, output)
    part.unlink()
    return output


def _clear_leftover(part: Path, *, move_aside: bool) -> None:
    if is_being_written(part):
        raise OutputError(f"another run is recording to {part}: choose another name")
    if not move_aside:
        raise OutputError(
            f"{part} is left from a recording that was cut off: keep its motion with "
            f"'realtime-vibe recover {part}', or delete it"
        )
    number = 1
    while (aside := part.with_name(f"{part.name}.{number}")).exists():
        number += 1
    part.rename(aside)
    _log.warning("a recording that was cut off is kept as %s", aside)


def _fill_frame(rows: Rows, result: FrameResult) -> None:
    rows["frame_index"] = result.frame.index
    rows["timestamp_s"] = result.frame.captured_at_s
    rows["focal_px"] = result.focal_px
    rows["image_size"] = result.frame.image_bgr.shape[1::-1]
    rows["person_id"] = NOBODY


def _fill_person(row: Any, person: PersonResult) -> None:
    params, mesh = person.params, person.mesh
    rotmats = np.concatenate(
        [(R_WORLD_CAMERA @ params.global_orient)[None], params.body_pose[:_NUM_BODY_JOINTS]]
    )
    row["person_id"] = person.person.track_id
    row["valid"] = True
    row["poses"] = axis_angle_from_rotmat(rotmats).reshape(-1)
    row["joints_camera"] = mesh.joints
    row["transl_camera"] = mesh.transl
    row["weak_camera"] = params.weak_camera
    row["square_px"] = person.square_px
    row["betas"] = params.betas


def _convert(part: Path, output: Path) -> None:
    columns = _Columns(read_spool(part))

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

    write_atomically(output, write)


_Chunks = Callable[[], Iterator[NDArray[Any]]]


class _Columns:
    """The arrays of the `.npz`, made a few thousand rows at a time from the spool.

    Only three integers per row are held in memory.
    """

    def __init__(self, spool: Spool) -> None:
        self._rows = rows = spool.rows
        self._facts = spool.facts
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
                self._last_of[int(person)] = int(np.flatnonzero(ids == person)[-1])

    def table(self) -> dict[str, tuple[np.dtype[Any], tuple[int, ...], _Chunks]]:
        """Name -> (dtype, shape, chunks of the array along its first axis)."""
        count = len(self._rows)
        float32, float64 = np.dtype(np.float32), np.dtype(np.float64)
        rate = np.array(self._rate_hz())
        gender = np.array(self._facts.gender)
        return {
            "poses": (float32, (count, NUM_AMASS_POSES), self._poses),
            "trans": (float32, (count, 3), self._trans),
            "betas": (float32, (NUM_AMASS_BETAS,), lambda: iter([self._betas()])),
            "gender": (gender.dtype, (), lambda: iter([gender])),
            "mocap_framerate": (float64, (), lambda: iter([rate])),
            "mocap_frame_rate": (float64, (), lambda: iter([rate])),
            "joints_camera": (float32, (count, 24, 3), lambda: self._held("joints_camera")),
            "transl_camera": (float32, (count, 3), lambda: self._held("transl_camera")),
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

    def _keypoint_table(self) -> dict[str, tuple[np.dtype[Any], tuple[int, ...], _Chunks]]:
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
            seen = rows["valid"]
            cameras = np.zeros((len(rows), 4), np.float32)
            cameras[seen] = full_image_weak_camera(
                rows["weak_camera"][seen], rows["square_px"][seen], rows["image_size"][seen]
            )
            yield cameras

    def _image_keypoints(self) -> Iterator[NDArray[Any]]:
        for rows in self._shown_rows():
            in_crop = project_in_crop(rows["kp_3d"], rows["weak_camera"])
            yield crop_to_image(in_crop, rows["square_px"])

    def _poses(self) -> Iterator[NDArray[Any]]:
        for rows in self._shown_rows():
            poses = np.zeros((len(rows), NUM_AMASS_POSES), np.float32)
            poses[:, : rows["poses"].shape[1]] = rows["poses"]
            yield poses

    def _trans(self) -> Iterator[NDArray[Any]]:
        for rows in self._shown_rows():
            # The file has one body shape per person, so J0 is that of the person's last row; the
            # written pelvis is then exactly the recorded one.
            rest_pelvis = np.array(
                [self._rest_pelvis(int(person)) for person in rows["person_id"]], np.float32
            )
            pelvis_world = rows["joints_camera"][:, 0] @ R_WORLD_CAMERA.T
            yield np.where(rows["valid"][:, None], pelvis_world - rest_pelvis, 0.0)

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

    def _rate_hz(self) -> float:
        index = np.asarray(self._rows["frame_index"])
        new_frame = np.flatnonzero(np.diff(index, prepend=index[:1] - 1) != 0)
        steps_s = np.diff(np.asarray(self._rows["timestamp_s"])[new_frame])
        steps_s = steps_s[steps_s > 0]
        return round(float(1.0 / np.median(steps_s)), 6) if len(steps_s) else FALLBACK_RATE_HZ
