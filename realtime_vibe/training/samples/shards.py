"""The files that rendered streams are kept in.

A shard is one `.npz` of arrays (S, B, ...) per frame and (B, ...) per stream, written whole or not at
all. Legend: S time, B streams, L = 33 landmarks.

| key | shape | |
|---|---|---|
| `format_version` | () | |
| `rotmat` | (S, B, 24, 3, 3) | true rotations, the root's to the camera frame |
| `transl` | (S, B, 3) | true translation in the camera frame [m] |
| `dt_s` | (S, B) | time since the frame before [s] |
| `found` | (S, B) | whether the tracker found anybody |
| `image_px` | (S, B, L, 2) | the tracker's landmarks, relative to the principal point |
| `world_m` | (S, B, L, 3) | |
| `visibility` | (S, B, L) | |
| `betas` | (B, 10) | true shape |
| `principal` | (B, 2) | half the image size [px] |
| `true_focal` | (B,) | [px] |
| `nominal_focal` | (B,) | what the live app assumes [px] |
"""

from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.errors import DatasetError
from realtime_vibe.system.npz_file import open_npz
from realtime_vibe.system.placing import write_atomically

FORMAT_VERSION = 1
_ADVICE = "delete it and render again"

PER_FRAME = ("rotmat", "transl", "dt_s", "image_px", "world_m", "visibility")
PER_STREAM = ("betas", "principal", "true_focal", "nominal_focal")

_SHAPES = {
    "rotmat": (24, 3, 3), "transl": (3,), "dt_s": (), "image_px": (33, 2), "world_m": (33, 3),
    "visibility": (33,), "found": (), "betas": (10,), "principal": (2,), "true_focal": (),
    "nominal_focal": (),
}  # fmt: skip

Arrays = Mapping[str, NDArray[np.generic]]


def shard_path(folder: Path, seed: int, number: int) -> Path:
    """Where a shard lies."""
    return folder / f"shard-{seed:03d}-{number:05d}.npz"


def shard_paths(folder: Path) -> list[Path]:
    """All shards of a folder, by name."""
    return sorted(folder.glob("shard-*.npz"))


def save_shard(path: Path, arrays: Arrays) -> None:
    """Writes a shard: all arrays of the table above but the version.

    Raises:
        OutputError: it cannot be written.
    """

    def write(file: IO[bytes]) -> None:
        np.savez(file, allow_pickle=False, format_version=FORMAT_VERSION, **arrays)

    write_atomically(path, write, overwrite=True)


def load_shard(path: Path) -> dict[str, NDArray[np.generic]]:
    """Reads a shard.

    Raises:
        DatasetError: missing, damaged, of another format, or an array has the wrong shape.
    """
    with open_npz(path, DatasetError, _ADVICE) as archive:
        version = int(archive["format_version"])
        if version != FORMAT_VERSION:
            raise ValueError(f"format {version}, expected {FORMAT_VERSION}")
        arrays: dict[str, NDArray[np.generic]] = {name: archive[name] for name in _SHAPES}
        _check(arrays)
    return arrays


def _check(arrays: dict[str, NDArray[np.generic]]) -> None:
    found = arrays["found"].shape
    if len(found) != 2:
        raise ValueError(f"found has shape {found}, expected frames and streams")
    for name, array in arrays.items():
        lead = found[1:] if name in PER_STREAM else found
        if array.shape != (*lead, *_SHAPES[name]):
            raise ValueError(f"{name} has shape {array.shape}, expected {(*lead, *_SHAPES[name])}")
        if not np.isfinite(array.astype(np.float32)).all():
            raise ValueError(f"{name} holds values that are not finite")
