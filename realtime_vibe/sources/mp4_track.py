"""What the video track of an MP4 or MOV says that FFmpeg and OpenCV keep to themselves.

A film that was cut without being encoded anew (trimmed on a phone, `ffmpeg -ss .. -c copy`) keeps the pictures from
the last key frame before the cut, and an edit list that leaves them out. FFmpeg follows the list, but counts them.
Its display matrix may mirror, as selfie cameras and editors write it: OpenCV only turns, so that a mirrored film has
left and right exchanged or stands on its head.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

_MOST_BYTES = 64 << 20
"""Of an index (`moov`): an hour at 60 frames/s has 2 MB."""
_FILE_BOXES = frozenset((b"ftyp", b"free", b"skip", b"wide", b"mdat", b"uuid", b"moof", b"sidx"))


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoTrack:
    """The first video track."""

    shown_s: float | None = None
    """The time [s] that its edit list shows; None where it has none."""
    is_mirrored: bool = False
    """Whether its display matrix mirrors, besides any turn."""


def track_in(film: BinaryIO) -> VideoTrack:
    """The first video track of a film that is read from its beginning; all defaults where it is no MP4 or MOV, or damaged."""
    try:
        index = _index(film)
        return VideoTrack() if index is None else _track(index)
    except Exception:  # noqa: BLE001 - damaged: FFmpeg says what is wrong
        return VideoTrack()


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


def _track(index: bytes) -> VideoTrack:
    movie = _child(index, b"mvhd")
    ticks_per_s = struct.unpack_from(">I", movie, 20 if movie[0] else 12)[0]
    for kind, track in _boxes(index):
        if kind == b"trak" and _child(track, b"mdia", b"hdlr")[8:12] == b"vide":
            header = _child(track, b"tkhd")
            mirrors = _mirrors(movie, 48 if movie[0] else 36) != _mirrors(
                header, 52 if header[0] else 40
            )
            return VideoTrack(shown_s=_shown_s(track, ticks_per_s), is_mirrored=mirrors)
    return VideoTrack()


def _mirrors(header: bytes, at: int) -> bool:
    """Whether the display matrix at a place of a header has a negative determinant."""
    across_x, across_y, _, down_x, down_y = struct.unpack_from(">5i", header, at)
    return bool(across_x * down_y < across_y * down_x)


def _shown_s(track: bytes, ticks_per_s: int) -> float | None:
    try:
        edits = _child(track, b"edts", b"elst")
    except StopIteration:
        return None
    entry = ">Qq" if edits[0] else ">Ii"
    step = struct.calcsize(entry) + 4
    (count,) = struct.unpack_from(">I", edits, 4)
    entries = [struct.unpack_from(entry, edits, 8 + row * step) for row in range(count)]
    shown = sum(length for length, start in entries if start >= 0)
    return shown / ticks_per_s if shown and ticks_per_s else None


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
