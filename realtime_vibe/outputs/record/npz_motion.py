"""Writes a take in the AMASS layout.

SMPL poses about the rest pelvis J0, hence `trans` = R (J0 + transl_camera) + t - J0 with R, t from the camera's
frame to the Z-up world.

Rows: one per processed frame and person, written a block at a time. A frame with nobody in view has one row with `valid` False
and `person_id` -1 that repeats the values of the last valid row (zeros before the first one): readers
of AMASS files choke on NaN, and a body that jumps to the origin is worse than one that stands still.

Beside AMASS's arrays there are those of the released VIBE, by its names, and what the tracker saw: README.md has all of
them with shapes and units. `kp_3d`, `kp_2d` and `kp_names` are there when the body has the 49 keypoints, which takes an
imported SMPL model.
"""

import io
import zipfile
from collections.abc import Callable, Iterator
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.geometry.camera import crop_ndc_to_image, full_image_weak_camera, project_in_crop
from realtime_vibe.geometry.rotation import axis_angle_from_rotmat, rotmat_from_rot6d
from realtime_vibe.outputs.record import row_blocks
from realtime_vibe.outputs.record.recording_spool import Rows, SpoolFacts
from realtime_vibe.outputs.record.row_blocks import Numbers, TakeRows
from realtime_vibe.outputs.record.take_rows import measured_rate_hz

_LEAST_SIDE_PX = 1e-3
"""Of a square: a camera for the whole image by one of less would not be finite."""
NUM_AMASS_POSES = 156
NUM_AMASS_BETAS = 16
NUM_AMASS_BODY_JOINTS = 22
"""The root and 21 body joints; AMASS's hands are 30 finger joints, which SMPL does not have."""


def write_npz(file: IO[bytes], rows: TakeRows, facts: SpoolFacts) -> None:
    """Fills a file with the motion of everybody in at least one row."""
    columns = _Columns(rows, facts)
    # Not np.savez_compressed: at its level of 6 an hour takes minutes, at 1 seconds.
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in columns.constants().items():
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
        for name in array_names(facts):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                for number, blocks in enumerate(columns.blocks([name])):
                    if number == 0:
                        member.write(npy_head(len(rows), blocks[name]))
                    member.write(blocks[name].tobytes())


def arrays_of(rows: TakeRows, facts: SpoolFacts) -> Iterator[dict[str, NDArray[Any]]]:
    """What the arrays with one entry a row hold, block after block."""
    return _Columns(rows, facts).blocks(array_names(facts))


def array_names(facts: SpoolFacts) -> list[str]:
    """Of the arrays with one entry a row."""
    return [name for name in COLUMNS if facts.keypoint_names or name not in _KEYPOINT_COLUMNS]


def npy_head(count: int, block: NDArray[Any]) -> bytes:
    """What comes first in the `.npy` of `count` rows of which a block is there."""
    head = io.BytesIO()
    descr = np.lib.format.dtype_to_descr(block.dtype)
    facts = {"descr": descr, "fortran_order": False, "shape": (count, *block.shape[1:])}
    np.lib.format.write_array_header_1_0(head, facts)
    return head.getvalue()


class _Columns:
    """The arrays of the `.npz`."""

    def __init__(self, rows: TakeRows, facts: SpoolFacts) -> None:
        self._rows = rows
        self._facts = facts
        valid, ids = rows.index["valid"], rows.index["person_id"]
        shown = np.maximum.accumulate(np.where(valid, np.arange(len(rows)), -1))
        self._seen = shown >= 0
        self._shown = np.maximum(shown, 0)
        """(N,) the row whose values are written: itself, or the last valid one before it."""
        backwards = np.flatnonzero(valid)[::-1]
        people, last, counts = np.unique(ids[backwards], return_index=True, return_counts=True)
        ends = rows.load(backwards[last])
        self._people = people
        # The file has one body shape per person, so the rest pelvis is that of the person's last row; the
        # written pelvis is then exactly the recorded one.
        self._rest_pelvises = ends["joints_camera"][:, 0] - ends["transl_camera"]
        self._betas = np.zeros(NUM_AMASS_BETAS, np.float32)
        if len(people):
            betas = ends["betas"][np.argmax(counts)]
            self._betas[: len(betas)] = betas

    def constants(self) -> dict[str, NDArray[Any]]:
        """Name -> array, of those that hold for the whole take."""
        rate = np.array(self._facts.options.rate_hz or measured_rate_hz(self._rows.index))
        names = self._facts.keypoint_names
        return {
            "gender": np.array(self._facts.gender),
            "mocap_framerate": rate,
            "mocap_frame_rate": rate,
            "betas": self._betas,
            **({"kp_names": np.array(names)} if names else {}),
        }

    def blocks(self, names: list[str]) -> Iterator[dict[str, NDArray[Any]]]:
        """Some arrays, block after block: rows are loaded once for all of them."""
        columns = {name: COLUMNS[name] for name in names}
        kinds = {column.is_own for column in columns.values()}
        for start in range(0, len(self._rows), row_blocks.BLOCK):
            part = np.arange(start, min(start + row_blocks.BLOCK, len(self._rows)))
            rows = {own: self._rows.load(part if own else self._shown[part]) for own in kinds}
            yield {
                name: self._made(column, part, rows[column.is_own])
                for name, column in columns.items()
            }

    def _made(self, column: "_Column", part: Numbers, rows: Rows) -> NDArray[Any]:
        made = column.make(rows, self)
        if not column.is_own and not self._seen[part].all():
            made = np.array(made)
            made[~self._seen[part]] = 0  # before the first valid row
        return np.ascontiguousarray(made)

    def rest_pelvis(self, ids: NDArray[np.integer]) -> NDArray[np.float32]:
        """(n, 3) of each row's person; zero for nobody."""
        places = np.searchsorted(self._people[:-1], ids)
        is_known = np.isin(ids, self._people)
        found = np.zeros((len(ids), 3), np.float32)
        found[is_known] = self._rest_pelvises[places[is_known]]
        return found


class _Column(NamedTuple):
    """How one array is made of rows: of each itself where `is_own`, else of the last valid one."""

    make: Callable[[Rows, _Columns], NDArray[Any]]
    is_own: bool = False
    field: str | None = None


def _held(name: str) -> _Column:
    return _Column(lambda rows, _: rows[name], field=name)


def _own(name: str) -> _Column:
    return _Column(lambda rows, _: rows[name], is_own=True, field=name)


def _poses(rows: Rows, _: _Columns) -> NDArray[Any]:
    rotmats = _rotmats(rows, slice(NUM_AMASS_BODY_JOINTS))
    rotmats[:, 0] = rows["world_camera"][:, :, :3] @ rotmats[:, 0]
    written = 3 * NUM_AMASS_BODY_JOINTS
    poses = np.zeros((len(rows), NUM_AMASS_POSES), np.float32)
    poses[:, :written] = axis_angle_from_rotmat(rotmats).reshape(-1, written)
    return poses


def _hand_poses(rows: Rows, _: _Columns) -> NDArray[Any]:
    rotmats = _rotmats(rows, slice(NUM_AMASS_BODY_JOINTS, None))
    return axis_angle_from_rotmat(rotmats).reshape(-1, 6)


def _rotmats(rows: Rows, joints: slice) -> NDArray[Any]:
    rot6d = np.array(rows["rot6d"][:, joints])
    rot6d[~rows["valid"]] = [1, 0, 0, 1, 0, 0]  # nobody: zeros are no rotation
    return rotmat_from_rot6d(rot6d)


def _trans(rows: Rows, columns: _Columns) -> NDArray[Any]:
    world = rows["world_camera"]
    pelvis = (world[:, :, :3] @ rows["joints_camera"][:, 0, :, None])[..., 0]
    trans = pelvis + world[:, :, 3] - columns.rest_pelvis(rows["person_id"])
    return np.asarray(trans, np.float32)


def _image_cameras(rows: Rows, _: _Columns) -> NDArray[Any]:
    # Before the first person there is no square; its camera is written as zeros, too.
    square_px = rows["square_px"]
    seen = (square_px[:, 2] > _LEAST_SIDE_PX) & (rows["image_size"] > 0).all(axis=1)
    cameras = np.zeros((len(rows), 4), np.float32)
    cameras[seen] = full_image_weak_camera(
        rows["weak_camera"][seen], square_px[seen], rows["image_size"][seen]
    )
    return cameras


def _image_keypoints(rows: Rows, _: _Columns) -> NDArray[Any]:
    in_crop = project_in_crop(rows["kp_3d"], rows["weak_camera"])
    return crop_ndc_to_image(in_crop, rows["square_px"])


COLUMNS = {
    "poses": _Column(_poses),
    "trans": _Column(_trans),
    "hand_poses": _Column(_hand_poses),
    "joints_camera": _held("joints_camera"),
    "transl_camera": _held("transl_camera"),
    "world_camera": _own("world_camera"),
    "weak_camera": _held("weak_camera"),
    "square_px": _held("square_px"),
    "orig_cam": _Column(_image_cameras),
    "betas_per_row": _held("betas"),
    "joint_confidence": _own("joint_confidence"),
    "landmarks_px": _own("landmarks_px"),
    "landmark_visibility": _own("landmark_visibility"),
    "frame_index": _own("frame_index"),
    "timestamps_s": _own("timestamp_s"),
    "valid": _own("valid"),
    "person_id": _own("person_id"),
    "focal_px": _own("focal_px"),
    "image_size": _own("image_size"),
    "kp_3d": _held("kp_3d"),
    "kp_2d": _Column(_image_keypoints),
}
"""The arrays with one entry a row, by name."""
FIELDS = {name: column.field for name, column in COLUMNS.items() if column.field is not None}
"""Those that hold a field of the rows as it is, and that field."""
_KEYPOINT_COLUMNS = frozenset({"kp_3d", "kp_2d"})
