"""Reads the arrays and cell arrays of MATLAB 5 files (MATLAB's own format since 1996).

Written anew because SciPy's reader can crash the whole process on a damaged file. Only what motion
datasets hold is read: numeric matrices and cells of them; other variables (text, structures) are left
out. Format: "MAT-File Format", The MathWorks.
"""

import math
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.errors import DatasetError

_HEADER_BYTES = 128
_MATRIX, _COMPRESSED = 14, 15
_CELL = 1
_NUMERIC = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8",
}  # fmt: skip
"""Type of stored numbers: MATLAB stores them as small as they go, whatever the matrix's class."""
_NUMERIC_CLASSES = {
    6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8",
}  # fmt: skip
_COMPLEX_FLAG = 0x08

Variable = NDArray[Any]
"""Numbers, or objects that are again variables (a cell array), in MATLAB's shape."""


def read_mat5(path: Path) -> Mapping[str, Variable]:
    """Reads all numeric and cell variables of a file, compressed or not.

    Raises:
        DatasetError: missing, another format (also MATLAB 7.3, which is HDF5), or damaged.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror or error})") from error
    mark = data[_HEADER_BYTES - 4 : _HEADER_BYTES]
    if mark not in {b"\x00\x01IM", b"\x01\x00MI"}:
        raise DatasetError(
            f"{path}: not a MATLAB 5 file (begins with {data[:10]!r}), or it is cut off"
        )
    order = "<" if mark.endswith(b"IM") else ">"
    try:
        return dict(_variables(data[_HEADER_BYTES:], order))
    except (
        struct.error,
        zlib.error,
        ValueError,
        LookupError,
        OverflowError,
        RecursionError,
    ) as error:
        raise DatasetError(f"{path}: not a readable MATLAB 5 file ({error})") from error


def _variables(data: bytes, order: str) -> Iterator[tuple[str, Variable]]:
    for kind, body in _elements(data, order):
        if kind == _COMPRESSED:
            # Wrong sums and missing ends raise zlib.error here.
            yield from _variables(zlib.decompress(body), order)
        elif kind == _MATRIX:
            name, value = _matrix(body, order)
            if value is not None:
                yield name, value


def _elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """(type, content) of the data elements that follow each other."""
    position = 0
    while position < len(data):
        kind, size = struct.unpack_from(f"{order}II", data, position)
        if kind >> 16:
            # Up to four bytes stand in the tag itself: size and type share its first word.
            size, kind = kind >> 16, kind & 0xFFFF
            start, following = position + 4, position + 8
        else:
            start = position + 8
            # Compressed elements are not padded, all others to eight bytes.
            following = start + (size if kind == _COMPRESSED else -(-size // 8) * 8)
        if start + size > len(data):
            raise ValueError(f"an element of {size} bytes where {len(data) - start} are left")
        yield kind, data[start : start + size]
        position = following


def _matrix(body: bytes, order: str) -> tuple[str, Variable | None]:
    """Name and value of a matrix element; None for a class that is not read."""
    parts = _elements(body, order)
    flags = next(parts, (0, b""))[1]
    (word,) = struct.unpack_from(f"{order}I", flags)
    dimensions, name = next(parts, (0, b""))[1], next(parts, (0, b""))[1]
    shape = tuple(int(size) for size in np.frombuffer(dimensions, f"{order}i4"))
    if len(shape) < 2 or min(shape) < 0:
        raise ValueError(f"a matrix of shape {shape}")
    class_number, text = word & 0xFF, name.decode("latin1")
    if class_number == _CELL:
        return text, _cells(parts, shape, order)
    if class_number not in _NUMERIC_CLASSES or (word >> 8) & _COMPLEX_FLAG:
        return text, None
    kind, content = next(parts, (0, b""))
    values = np.frombuffer(content, order + _NUMERIC[kind])
    if len(values) != math.prod(shape):
        raise ValueError(f"{len(values)} numbers in '{text}' of shape {shape}")
    return text, values.astype(_NUMERIC_CLASSES[class_number]).reshape(shape, order="F")


def _cells(parts: Iterator[tuple[int, bytes]], shape: tuple[int, ...], order: str) -> Variable:
    # Made once the cells are there: a damaged shape must not reserve memory.
    values = [_matrix(body, order)[1] for kind, body in parts if kind == _MATRIX]
    if len(values) != math.prod(shape):
        raise ValueError(f"{len(values)} cells in an array of shape {shape}")
    cells = np.empty(len(values), object)
    for index, value in enumerate(values):
        cells[index] = value
    return cells.reshape(shape, order="F")
