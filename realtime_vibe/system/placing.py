"""Puts finished files in place: the one place where a file of the user's could be replaced.

A file is written under a temporary name in its folder and gets its own name when it is complete. A name that was
free when the run began may be taken by then; without leave to overwrite, the file then gets the next free name.
Locks say that a file is in use; the system frees them when their holder dies.
"""

import contextlib
import itertools
import logging
import os
import re
import secrets
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from realtime_vibe.errors import OutputError
from realtime_vibe.system.file_boundary import open_regular

logger = logging.getLogger(__name__)

_PREFIX, _SUFFIX = ".realtime-vibe-", ".tmp"
_TEMPORARY = re.compile(rf"{_PREFIX}\d+-[0-9a-f]{{8}}{_SUFFIX}")


def write_atomically(path: Path, write: Callable[[IO[bytes]], object], *, overwrite: bool) -> Path:
    """Makes a file as a whole: readers see nothing, the old file or the complete new one.

    `write` fills the open temporary file; if it raises, nothing changes. Without `overwrite` a file that is there stays,
    and the new one is put beside it. Returns where the file is.

    Raises:
        OutputError: the disk is full or the folder is gone.
    """
    temporary = path.with_name(f"{_PREFIX}{os.getpid()}-{secrets.token_hex(4)}{_SUFFIX}")
    try:
        with _open_locked(temporary) as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
            if sys.platform == "win32":
                file.close()  # an open file cannot be renamed there
            placed = _place(temporary, path, overwrite=overwrite)
        _sync_folder(path.parent)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):  # the folder itself may be gone
            temporary.unlink(missing_ok=True)
    return placed


def create_beside(path: Path, *, overwrite: bool) -> tuple[Path, IO[bytes]]:
    """Makes and locks an empty file, `path` or the next free name, for a writer that needs its name at once.

    `overwrite` removes what is there, unless another run is writing it.

    Raises:
        OutputError: the folder cannot be written, or another run is writing the file.
    """
    try:
        if overwrite:
            with contextlib.suppress(FileNotFoundError), open_regular(path) as old:
                if try_lock(old) is False:
                    raise OutputError(f"another run is writing {path}: choose another name")
            path.unlink(missing_ok=True)
        for name in _names_beside(path):
            _remove_empty(name)
            with contextlib.suppress(FileExistsError):
                file = name.open("xb")
                # Between the two, another run may have taken it for one that was left empty.
                if try_lock(file) is not False and is_same_file(file, name):
                    _say_where(path, name)
                    return name, file
                file.close()
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    raise AssertionError("names never end")


def is_left_empty(path: Path) -> bool:
    """Whether a file holds nothing and nobody writes it: what a run leaves that is killed before its first bytes."""
    try:
        with open_regular(path) as file:
            return os.fstat(file.fileno()).st_size == 0 and try_lock(file) is not False
    except OSError:
        return False


def move_beside(path: Path) -> Path:
    """Renames a file to its name and the next free number; returns that."""
    for number in itertools.count(1):
        name = path.with_name(f"{path.name}.{number}")
        with contextlib.suppress(FileExistsError):
            _link_or_rename(path, name)
            return name
    raise AssertionError("numbers never end")


def remove_leftovers(folder: Path) -> None:
    """Removes temporary files of runs that were killed while they wrote them."""
    for leftover in folder.glob(f"{_PREFIX}*{_SUFFIX}"):
        with contextlib.suppress(OSError), open_regular(leftover) as file:
            is_ours = _TEMPORARY.fullmatch(leftover.name) and not leftover.is_symlink()
            if is_ours and try_lock(file):  # else somebody is writing it
                leftover.unlink()
                logger.info("removed %s, left by a run that was cut off", leftover)


def is_same_file(file: IO[bytes], path: Path) -> bool:
    """Whether an open file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False


def _open_locked(path: Path) -> IO[bytes]:
    """Makes a new file and locks it."""
    while True:
        file = path.open("xb")
        # Between the two, another run may have taken it for a leftover.
        if try_lock(file) is not False and is_same_file(file, path):
            return file
        file.close()
        path.unlink(missing_ok=True)


def _place(temporary: Path, path: Path, *, overwrite: bool) -> Path:
    if overwrite:
        temporary.replace(path)
        return path
    for name in _names_beside(path):
        _remove_empty(name)
        with contextlib.suppress(FileExistsError):
            _link_or_rename(temporary, name)
            _say_where(path, name)
            return name
    raise AssertionError("names never end")


def _remove_empty(path: Path) -> None:
    with contextlib.suppress(OSError):  # its name is taken then
        if is_left_empty(path):
            path.unlink()


def _names_beside(path: Path) -> Iterator[Path]:
    yield path
    for number in itertools.count(2):
        yield path.with_name(f"{path.stem}-{number}{path.suffix}")


def _say_where(wanted: Path, name: Path) -> None:
    if name != wanted:
        logger.warning("%s is there by now and stays as it is: written to %s", wanted, name)


def _link_or_rename(source: Path, target: Path) -> None:
    """Renames a file; never onto another.

    Raises:
        FileExistsError: the name is taken.
    """
    if sys.platform == "win32":
        source.rename(target)  # refuses a name that is taken
        return
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: the name is taken first, then filled
        with target.open("xb"):
            pass
        source.replace(target)
    else:
        source.unlink()


def _sync_folder(folder: Path) -> None:
    """Makes a new name survive a power cut."""
    with contextlib.suppress(OSError):  # not every system lets folders be opened
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def try_lock(file: IO[Any]) -> bool | None:
    """Locks an open file until it is closed or unlocked; whether it is ours.

    None where the system or the file system knows no locks (on Windows an open file can neither be renamed nor removed,
    which protects it as well).
    """
    if sys.platform == "win32":
        return None
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def unlock(file: IO[Any]) -> None:
    """Frees the lock before the file is closed."""
    if sys.platform != "win32" and not file.closed:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_UN)
