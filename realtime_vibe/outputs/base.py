"""What every result sink offers, and the checks that come before a run writes anything."""

import contextlib
import fnmatch
import glob
import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from realtime_vibe.errors import OutputError
from realtime_vibe.packets import FrameResult
from realtime_vibe.system.file_boundary import check_regular, file_boundary
from realtime_vibe.system.folders import cache_folder, settings_folder
from realtime_vibe.system.placing import is_left_empty, remove_leftovers

_RESERVED = "t" * 31
"""With what `tempfile` adds as long as what names get while they are written (`.part`), and of further people and takes."""
_MANIFESTS = ("engine.json", "blazepose.json", "detector.json")
"""A folder with one of these is an engine's, a tracker's or a detector's."""
_PACKAGE = Path(__file__).resolve().parent.parent


class ResultSink(Protocol):
    """Takes the pipeline's results, one frame after the other."""

    def write(self, result: FrameResult) -> None:
        """Takes the result of one frame.

        Raises:
            OutputError: it cannot be kept; what was taken before is.
        """

    def close(self) -> None:
        """Finishes the output; may be called twice.

        Raises:
            OutputError: the output cannot be finished.
        """


def check_output_path(path: Path, *, overwrite: bool, suffixes: tuple[str, ...]) -> None:
    """Makes sure that an output file can be written, without touching it; the ending is one of `suffixes`.

    Temporary files that a killed run left in its folder are removed; a file without a byte is none that exists.

    Raises:
        OutputError: wrong ending, existing file, one of an engine or of this program, a folder that is missing or
            not writable, or a name that is too long or not UTF-8.
    """
    with file_boundary(path, OutputError, "name another file", fault="cannot be written"):
        path.name.encode()  # UTF-8, or an error
        if path.suffix.lower() not in suffixes:
            raise OutputError(f"expected a name that ends in {' or '.join(suffixes)}")
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            check_regular(path)
            if _is_of_program(path.resolve().parent):
                raise OutputError("belongs to an engine or to this program: choose another folder")
        # A link that leads nowhere takes the name as well.
        if not overwrite and os.path.lexists(path) and not is_left_empty(path):
            raise OutputError("exists: choose another name, or replace it with --overwrite")
        if not path.parent.is_dir():
            raise OutputError(f"the folder {path.parent} does not exist, create it first")
        # Permission bits lie for root and on read-only mounts; only making a file tells.
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", suffix=_RESERVED + path.name):
            pass
        remove_leftovers(path.parent)


def check_inputs_stay(outputs: Iterable[Path], inputs: Iterable[str | Path]) -> None:
    """Makes sure that no output replaces what is read, whatever may be overwritten.

    Inputs are files, folders or patterns of images; what is no path counts as none.

    Raises:
        OutputError: an output is one of the inputs, or would be among the images of one.
    """
    sources = [str(path) for path in inputs]
    for output in outputs:
        if any(_is_read(output, each) or is_of_person(Path(each), output) for each in sources):
            raise OutputError(
                f"{output} is the input or would be part of it: choose another name or folder"
            )


def path_of_person(path: Path, number: int) -> Path:
    """The file of one of the people of an output that holds one each; the first, number 1, has its own name."""
    return path if number == 1 else path.with_name(f"{path.stem}.person{number}{path.suffix}")


def is_of_person(path: Path, output: Path) -> bool:
    """Whether a further person of `output` would have the file `path`."""
    name = rf"{re.escape(output.stem)}\.person\d+{re.escape(output.suffix)}"
    is_named_so = re.fullmatch(name, path.name, re.IGNORECASE) is not None
    return is_named_so and path.parent.resolve() == output.parent.resolve()


def _is_of_program(folder: Path) -> bool:
    """Whether runs read what lies in a folder: an engine's, this program's own, its settings or its cache."""
    own = (_PACKAGE, settings_folder(), cache_folder())
    return any((folder / name).exists() for name in _MANIFESTS) or any(
        folder.is_relative_to(each) for each in own
    )


def _is_read(output: Path, source: str) -> bool:
    """Whether a run that reads `source` reads the file, or the next such run would."""
    if os.path.exists(source):  # noqa: PTH110 - never raises
        # A folder is a film of its images.
        place = output.parent if output.suffix.lower() == ".png" else output
        return any(path.exists() and path.samefile(source) for path in {output, place})
    if not glob.has_magic(source) or "://" in source:
        return False
    pattern, name = os.path.abspath(source), os.path.abspath(output)  # noqa: PTH100 - a pattern is no path
    if "**" in pattern:
        return fnmatch.fnmatch(name, pattern.replace("**/", "*"))
    return Path(name).match(pattern)
