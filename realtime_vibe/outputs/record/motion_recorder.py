"""Records motion, crash-safe and in flat memory, in any number of formats at once.

Rows go to one spool, `FIRST_OUTPUT.part`; closing makes every output of it, reads them back and removes it. After a
crash the spool is still there and says itself which outputs were wanted.
"""

import logging
import os
import tempfile
from pathlib import Path

from realtime_vibe.errors import OutputError
from realtime_vibe.outputs.base import check_output_path
from realtime_vibe.outputs.record.recording_spool import (
    SpoolFacts,
    SpoolWriter,
    TakeOptions,
    row_type,
)
from realtime_vibe.outputs.record.spool_reader import Spool, is_being_written, open_spool, spool_of
from realtime_vibe.outputs.record.take_files import MOTION_SUFFIXES, Take, write_all
from realtime_vibe.outputs.record.take_rows import ANY_BODY, RecordedBody, rows_of
from realtime_vibe.packets import FrameResult
from realtime_vibe.system.closing import ClosedByWith
from realtime_vibe.system.file_boundary import check_regular, file_boundary
from realtime_vibe.system.placing import move_beside

logger = logging.getLogger(__name__)


class MotionRecorder(ClosedByWith):
    """Writes one take.

    Args:
        paths: the files to make, at least one; the ending says the format.
        overwrite: replace outputs that exist, and move a leftover spool aside.

    Raises:
        OutputError: an output exists, its folder is not writable, or a leftover spool is there.
    """

    def __init__(
        self,
        *paths: Path,
        body: RecordedBody = ANY_BODY,
        options: TakeOptions | None = None,
        overwrite: bool = False,
    ) -> None:
        for path in paths:
            check_output_path(path, overwrite=overwrite, suffixes=MOTION_SUFFIXES)
        self.paths = paths
        self._overwrite = overwrite
        self._body = body
        part = spool_path(paths[0])
        if os.path.lexists(part):
            _clear_leftover(part, move_aside=overwrite)
        facts = SpoolFacts(
            gender=body.gender,
            keypoint_names=body.keypoint_names,
            outputs=tuple(_name_from(part.parent, path) for path in paths),
            body_file=str(body.file.resolve()) if body.file else "",
            options=options or TakeOptions(),
        )
        self._row_type = row_type(facts.keypoint_names)
        self._spool = SpoolWriter(part, facts)
        self._closed = False

    def write(self, result: FrameResult) -> None:
        """Appends one row per person, or one invalid row when nobody is in view.

        Raises:
            OutputError: the disk is full; what was recorded before is kept in the spool.
        """
        self._spool.append(rows_of(result, self._row_type, self._body))

    def close(self) -> None:
        """Makes the outputs; without a single row there are none. May be called twice.

        Raises:
            OutputError: an output cannot be written, or rows are damaged; what can be written is, and the spool is
                kept.
        """
        if self._closed:
            return
        self._closed = True
        try:
            if self._spool.num_rows:
                self._make_outputs()
            else:
                logger.warning("nothing was recorded, %s is not written", _names(self.paths))
                spool_of(self._spool).remove()
        finally:
            self._spool.close()

    def _make_outputs(self) -> None:
        for folder in {path.parent for path in self.paths if not path.parent.is_dir()}:
            _make_again(folder)
        spool = spool_of(self._spool)
        take = Take(rows=spool.rows, facts=spool.facts, skin=self._body.skin)
        written, errors = write_all(self.paths, take, overwrite=self._overwrite)
        if written:
            logger.info("recorded %s", ", ".join(path.name for path in written))
        reasons = [str(error) for error in errors]
        if spool.num_damaged:
            reasons.append(damage(spool))
        if reasons:
            raise OutputError(f"{'; '.join(reasons)}; {kept_in(self._kept(spool))}")
        spool.remove()

    def _kept(self, spool: Spool) -> Path:
        return spool.path if spool.is_in_place() else self._rescued(spool.path)

    def _rescued(self, part: Path) -> Path:
        """Copies a spool whose name is gone, with its folder, to where there is room."""
        try:
            handle, name = tempfile.mkstemp(prefix=f"{part.stem}-", suffix=".part")
            with os.fdopen(handle, "wb") as file:
                self._spool.copy_to(file)
        except OSError as error:
            raise OutputError(
                f"{part} was removed and there is no room for a copy in {tempfile.gettempdir()}: "
                f"{error.strerror or error}"
            ) from error
        return Path(name)


def kept_in(part: Path) -> str:
    """What to say of a spool whose files could not be made, as the end of a message."""
    return f"the motion is kept in {part}: 'realtime-vibe recover {part}' makes the files, with --output one elsewhere"


def spool_path(path: Path) -> Path:
    """The file that holds the rows while `path` is being recorded."""
    return path.with_name(path.name + ".part")


def _name_from(folder: Path, path: Path) -> str:
    """Relative where the file lies in `folder`, so that both can be moved together."""
    return path.name if path.parent == folder else str(path.resolve())


def _names(paths: tuple[Path, ...]) -> str:
    return ", ".join(str(path) for path in paths)


def _make_again(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return  # the outputs in it fail and say so
    logger.warning("the folder %s was removed while recording; it is there again", folder)


def damage(spool: Spool) -> str:
    """What to say of a spool with damaged rows."""
    whole = len(spool.rows) + spool.num_damaged
    return f"{spool.num_damaged} of {whole} rows in {spool.path} are damaged and left out"


def _clear_leftover(part: Path, *, move_aside: bool) -> None:
    advice = "choose another name, or move it away"
    with file_boundary(part, OutputError, advice, fault="is in the way of the recording"):
        check_regular(part)
    if is_being_written(part):
        raise OutputError(f"another run is recording to {part}: choose another name")
    if _is_empty(part):
        part.unlink()
        return
    if not move_aside:
        raise OutputError(
            f"{part} is left from a recording that was cut off: keep its motion with "
            f"'realtime-vibe recover {part}', or delete it"
        )
    try:
        aside = move_beside(part)
    except OSError as error:
        raise OutputError(f"cannot move {part} aside: {error.strerror or error}") from error
    logger.warning("a recording that was cut off is kept as %s", aside)


def _is_empty(part: Path) -> bool:
    """Whether a spool was cut off before its first row."""
    try:
        if part.stat().st_size == 0:
            return True
        with open_spool(part) as spool:
            return len(spool.rows) + spool.num_damaged == 0
    except (OutputError, OSError):
        return False
