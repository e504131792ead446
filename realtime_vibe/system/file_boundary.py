"""What every reader and writer of a user's file stands behind: one error that names the file.

Files come damaged, hostile, or as something that is no file at all, and the libraries that read them raise
whatever they happen to meet. So no reader lists what may be raised: all of it is the file's fault.
"""

import errno
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from realtime_vibe.errors import RealtimeVibeError, ShapeError, one_line

_PATH_LENGTH = 1000
_UNSIZED_BYTES = 1 << 20
_LONGEST_LINE = 1 << 26

_KINDS = (
    (stat.S_ISDIR, "it is a folder, no file"),
    (stat.S_ISFIFO, "it is a pipe, no file"),
    (stat.S_ISSOCK, "it is a socket, no file"),
    (stat.S_ISCHR, "it is a device, no file"),
    (stat.S_ISBLK, "it is a device, no file"),
)

_SAID = {
    RecursionError: "it is nested too deeply",
    MemoryError: "it asks for more memory than there is",
    EOFError: "it is cut off",
    UnicodeError: "it is not text in UTF-8",
}
_STUMBLES = (AssertionError, AttributeError, IndexError, NameError, TypeError)
"""What a reader meets in a file of another form than it expects; the message alone would be ours, not the file's."""


@contextmanager
def file_boundary(
    path: Path | str,
    error: type[RealtimeVibeError],
    advice: str = "",
    *,
    fault: str = "cannot be read",
) -> Iterator[None]:
    """Turns whatever goes wrong inside into one error that names the file.

    The block holds the reading or writing of this file and nothing else. Errors of the class `error` that are
    raised inside say what is wrong and get the name in front; those of other classes of ours are about
    something else and pass.

    Args:
        advice: what was expected or what to do, as the end of the message.
        fault: what the file cannot be.

    Raises:
        RealtimeVibeError: `error`, in one line.
    """
    name = one_line(str(path), _PATH_LENGTH)
    try:
        yield
    except Exception as caught:
        is_said = isinstance(caught, RealtimeVibeError) and not isinstance(caught, ShapeError)
        if is_said and (not isinstance(caught, error) or str(caught).startswith(name)):
            raise
        ending = f"; {advice}" if advice else ""
        message = str(caught) if is_said else f"{fault} ({reason_of(caught)}){ending}"
        raise error(f"{name}: {one_line(message)}") from caught


def reason_of(caught: BaseException) -> str:
    """What an exception says, in one line of bounded length."""
    match caught:
        case OSError(strerror=str(text)):
            return one_line(text)
        case KeyError(args=(str(sentence),)) if " " in sentence:  # as archives say it
            return one_line(sentence)
        case KeyError(args=(key,)):
            return f"it lacks {one_line(key)}"
    for kind, said in _SAID.items():
        if isinstance(caught, kind):
            return said
    # What it was raised with can be a structure from the file: only text and numbers are followed to the end.
    is_plain = all(isinstance(part, (str, int, float)) for part in caught.args)
    text = one_line(str(caught) if is_plain else caught.args[0]) or type(caught).__name__
    return f"its content is damaged: {text}" if isinstance(caught, _STUMBLES) else text


def make_folder(path: Path, error: type[RealtimeVibeError]) -> None:
    """Makes a folder and those above it, where they are missing.

    Raises:
        RealtimeVibeError: `error`, when it cannot be made.
    """
    with file_boundary(path, error, "name another folder", fault="cannot be made"):
        path.mkdir(parents=True, exist_ok=True)


def check_regular(path: Path) -> None:
    """Refuses what is no regular file: to open a pipe is to wait for its writer, a device has no end.

    Raises:
        OSError: it is missing or no regular file.
    """
    _check_kind(path.stat().st_mode)


def open_regular(path: Path) -> BinaryIO:
    """Opens a regular file for reading and never waits.

    Raises:
        OSError: it is missing, cannot be read, or is no regular file.
    """
    check_regular(path)
    return io.open(path, "rb", opener=_open_at_once)  # noqa: UP020 - takes an opener, unlike `Path.open`


def read_regular(path: Path, max_bytes: int) -> bytes:
    """All of a regular file.

    Raises:
        OSError: as for `open_regular`.
        ValueError: it is longer.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > max_bytes:
            raise ValueError(_too_long(size, max_bytes))
        if size:
            return file.read(size)
        content = file.read(
            _UNSIZED_BYTES + 1
        )  # files of the system state no size, and some have no end
        if len(content) > _UNSIZED_BYTES:
            raise ValueError("it has no size and does not end")
        return content


def text_lines(path: Path, max_bytes: int) -> Iterator[str]:
    """The lines of a regular file of UTF-8, marked as such or not; characters that are none are replaced.

    Raises:
        OSError: as for `open_regular`.
        ValueError: the file or a line is too long.
    """
    with open_regular(path) as file:
        if (size := os.fstat(file.fileno()).st_size) > max_bytes:
            raise ValueError(_too_long(size, max_bytes))
        text = io.TextIOWrapper(file, "utf-8-sig", "replace")
        left = max(size, _UNSIZED_BYTES)  # a file may grow, and some have no end
        while left > 0 and (line := text.readline(_LONGEST_LINE)):
            if len(line) == _LONGEST_LINE:
                raise ValueError("it has a line without end")
            left -= len(line)
            yield line


def _too_long(size: int, max_bytes: int) -> str:
    return f"it has {size / 1e6:,.0f} MB, expected at most {max_bytes / 1e6:,.0f}"


def _open_at_once(name: str, flags: int) -> int:
    handle = os.open(name, flags | getattr(os, "O_NONBLOCK", 0))
    try:
        _check_kind(os.fstat(handle).st_mode)  # of what was opened: a name can change its file
    except BaseException:
        os.close(handle)
        raise
    return handle


def _check_kind(mode: int) -> None:
    for is_kind, said in _KINDS:
        if is_kind(mode):
            raise OSError(errno.EINVAL, said)
