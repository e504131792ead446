"""How long an MP4 or MOV is shown, by its edit list.

A film that was cut without being encoded anew (trimmed on a phone, `ffmpeg -ss .. -c copy`) keeps the pictures from
the last key frame before the cut, and an edit list that leaves them out. FFmpeg follows the list, but counts them.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_MOST_BYTES = 64 << 20
"""Of an index (`moov`): an hour at 60 frames/s has 2 MB."""
_FILE_BOXES = frozenset((b"ftyp", b"free", b"skip", b"wide", b"mdat", b"uuid", b"moof", b"sidx"))


def shown_length_s(path: Path) -> float | None:
    """The time [s] that the video track's edit list shows; None where the file has none."""
    try:
        with path.open("rb") as file:
            index = _index(file)
        return None if index is None else _length_s(index)
    except (OSError, struct.error, IndexError, StopIteration):
        return None  # damaged: FFmpeg says what is wrong


def _index(file: BinaryIO) -> bytes | None:
    while len(head := file.read(8)) == 8:
        size, kind = struct.unpack(">I4s", head)
        used = 8
        if size == 1:
            (size,) = struct.unpack(">Q", file.read(8))
            used = 16
        if kind == b"moov" and used <= size <= _MOST_BYTES:
            return file.read(size - used)
        if kind not in _FILE_BOXES or size < used:
            return None
        file.seek(size - used, 1)
    return None


def _length_s(index: bytes) -> float | None:
    header = _child(index, b"mvhd")
    ticks_per_s = struct.unpack_from(">I", header, 20 if header[0] else 12)[0]
    for kind, track in _boxes(index):
        if kind != b"trak" or _child(track, b"mdia", b"hdlr")[8:12] != b"vide":
            continue
        edits = _child(track, b"edts", b"elst")
        entry = ">Qq" if edits[0] else ">Ii"
        step = struct.calcsize(entry) + 4
        (count,) = struct.unpack_from(">I", edits, 4)
        entries = [struct.unpack_from(entry, edits, 8 + row * step) for row in range(count)]
        shown = sum(length for length, start in entries if start >= 0)
        return shown / ticks_per_s if shown and ticks_per_s else None
    return None


def _child(box: bytes, *kinds: bytes) -> bytes:
    """Raises `StopIteration` where there is none."""
    for wanted in kinds:
        box = next(content for kind, content in _boxes(box) if kind == wanted)
    return box


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if size < 8:
            return
        yield kind, data[at + 8 : at + size]
        at += size
