"""Reads the files of a take back and compares them with the rows they were made of, before the spool goes."""

import json
import struct
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from realtime_vibe.errors import OutputError
from realtime_vibe.outputs.record.npz_motion import array_names, arrays_of, npy_head
from realtime_vibe.outputs.record.recording_spool import SpoolFacts
from realtime_vibe.outputs.record.row_blocks import TakeRows
from realtime_vibe.system.file_boundary import file_boundary, open_regular

_LAST_HEAD_LINE = {".bvh": b"Frame Time:", ".csv": b"time_s,", ".trc": b"\t\tX1"}
"""How the line before the first frame begins."""


def check_npz(path: Path, rows: TakeRows, facts: SpoolFacts) -> None:
    """Compares every array, block by block.

    Raises:
        OutputError: the file is damaged or holds something else.
    """
    with _as_written(path) as file, zipfile.ZipFile(file) as archive, ExitStack() as opened:
        members = {
            name: opened.enter_context(archive.open(f"{name}.npy")) for name in array_names(facts)
        }
        for number, arrays in enumerate(arrays_of(rows, facts)):
            for name, array in arrays.items():
                # Heads are compared, not parsed: Python 3.11 at times trips over two threads that do.
                head = b"" if number else npy_head(len(rows), array)
                content = head + array.tobytes()
                if members[name].read(len(content)) != content:
                    raise ValueError(f"{name} holds other numbers")
        for name, member in members.items():
            if member.read():  # to its end, where the archive compares its own checksum
                raise ValueError(f"{name} is too long")


def check_frames(path: Path, num_frames: int) -> None:
    """Makes sure that a file of one person has all of its frames.

    Raises:
        OutputError: it is damaged or shorter.
    """
    with _as_written(path) as file:
        found = _glb_frames(file) if path.suffix.lower() == ".glb" else _lines(file, path)
        if found != num_frames:
            raise ValueError(f"it has {found} frames instead of {num_frames}")


@contextmanager
def _as_written(path: Path) -> Iterator[IO[bytes]]:
    fault = "is not as it was written"
    with file_boundary(path, OutputError, fault=fault), open_regular(path) as file:
        yield file


def _lines(file: IO[bytes], path: Path) -> int:
    head = _LAST_HEAD_LINE[path.suffix.lower()]
    for line in file:
        if line.startswith(head):
            break
    return sum(line.endswith(b"\n") and line != b"\n" for line in file)


def _glb_frames(file: IO[bytes]) -> int:
    length, size = struct.unpack("<8xII", file.read(16))
    file.seek(20)
    document: Any = json.loads(file.read(size))
    if file.seek(0, 2) != length:
        raise ValueError("it is cut off")
    times = document["animations"][0]["samplers"][0]["input"]
    return int(document["accessors"][times]["count"])
