"""The append-only file behind a recording: fixed-size rows that survive a crash.

A spool is one line of JSON (`SpoolFacts`) followed by packed records of `row_type`. Each row reaches the operating system
before the next frame is processed; a row cut in half by a crash is left out when reading.
"""

import contextlib
import json
import sys
from dataclasses import dataclass
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
        ("square_px", "<f4", (3,)),  # centre x, y and side of the crop's square, margin included
        ("betas", "<f4", (NUM_BETAS,)),
        ("focal_px", "<f4"),
        ("image_size", "<i4", (2,)),  # width, height [px]
    ]
)

_FORMAT = "realtime-vibe recording spool"
_VERSION = 2
_MAX_HEADER_BYTES = 4096

Rows = NDArray[np.void]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolFacts:
    """What holds for every row of a spool."""

    gender: str = "neutral"
    """Of the body: neutral, male or female."""
    keypoint_names: tuple[str, ...] = ()
    """Names of the rows' keypoints; empty where the body has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spool:
    """A spool that was read."""

    rows: Rows
    """(N,) of `row_type`, mapped from the file, read-only."""
    facts: SpoolFacts


def row_type(facts: SpoolFacts) -> np.dtype[np.void]:
    """`ROW`, and `kp_3d` (K, 3) [m] where the body has K keypoints."""
    if not facts.keypoint_names:
        return ROW
    fields: Any = [(name, ROW[name]) for name in ROW.names or ()]
    return np.dtype([*fields, ("kp_3d", "<f4", (len(facts.keypoint_names), 3))])


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
        self.num_rows = 0
        header = _header(facts)
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


def read_spool(path: Path) -> Spool:
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
    facts = _facts(line)
    if facts is None:
        raise OutputError(
            f"{path} is not a recording of this version: it starts with {line[:60]!r}"
        )
    kind = row_type(facts)
    num_rows = (size - len(line)) // kind.itemsize
    if num_rows == 0:
        return Spool(rows=np.zeros(0, kind), facts=facts)
    rows = np.memmap(path, kind, mode="r", offset=len(line), shape=(num_rows,))
    return Spool(rows=rows, facts=facts)


def _header(facts: SpoolFacts) -> dict[str, object]:
    return {
        "format": _FORMAT,
        "version": _VERSION,
        "row_bytes": row_type(facts).itemsize,
        "gender": facts.gender,
        "keypoint_names": list(facts.keypoint_names),
    }


def _facts(line: bytes) -> SpoolFacts | None:
    """What the first line of a spool says; None when it is not one of this version."""
    try:
        header: Any = json.loads(line)
        facts = SpoolFacts(
            gender=str(header["gender"]),
            keypoint_names=tuple(str(name) for name in header["keypoint_names"]),
        )
        is_ours = line.endswith(b"\n") and header == _header(facts)
    except (ValueError, TypeError, KeyError):
        return None
    return facts if is_ours else None


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
