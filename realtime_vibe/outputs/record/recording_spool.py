"""The append-only file behind a take: fixed-size rows that survive a crash.

A spool is one line of JSON (`SpoolFacts`) followed by packed records of `row_type`. Each row reaches the
operating system before the next frame is processed, so a killed program loses none; the disk is told to
keep them every second, for power cuts. Every row ends in a checksum: reading stops at the first row that
was cut in half or damaged.
"""

import contextlib
import json
import os
import shutil
import sys
import threading
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.errors import OutputError
from realtime_vibe.outputs.record.bvh_names import USUAL_BONES, USUAL_NAMES, USUAL_UNIT
from realtime_vibe.packets import NUM_BETAS, NUM_SMPL_JOINTS
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
    ]
)

_FORMAT = "realtime-vibe recording spool"
_VERSION = 3
_MAX_HEADER_BYTES = 65536
_CHECKSUM = ("crc32", "<u4")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Spool:
    """A spool that was read."""

    rows: Rows
    """(N,) of `row_type`, mapped from the file, read-only."""
    facts: SpoolFacts


def row_type(keypoint_names: tuple[str, ...] = ()) -> np.dtype[np.void]:
    """`ROW`, and `kp_3d` (K, 3) [m] where the body has K keypoints."""
    if not keypoint_names:
        return ROW
    fields: Any = [(name, ROW[name]) for name in ROW.names or ()]
    return np.dtype([*fields, ("kp_3d", "<f4", (len(keypoint_names), 3))])


class SpoolWriter:
    """Appends rows to a new spool file.

    The file is locked while it is open, so that a second run cannot take it for a leftover.

    Args:
        path: the file to create; must not exist.
        facts: what holds for every row.

    Raises:
        OutputError: the file exists or cannot be created.
    """

    def __init__(self, path: Path, facts: SpoolFacts) -> None:
        self.path = path
        self.facts = facts
        self.num_rows = 0
        self._row_type = row_type(facts.keypoint_names)
        self._ending = threading.Event()
        self._sync = Worker("spool-sync", self._keep_on_disk, lambda _: None)
        try:
            # Without a buffer: one that a full disk does not take would stand in the way of reading.
            self._file = path.open("x+b", buffering=0)
            _try_lock(self._file)
            _write_whole(self._file, _header(facts))
        except OSError as error:
            raise OutputError(f"cannot create {path}: {error.strerror or error}") from error
        self._sync.start()

    def append(self, rows: Rows) -> None:
        """Writes rows and hands them to the operating system.

        Raises:
            OutputError: the disk is full; rows written before are kept.
        """
        try:
            contents = [row.tobytes() for row in rows]
            checked = [part + zlib.crc32(part).to_bytes(4, "little") for part in contents]
            _write_whole(self._file, b"".join(checked))
        except OSError as error:
            raise OutputError(
                f"cannot write {self.path}: {error.strerror or error}; "
                f"its first {self.num_rows} rows are kept"
            ) from error
        self.num_rows += len(rows)

    def read(self) -> Spool:
        """The rows so far, also when the file's folder was removed meanwhile."""
        return _read(self._file, self.path)

    def copy_to(self, file: BinaryIO) -> None:
        """Writes all there is of the spool into another file."""
        position = self._file.tell()
        self._file.seek(0)
        shutil.copyfileobj(self._file, file)
        self._file.seek(position)

    def close(self) -> None:
        """Closes the file and frees its lock; may be called twice."""
        self._ending.set()
        self._sync.join(_JOIN_S)
        with contextlib.suppress(OSError):
            _unlock(self._file)
            self._file.close()

    def _keep_on_disk(self) -> None:
        # Beside the thread that writes: a disk may take a tenth of a second for it.
        while not self._ending.wait(_SYNC_EVERY_S):
            with contextlib.suppress(OSError):  # `append` meets the same fault and tells
                os.fsync(self._file.fileno())


def _write_whole(file: BinaryIO, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[file.write(left) :]  # a disk that fills up takes a part first


def read_spool(path: Path) -> Spool:
    """Maps the complete rows of a spool into memory, read-only.

    Args:
        path: a file made by `SpoolWriter`, finished or cut off.

    Raises:
        OutputError: the file is missing or is not a spool of this version.
    """
    try:
        with path.open("rb") as file:
            return _read(file, path)
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror}") from error


def is_being_written(path: Path) -> bool:
    """Whether another process (or thread) holds the spool open; False where locks are unknown."""
    try:
        with path.open("r+b") as file:
            return not _try_lock(file)
    except OSError:
        return True  # Windows refuses to open what another process writes


def _read(file: BinaryIO, path: Path) -> Spool:
    position = file.tell()
    file.seek(0)
    line = file.readline(_MAX_HEADER_BYTES)
    size = file.seek(0, os.SEEK_END)
    facts = _facts(line)
    if facts is None:
        file.seek(position)
        raise OutputError(
            f"{path} is not a recording of this version: it starts with {line[:60]!r}"
        )
    kind = row_type(facts.keypoint_names)
    stored = _stored_type(kind)
    num_rows = (size - len(line)) // stored.itemsize
    if num_rows == 0:
        file.seek(position)
        return Spool(rows=np.zeros(0, kind), facts=facts)
    mapped = np.memmap(file, stored, mode="r", offset=len(line), shape=(num_rows,))
    file.seek(position)
    # Without the checksum: a view of the same memory.
    rows = mapped[: _num_sound(mapped)][list(kind.names or ())]
    return Spool(rows=rows, facts=facts)


def _stored_type(kind: np.dtype[np.void]) -> np.dtype[np.void]:
    fields: Any = [(name, kind[name]) for name in kind.names or ()]
    return np.dtype([*fields, _CHECKSUM])


def _num_sound(mapped: Rows) -> int:
    """How many rows from the first on have the right checksum."""
    length = mapped.dtype.itemsize - 4
    content = mapped.view(np.uint8).reshape(len(mapped), -1)
    checksums = mapped["crc32"]
    for number in range(len(mapped)):
        if zlib.crc32(content[number, :length].data) != checksums[number]:
            return number
    return len(mapped)


def _header(facts: SpoolFacts) -> bytes:
    stored = _stored_type(row_type(facts.keypoint_names)).itemsize
    header = {"format": _FORMAT, "version": _VERSION, "row_bytes": stored, **asdict(facts)}
    return json.dumps(header).encode() + b"\n"


def _facts(line: bytes) -> SpoolFacts | None:
    """What the first line of a spool says; None when it is not one of this version."""
    try:
        header: Any = json.loads(line)
        options = header["options"]
        options.setdefault("origin", None)  # spools of before know no other
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
        is_ours: bool = json.loads(_header(facts)) == header
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return facts if is_ours else None


def _try_lock(file: BinaryIO) -> bool:
    """Locks the open file until it is closed; False when somebody else holds the lock."""
    if sys.platform == "win32":
        return True  # an open file cannot be renamed or removed there, which protects it as well
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # some network file systems have no locks; recording goes on without
    return True


def _unlock(file: BinaryIO) -> None:
    """Frees the lock at once: a mapping of the file keeps it otherwise, also after `close`."""
    if sys.platform != "win32" and not file.closed:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_UN)
