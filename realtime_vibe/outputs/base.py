"""What every result sink offers, and the checks that come before a run writes anything."""

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol, Self

from realtime_vibe.errors import OutputError
from realtime_vibe.packets import FrameResult


class ResultSink(Protocol):
    """Takes the pipeline's results, one frame after the other."""

    def write(self, result: FrameResult) -> None:
        """Takes the result of one frame.

        Raises:
            OutputError: it cannot be kept; what was taken before is.
        """
        ...

    def close(self) -> None:
        """Finishes the output; may be called twice.

        Raises:
            OutputError: the output cannot be finished.
        """
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def check_output_path(path: Path, *, overwrite: bool, suffixes: tuple[str, ...]) -> None:
    """Makes sure that an output file can be written, without touching it.

    Args:
        path: the file a run is going to write.
        overwrite: whether an existing file may be replaced.
        suffixes: the accepted endings, such as `(".npz",)`.

    Raises:
        OutputError: wrong ending, existing file, or a folder that is missing or not writable.
    """
    if path.suffix.lower() not in suffixes:
        raise OutputError(f"{path}: expected a name that ends in {' or '.join(suffixes)}")
    if path.is_dir():
        raise OutputError(f"{path} is a folder, expected the name of a file")
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists: choose another name, or replace it with --overwrite")
    folder = path.parent
    if not folder.is_dir():
        raise OutputError(f"{path}: the folder {folder} does not exist, create it first")
    try:
        # Permission bits lie for root and on read-only mounts; only making a file tells.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(f"{path}: cannot write into {folder}: {error.strerror}") from error


def write_atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Replaces `path` as a whole: readers see the old file or the complete new one.

    Args:
        path: the file to make or replace.
        write: fills the open temporary file; if it raises, `path` stays as it was.

    Raises:
        OutputError: the disk is full or the folder is gone.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):  # the folder itself may be gone
            temporary.unlink(missing_ok=True)
