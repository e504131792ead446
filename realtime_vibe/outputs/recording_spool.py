"""The append-only file behind a recording: fixed-size rows that survive a crash.

A spool is one line of JSON followed by packed `ROW` records. Each row reaches the operating system
before the next frame is processed; a row cut in half by a crash is left out when reading.
"""

import contextlib
import json
import sys
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.errors import OutputError
from realtime_vibe.packets import NUM_BETAS, NUM_SMPL_JOINTS

ROW = np.dtype(
    [
        ("frame_index", "<i8"),
        ("timestamp_s", "<f8"),
        ("person_id", "<i8"),
        ("valid", "?"),
        ("poses", "<f4", (66,)),  # world orientation and 21 body joints, axis-angle [rad]
        ("joints_camera", "<f4", (NUM_SMPL_JOINTS, 3)),
        ("transl_camera", "<f4", (3,)),
        ("weak_camera", "<f4", (3,)),
        ("betas", "<f4", (NUM_BETAS,)),
        ("focal_px", "<f4"),
        ("image_size", "<i4", (2,)),  # width, height [px]
    ]
)

_FORMAT = "realtime-vibe recording spool"
_VERSION = 1
_MAX_HEADER_BYTES = 4096

Rows = NDArray[np.void]


class SpoolWriter:
    """Appends rows to a new spool file.

    The file is locked while it is open, so that a second run cannot take it for a leftover.

    Args:
        path: the file to create; must not exist.

    Raises:
        OutputError: the file exists or cannot be created.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.num_rows = 0
        header = {"format": _FORMAT, "version": _VERSION, "row_bytes": ROW.itemsize}
        try:
            self._file = path.open("xb")
            _try_lock(self._file)
            self._file.write(json.dumps(header).encode() + b"\n")
            self._file.flush()
        except OSError as error:
            raise OutputError(f"cannot create {path}: {error.strerror or error}") from error

    def append(self, rows: Rows) -> None:
        """Writes rows and hands them to the operating system.

        Raises:
            OutputError: the disk is full; rows written before are kept.
        """
        try:
            self._file.write(rows.tobytes())
            self._file.flush()
        except OSError as error:
            raise OutputError(
                f"cannot write {self.path}: {error.strerror or error}; "
                f"its first {self.num_rows} rows are kept"
            ) from error
        self.num_rows += len(rows)

    def close(self) -> None:
        """Closes the file and frees its lock; may be called twice."""
        # After a full disk the buffer still holds the row that `append` reported as lost.
        with contextlib.suppress(OSError):
            self._file.close()


def read_spool(path: Path) -> Rows:
    """Maps the complete rows of a spool into memory, read-only.

    Args:
        path: a file made by `SpoolWriter`, finished or cut off.

    Raises:
        OutputError: the file is missing or is not a spool of this version.
    """
    try:
        with path.open("rb") as file:
            line = file.readline(_MAX_HEADER_BYTES)
            size = path.stat().st_size
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror}") from error
    try:
        header: Any = json.loads(line)
    except ValueError:
        header = None
    expected = {"format": _FORMAT, "version": _VERSION, "row_bytes": ROW.itemsize}
    if not line.endswith(b"\n") or header != expected:
        raise OutputError(
            f"{path} is not a recording of this version: it starts with {line[:60]!r}"
        )
    num_rows = (size - len(line)) // ROW.itemsize
    if num_rows == 0:
        return np.zeros(0, ROW)
    return np.memmap(path, ROW, mode="r", offset=len(line), shape=(num_rows,))


def is_being_written(path: Path) -> bool:
    """Whether another process (or thread) holds the spool open; False where locks are unknown."""
    try:
        with path.open("r+b") as file:
            return not _try_lock(file)
    except OSError:
        return True  # Windows refuses to open what another process writes


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
