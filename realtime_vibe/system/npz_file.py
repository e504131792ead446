"""Reads `.npz` archives that anybody may have made: nothing is unpickled, nothing is unpacked unasked.

NumPy believes what an archive says of itself: a few bytes can make `numpy.load` ask for terabytes. Here the
stated sizes of the members and of the arrays in them are compared first.
"""

import math
import threading
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.errors import RealtimeVibeError, one_line
from realtime_vibe.system.file_boundary import file_boundary, open_regular

_LARGEST_BYTES = 1 << 26
"""What any archive may unpack to; a larger one, `_LARGEST_RATIO` times its own size."""
_LARGEST_RATIO = 64
_KINDS = "biufcSU"
"""Numbers and text."""
_CHUNK_BYTES = 1 << 20
_PARSING = threading.Lock()
"""NumPy has Python parse headers, and Python 3.11 at times trips over two threads that do (python/cpython#106905)."""


class NpzArchive(Mapping[str, NDArray[Any]]):
    """The arrays of an open archive by name, each read when it is asked for and of `max_bytes` at most."""

    def __init__(self, archive: zipfile.ZipFile, max_bytes: int) -> None:
        self._archive = archive
        self._max_bytes = max_bytes
        self._members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Reads an array.

        Raises:
            KeyError: there is none of that name.
            ValueError: its stated size is not that of its content, or it holds other than numbers and text.
        """
        member = self._members[name]
        with self._archive.open(member) as file:
            return read_npy(file, min(member.file_size, self._max_bytes), one_line(name, 80))

    def shape(self, name: str) -> tuple[int, ...]:
        """The stated shape of an array; empty where there is none of that name.

        Raises:
            ValueError: the array holds other than numbers and text, or claims more than there is.
        """
        if name not in self._members:
            return ()
        with self._archive.open(self._members[name]) as file:
            return self._header(file, name)[0]

    def blocks(self, names: Sequence[str], size: int) -> Iterator[dict[str, NDArray[Any]]]:
        """Arrays of equal length, `size` rows at a time, so that none of them is in memory as a whole.

        Raises:
            ValueError: an array is not what it states.
        """
        with ExitStack() as opened:
            columns = {}
            for name in names:
                file = opened.enter_context(self._archive.open(self._members[name]))
                columns[name] = (file, *self._header(file, name))
            count = min((shape[0] for _, shape, _, _ in columns.values()), default=0)
            # In Fortran's order a row is all over the file.
            whole = {name: self[name] for name in names if columns[name][2]}
            for start in range(0, count, size):
                rows = min(size, count - start)
                yield {
                    name: whole[name][start : start + rows]
                    if name in whole
                    else _content(file, (rows, *shape[1:]), dtype, name)
                    for name, (file, shape, _, dtype) in columns.items()
                }

    def _header(self, file: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
        most = min(self._members[name].file_size, self._max_bytes)
        return _header(file, most, one_line(name, 80))

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)


@contextmanager
def open_npz(
    path: Path, error: type[RealtimeVibeError], advice: str, *, max_bytes: int | None = None
) -> Iterator[NpzArchive]:
    """Opens an archive; the block that reads it stands behind `file_boundary`.

    Args:
        error: what is raised, whatever goes wrong in the block.
        advice: what was expected, as the end of the message.
        max_bytes: the most that it may unpack to; None: 64 MB, or more where the file is large itself.

    Raises:
        RealtimeVibeError: `error`.
    """
    with file_boundary(path, error, advice), open_regular(path) as file, _archive(file) as archive:
        limit = max_bytes or max(_LARGEST_BYTES, _LARGEST_RATIO * path.stat().st_size)
        claimed = sum(info.file_size for info in archive.infolist())
        if claimed > limit:
            raise error(
                f"claims to unpack to {claimed:,} bytes, expected at most {limit:,}; {advice}"
            )
        yield NpzArchive(archive, limit)


def _archive(file: IO[bytes]) -> zipfile.ZipFile:
    if file.read(len(np.lib.format.MAGIC_PREFIX)) == np.lib.format.MAGIC_PREFIX:
        raise ValueError("it is a single array (.npy), no archive of them")
    return zipfile.ZipFile(file)


def read_npy(file: IO[bytes], max_bytes: int, name: str) -> NDArray[Any]:
    """One array, from the start of an `.npy`, whose header says no more than `max_bytes` can hold.

    Raises:
        ValueError: it is none, is cut off, claims more, or holds other than numbers and text.
    """
    shape, columns_first, dtype = _header(file, max_bytes, name)
    flat = _content(file, (math.prod(shape),), dtype, name)
    return flat.reshape(shape, order="F" if columns_first else "C")


def _header(
    file: IO[bytes], max_bytes: int, name: str
) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether columns come first, and type of the array that follows."""
    version = np.lib.format.read_magic(file)
    with _PARSING:
        if version == (1, 0):
            shape, columns_first, dtype = np.lib.format.read_array_header_1_0(file)
        else:
            shape, columns_first, dtype = np.lib.format.read_array_header_2_0(file)
    if dtype.kind not in _KINDS:
        what = "pickled objects" if dtype.hasobject else f"values of {one_line(str(dtype), 80)}"
        raise ValueError(f"{name} holds {what}, expected numbers or text")
    num_bytes = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or num_bytes > max_bytes:
        raise ValueError(
            f"{name} claims {num_bytes} bytes of shape {shape} in a file of {max_bytes}"
        )
    return shape, columns_first, dtype


def _content(
    file: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any], name: str
) -> NDArray[Any]:
    if dtype.itemsize == 0:
        return np.zeros(shape, dtype)
    num_bytes = math.prod(shape) * dtype.itemsize
    content = np.empty(num_bytes, np.uint8)
    done = 0
    while done < num_bytes:
        part = file.read(min(_CHUNK_BYTES, num_bytes - done))
        if not part:
            raise ValueError(f"{name} is cut off after {done} of {num_bytes} bytes")
        content[done : done + len(part)] = np.frombuffer(part, np.uint8)
        done += len(part)
    return content.view(dtype).reshape(shape)
