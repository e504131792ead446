"""BVH motion files as training reads them: faults are faults of a data set."""

from pathlib import Path

from realtime_vibe.errors import DatasetError
from realtime_vibe.geometry.bvh import MAX_BVH_BYTES, BvhFile, parse_bvh
from realtime_vibe.system.file_boundary import file_boundary, read_regular

__all__ = ["BvhFile", "read_bvh"]


def read_bvh(path: Path) -> BvhFile:
    """Reads a BVH file.

    Raises:
        DatasetError: it is missing, no BVH, or cut off; says in which line or how many numbers.
    """
    with file_boundary(path, DatasetError, "expected a BVH file"):
        return parse_bvh(read_regular(path, MAX_BVH_BYTES).decode(errors="replace"))
