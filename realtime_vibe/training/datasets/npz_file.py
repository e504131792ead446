"""Opens `.npz` files so that whatever is wrong with one is said with its name."""

import struct
import tokenize
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import BadZipFile
from zlib import error as ZlibError  # noqa: N812 - a class, whatever its name

import numpy as np
from numpy.lib.npyio import NpzFile

from realtime_vibe.errors import DatasetError

_DAMAGE = (
    BadZipFile, EOFError, LookupError, MemoryError, NotImplementedError, OverflowError, RuntimeError,
    SyntaxError, TypeError, ValueError, ZlibError, struct.error, tokenize.TokenError,
)  # fmt: skip
"""What zipfile and NumPy raise on damaged archives, headers and members; found by flipping bytes."""


@contextmanager
def open_npz(path: Path) -> Iterator[NpzFile]:
    """The archive, closed afterwards; members are read when they are asked for, never unpickled.

    Everything that goes wrong inside the `with` block is taken for the file's fault, so it holds
    nothing but the reading.

    Raises:
        DatasetError: missing, no archive, damaged, or what the block raised with the path in front.
    """
    try:
        # NumPy leaves a damaged file open when it is given a path.
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if not isinstance(loaded, NpzFile):
                raise DatasetError("a single array (npy), expected an npz archive")
            with loaded as archive:
                yield archive
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from error
    except (OSError, *_DAMAGE) as error:
        raise DatasetError(f"{path}: not a readable npz file ({error})") from error
