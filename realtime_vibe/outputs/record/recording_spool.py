"""The append-only file behind a take: fixed-size rows that survive a crash.

A spool is one line of JSON (`SpoolFacts`), the same line once more in case the first is damaged, and packed records
of `row_type`, each with a checksum. Each row reaches the operating system before the next frame is processed, so a
killed program loses none; they are synced to disk every second, for power cuts. `spool_reader` reads it.
"""

import contextlib
import json
import os
import re
import shutil
import threading
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.errors import OutputError
from realtime_vibe.geometry.rotation import ROUGHLY, are_orthonormal, are_rotations
from realtime_vibe.outputs.record.bvh_names import (
    BVH_BONES,
    BVH_NAMES,
    BVH_UNITS,
    USUAL_BONES,
    USUAL_NAMES,
    USUAL_UNIT,
)
from realtime_vibe.packets import LARGEST, NUM_BETAS, NUM_LANDMARKS, NUM_SMPL_JOINTS
from realtime_vibe.system.placing import try_lock, unlock
from realtime_vibe.system.threads import Worker

ROW = np.dtype(
    [
        ("frame_index", "<i8"),
        ("timestamp_s", "<f8"),
        ("person_id", "<i8"),
        ("valid", "?"),
        ("rot6d", "<f4", (NUM_SMPL_JOINTS, 6)),  # the root relative to the camera
        ("joints_camera", "<f4", (NUM_SMPL_JOINTS, 3)),
        ("transl_camera", "<f4", (3,)),
        ("world_camera", "<f4", (3, 4)),  # camera to the Z-up world: rotation and translation
        ("weak_camera", "<f4", (3,)),
        ("square_px", "<f4", (3,)),  # centre x, y and side of the crop's square, margin included
        ("betas", "<f4", (NUM_BETAS,)),
        ("focal_px", "<f4"),
        ("image_size", "<i4", (2,)),  # width, height [px]
        ("joint_confidence", "<f4", (NUM_SMPL_JOINTS,)),  # 0 to 1
        ("landmarks_px", "<f4", (NUM_LANDMARKS, 2)),  # the tracker's, in the whole image
        ("landmark_visibility", "<f4", (NUM_LANDMARKS,)),  # 0 to 1
    ]
)

_FORMAT = "realtime-vibe recording spool"
_START = f'{{"format": "{_FORMAT}"'.encode()
_VERSION = 4
MAX_HEADER_BYTES = 65536
CHECKSUM_BYTES = 4
LARGEST_TIME_S = 1e10
"""In three hundred years."""
_FARTHEST_M = 0.1 * LARGEST
"""So that a place is below `LARGEST` in the world as well."""
_RANGES = {
    "timestamp_s": (-LARGEST_TIME_S, LARGEST_TIME_S),
    "betas": (-100.0, 100.0),  # bodies are within 5
    "joints_camera": (-_FARTHEST_M, _FARTHEST_M),
    "transl_camera": (-_FARTHEST_M, _FARTHEST_M),
    "world_camera": (-_FARTHEST_M, _FARTHEST_M),
    "focal_px": (0.0, LARGEST),  # 0: it is not known
    "joint_confidence": (-0.01, 1.01),
    "landmark_visibility": (-0.01, 1.01),
}
"""Least and largest number of the fields that have narrower bounds than `LARGEST`."""
_SYNC_EVERY_S = 1.0
_JOIN_S = 30.0

Rows = NDArray[np.void]


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeOptions:
    """How a take is written in its final formats."""

    rate_hz: float | None = None
    """Frame rate to bring every format to [1/s]; None keeps the frames as they came."""
    bvh_names: str = USUAL_NAMES
    """One of `BVH_NAMES`."""
    bvh_unit: str = USUAL_UNIT
    """One of `BVH_UNITS`."""
    bvh_bones: str = USUAL_BONES
    """One of `BVH_BONES`."""
    origin: str | None = None
    """`floor` or `camera`; None leaves the world of the rows."""

    def are_sound(self) -> bool:
        """Whether every option is one that can be written: a spool of elsewhere may say anything."""
        return (
            (self.rate_hz is None or 0 < self.rate_hz < np.inf)
            and self.bvh_names in BVH_NAMES
            and self.bvh_unit in BVH_UNITS
            and self.bvh_bones in BVH_BONES
            and self.origin in {None, "floor", "camera"}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolFacts:
    """What holds for every row of a spool."""

    gender: str = "neutral"
    """Of the body: neutral, male or female."""
    keypoint_names: tuple[str, ...] = ()
    """Names of the rows' keypoints; empty where the body has none."""
    outputs: tuple[str, ...] = ()
    """Files to make of the take, relative to the spool's folder where they lie in it."""
    body_file: str = ""
    """The body's file, for formats that hold its mesh; empty where it is not known."""
    options: TakeOptions = field(default_factory=TakeOptions)


def row_type(keypoint_names: tuple[str, ...] = ()) -> np.dtype[np.void]:
    """`ROW`, and `kp_3d` (K, 3) [m] where the body has K keypoints."""
    if not keypoint_names:
        return ROW
    fields: Any = [(name, ROW[name]) for name in ROW.names or ()]
    return np.dtype([*fields, ("kp_3d", "<f4", (len(keypoint_names), 3))])


def sound_rows(rows: Rows) -> NDArray[np.bool_]:
    """(N,) whether every number of a row can be what its field stands for."""
    sound = np.ones(len(rows), np.bool_)
    for name in rows.dtype.names or ():
        if rows.dtype[name].base.kind == "f":
            least, most = _RANGES.get(name, (-LARGEST, LARGEST))
            is_inside = (rows[name] >= least) & (rows[name] <= most)  # NaN is not
            sound &= is_inside.reshape(len(rows), -1).all(axis=1)
    columns = np.swapaxes(rows["rot6d"].reshape(len(rows), NUM_SMPL_JOINTS, 3, 2), -1, -2)
    # Of nobody there are no turns.
    turns = are_orthonormal(columns, ROUGHLY).all(axis=-1) | ~rows["valid"]
    return np.asarray(sound & turns & are_rotations(rows["world_camera"][:, :, :3]))


def read_facts(content: bytes) -> SpoolFacts | None:
    """What the first bytes of a spool say, by whichever of its two lines is sound; None where neither is."""
    starts = [found.start() for found in re.finditer(re.escape(_START), content)][:2]
    found = (_facts(content[start:].split(b"\n", 1)[0]) for start in starts)
    return next((facts for facts in found if facts is not None), None)


def first_row_at(facts: SpoolFacts) -> int:
    """Bytes before the first row of a spool."""
    return 2 * len(_header(facts))


def stored_type(facts: SpoolFacts) -> np.dtype[np.void]:
    """One row of a spool, its checksum included."""
    kind = row_type(facts.keypoint_names)
    fields: Any = [(name, kind[name]) for name in kind.names or ()]
    return np.dtype([*fields, ("crc32", "<u4")])


class SpoolWriter:
    """Appends rows to a new spool file, which must not exist.

    The file is locked while it is open, so that a second run cannot take it for a leftover.

    Raises:
        OutputError: the file exists or cannot be created.
    """

    def __init__(self, path: Path, facts: SpoolFacts) -> None:
        self.path = path
        self.num_rows = 0
        self.facts = facts
        self._start, self._row_bytes = first_row_at(facts), stored_type(facts).itemsize
        self._ending = threading.Event()
        self._sync = Worker("spool-sync", self._keep_on_disk, lambda _: None)
        try:
            # Without a buffer: one that a full disk does not take would stand in the way of reading.
            self.file = path.open("x+b", buffering=0)
        except OSError as error:
            raise OutputError(f"cannot create {path}: {error.strerror or error}") from error
        try:
            try_lock(self.file)
            _write_whole(self.file, 2 * _header(facts))
        except OSError as error:
            self.file.close()
            path.unlink(missing_ok=True)
            raise OutputError(f"cannot create {path}: {error.strerror or error}") from error
        self._sync.start()

    def append(self, rows: Rows) -> None:
        """Writes rows and hands them to the operating system.

        Raises:
            OutputError: the disk is full; rows written before are kept.
        """
        end = self._start + self.num_rows * self._row_bytes
        try:
            contents = [row.tobytes() for row in rows]
            checked = [
                part + zlib.crc32(part).to_bytes(CHECKSUM_BYTES, "little") for part in contents
            ]
            self.file.seek(end)
            _write_whole(self.file, b"".join(checked))
        except OSError as error:
            with contextlib.suppress(OSError):
                self.file.truncate(end)  # what follows must begin where a row begins
            raise OutputError(
                f"cannot write {self.path}: {error.strerror or error}; "
                f"its first {self.num_rows} rows are kept"
            ) from error
        self.num_rows += len(rows)

    def copy_to(self, file: BinaryIO) -> None:
        """Writes all there is of the spool into another file."""
        self.file.seek(0)
        shutil.copyfileobj(self.file, file)

    def close(self) -> None:
        """Closes the file and frees its lock; may be called twice."""
        self._ending.set()
        self._sync.join(_JOIN_S)
        with contextlib.suppress(OSError):
            unlock(self.file)
            self.file.close()

    def _keep_on_disk(self) -> None:
        # Beside the thread that writes: a disk may take a tenth of a second for it.
        while not self._ending.wait(_SYNC_EVERY_S):
            with contextlib.suppress(OSError):  # `append` meets the same fault and tells
                os.fsync(self.file.fileno())


def _write_whole(file: BinaryIO, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[file.write(left) :]  # a disk that fills up takes a part first


def _header(facts: SpoolFacts) -> bytes:
    size = stored_type(facts).itemsize
    header = {"format": _FORMAT, "version": _VERSION, "row_bytes": size, **asdict(facts)}
    return json.dumps(header).encode() + b"\n"


def _facts(line: bytes) -> SpoolFacts | None:
    """What a line of a spool says; None when it is none that this version writes."""
    try:
        header: Any = json.loads(line)
        options = header["options"]
        facts = SpoolFacts(
            gender=str(header["gender"]),
            keypoint_names=tuple(str(name) for name in header["keypoint_names"]),
            outputs=tuple(str(name) for name in header["outputs"]),
            body_file=str(header["body_file"]),
            options=TakeOptions(
                rate_hz=None if options["rate_hz"] is None else float(options["rate_hz"]),
                bvh_names=str(options["bvh_names"]),
                bvh_unit=str(options["bvh_unit"]),
                bvh_bones=str(options["bvh_bones"]),
                origin=None if options["origin"] is None else str(options["origin"]),
            ),
        )
        is_sound = json.loads(_header(facts)) == header and facts.options.are_sound()
    except Exception:  # noqa: BLE001 - whatever a damaged line makes of this: it is none
        return None
    return facts if is_sound else None
