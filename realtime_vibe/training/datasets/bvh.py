"""BVH motion files as training reads them: faults are faults of a data set."""

from pathlib import Path

from realtime_vibe.errors import DatasetError
from realtime_vibe.geometry.bvh import BvhFile, parse_bvh

__all__ = ["BvhFile", "read_bvh"]


def read_bvh(path: Path) -> BvhFile:
    """Reads a BVH file.

    Raises:
        DatasetError: it is missing, no BVH, or cut off; says in which line or how many numbers.
    """
    try:
        return parse_bvh(path.read_text(encoding="utf-8", errors="replace"))
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror or error})") from error
    except ValueError as error:
        raise DatasetError(f"{path}: {error}") from error
