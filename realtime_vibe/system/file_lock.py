"""Locks that say that a file is in use, freed by the system when their holder dies."""

import sys
from typing import IO, Any


def try_lock(file: IO[Any]) -> bool | None:
    """Locks an open file until it is closed or unlocked.

    Returns:
        Whether it is ours; None where the system or the file system knows no locks (on Windows an open file can
        neither be renamed nor removed, which protects it as well).
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
