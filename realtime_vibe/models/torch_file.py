"""Torch's files: opened so that nothing of them is run, endless or bigger than it looks; written whole or not at all."""

import io
import warnings
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import torch

from realtime_vibe.models.bounded_pickle import check_pickle
from realtime_vibe.models.restricted_pickle import NUMPY_SCALARS
from realtime_vibe.system.file_boundary import open_regular
from realtime_vibe.system.placing import write_atomically

_OLD_PICKLES = 5
"""Before 1.6: a magic number, a version, facts of the machine, the content, and the names of its storages."""


def load_torch(path: Path) -> Any:
    """The content of a file that `torch.save` wrote, on the CPU.

    Call it inside a `file_boundary`: torch raises whatever it meets.

    Raises:
        UnpicklingError: it asks for more than tensors, numbers and containers.
        OSError, ValueError: it cannot be read, or claims more than it holds.
    """
    with open_regular(path) as file:
        if zipfile.is_zipfile(file):
            _check_archive(file)
        else:
            file.seek(0)
            for _ in range(_OLD_PICKLES):
                check_pickle(file)
        file.seek(0)
        allowed = [(reader, name) for name, reader in NUMPY_SCALARS.items()]
        with torch.serialization.safe_globals(allowed), warnings.catch_warnings():  # type: ignore[arg-type]
            warnings.simplefilter("ignore")  # of protocols: what it cannot read it refuses
            return torch.load(file, map_location="cpu", weights_only=True)


def save_torch(path: Path, content: Any) -> None:
    """Writes what `load_torch` reads; a full disk or a power cut leaves the old file.

    Raises:
        OutputError: the disk is full, or the folder is gone or read-only.
    """
    # Through memory: torch's own writer hides what the disk says.
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomically(path, lambda file: file.write(buffer.getbuffer()), overwrite=True)


def _check_archive(file: BinaryIO) -> None:
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            if (
                member.compress_type != zipfile.ZIP_STORED
            ):  # torch stores; only a bomb would shrink so
                raise ValueError("its archive is compressed")
            if member.filename.endswith("/data.pkl"):
                with archive.open(member) as content:
                    check_pickle(content)
