"""Reads the rows of a spool, finished or cut off: damaged ones are left out and counted, the others are kept.

Rows have a fixed size, so that damage costs the row it hits and no other. They are read, not mapped: a disk that fails
or a file that is cut meanwhile is an error, not the end of the process.
"""

import logging
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.errors import OutputError
from realtime_vibe.outputs.record.recording_spool import (
    CHECKSUM_BYTES,
    MAX_HEADER_BYTES,
    Rows,
    SpoolFacts,
    SpoolWriter,
    first_row_at,
    read_facts,
    row_type,
    sound_rows,
    stored_type,
)
from realtime_vibe.outputs.record.row_blocks import (
    BLOCK,
    INDEX,
    Numbers,
    TakeRows,
    index_of,
    rising_times,
)
from realtime_vibe.system.file_boundary import file_boundary, open_regular
from realtime_vibe.system.placing import is_same_file, try_lock, unlock

logger = logging.getLogger(__name__)

_NEAR = 64
"""Rows this close to each other are read in one go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spool:
    """A spool that is open."""

    path: Path
    rows: TakeRows
    """The sound ones, in their order."""
    facts: SpoolFacts
    num_damaged: int
    """Rows whose checksum is wrong, or whose numbers cannot be a row's."""
    file: BinaryIO

    def is_in_place(self) -> bool:
        """Whether the file still has its name."""
        return is_same_file(self.file, self.path)

    def remove(self) -> None:
        """Removes the file, unless its name is another file's by now; says so where it cannot."""
        if not self.is_in_place():
            return
        if sys.platform == "win32":
            self.file.close()  # an open file cannot be removed there
        try:
            self.path.unlink()
        except OSError as error:
            logger.warning("cannot remove %s: %s", self.path, error.strerror or error)


@contextmanager
def open_spool(path: Path, *, alone: bool = False) -> Iterator[Spool]:
    """Opens a spool for reading, finished or cut off; `alone` keeps others from writing or recovering it meanwhile.

    Raises:
        OutputError: the file is missing or is not a spool of this version, or somebody else has it.
    """
    boundary = partial(file_boundary, path, OutputError, "expected the .part of a recording")
    with boundary():
        file = open_regular(path)
    with file:
        if alone and (try_lock(file) is False or not is_same_file(file, path)):
            raise OutputError(f"{path} is still being written or recovered: end that run first")
        try:
            with boundary():  # a disk may fail as well
                spool = _read(file, path)
            yield spool
        finally:
            unlock(file)


def spool_of(writer: SpoolWriter) -> Spool:
    """What a writer has written so far, also when the file's folder was removed meanwhile.

    Raises:
        OutputError: the disk fails.
    """
    return _rows(writer.file, writer.path, writer.facts, writer.num_rows)


def is_being_written(path: Path) -> bool:
    """Whether another process (or thread) holds the spool open; False where locks are unknown."""
    try:
        with open_regular(path) as file:
            return try_lock(file) is False
    except OSError:
        return False


def _read(file: BinaryIO, path: Path) -> Spool:
    start = file.read(2 * MAX_HEADER_BYTES)
    facts = read_facts(start)
    if facts is None:
        raise OutputError(
            f"{path} is not a recording of this version: it starts with {start[:60]!r}"
        )
    num_bytes = file.seek(0, os.SEEK_END) - first_row_at(facts)
    return _rows(file, path, facts, max(0, num_bytes) // stored_type(facts).itemsize)


def _rows(file: BinaryIO, path: Path, facts: SpoolFacts, num_rows: int) -> Spool:
    kind, stored_kind = row_type(facts.keypoint_names), stored_type(facts)
    start, size = first_row_at(facts), stored_kind.itemsize

    def stored(first: int, stop: int) -> Rows:
        content = _read_bytes(file, path, start + first * size, (stop - first) * size)
        return np.frombuffer(content, stored_kind)

    sound, pieces = [np.zeros(0, np.intp)], [np.zeros(0, INDEX)]
    for first in range(0, num_rows, BLOCK):
        block = stored(first, min(first + BLOCK, num_rows))
        numbers = np.flatnonzero(_is_sound(block))
        sound.append(first + numbers)
        pieces.append(index_of(block[numbers]))
    places, index = np.concatenate(sound), np.concatenate(pieces)
    if (np.diff(index["timestamp_s"]) < 0).any():
        logger.warning("%s: the clock went back while it was recorded: times go on instead", path)
        index["timestamp_s"] = rising_times(index["timestamp_s"])

    def load(numbers: Numbers) -> Rows:
        wanted, back = np.unique(places[numbers], return_inverse=True)
        runs = np.split(wanted, np.flatnonzero(np.diff(wanted) > _NEAR) + 1)
        pieces = [stored(int(run[0]), int(run[-1]) + 1)[run - run[0]] for run in runs if len(run)]
        rows = np.concatenate([np.zeros(0, stored_kind), *pieces])
        content = rows.view(np.uint8).reshape(len(rows), size)
        # Without the checksum, by one copy instead of one a field.
        return content[back, : kind.itemsize].view(kind)[:, 0]

    return Spool(
        path=path,
        rows=TakeRows(index, load),
        facts=facts,
        num_damaged=num_rows - len(places),
        file=file,
    )


def _read_bytes(file: BinaryIO, path: Path, start: int, count: int) -> bytearray:
    try:
        file.seek(start)
        content = bytearray()
        while len(content) < count:
            piece = file.read(count - len(content))
            if not piece:
                raise OutputError(f"{path} became shorter while it was read")
            content += piece
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror or error}") from error
    return content


def _is_sound(stored: Rows) -> NDArray[np.bool_]:
    """(N,) whether each row has the right checksum, and numbers that can be a row's."""
    content = stored.view(np.uint8).data
    size = stored.dtype.itemsize
    found = [
        zlib.crc32(content[start : start + size - CHECKSUM_BYTES])
        for start in range(0, len(content), size)
    ]
    return np.asarray(sound_rows(stored) & (stored["crc32"] == np.array(found, np.uint32)))
