"""Records motion, crash-safe and in flat memory, in any number of formats at once.

Rows go to one spool, `FIRST_OUTPUT.part`; closing makes every output of it and removes it. After a crash the spool
is still there and says itself which outputs were wanted.
"""

import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from realtime_vibe.errors import OutputError
from realtime_vibe.outputs.record.recording_spool import (
    SpoolFacts,
    SpoolWriter,
    TakeOptions,
    is_being_written,
    row_type,
)
from realtime_vibe.outputs.record.take_files import Take, check_motion_path, write_all
from realtime_vibe.outputs.record.take_rows import ANY_BODY, WORLD_CAMERA, RecordedBody, rows_of
from realtime_vibe.packets import FloatArray, FrameResult
from realtime_vibe.system.closing import ClosedByWith

logger = logging.getLogger(__name__)


class MotionRecorder(ClosedByWith):
    """Writes one take.

    Args:
        paths: the files to make, at least one; the ending says the format.
        body: the body whose motion is recorded.
        options: how the formats are written.
        overwrite: replace outputs that exist, and move a leftover spool aside.
        world_camera: asked at every frame for the (3, 4) from the camera's frame to the Z-up world.

    Raises:
        OutputError: an output exists, its folder is not writable, or a leftover spool is there.
    """

    def __init__(
        self,
        *paths: Path,
        body: RecordedBody = ANY_BODY,
        options: TakeOptions | None = None,
        overwrite: bool = False,
        world_camera: Callable[[], FloatArray] = lambda: WORLD_CAMERA,
    ) -> None:
        for path in paths:
            check_motion_path(path, overwrite=overwrite)
        self.paths = paths
        self._overwrite = overwrite
        self._body = body
        self._world_camera = world_camera
        part = spool_path(paths[0])
        if part.exists():
            _clear_leftover(part, move_aside=overwrite)
        facts = SpoolFacts(
            gender=body.gender,
            keypoint_names=body.keypoints.names if body.keypoints else (),
            outputs=tuple(_name_from(part.parent, path) for path in paths),
            body_file=str(body.file.resolve()) if body.file else "",
            options=options or TakeOptions(),
        )
        self._row_type = row_type(facts.keypoint_names)
        self._spool = SpoolWriter(part, facts)
        self._closed = False

    @property
    def num_rows(self) -> int:
        """Rows written so far."""
        return self._spool.num_rows

    def write(self, result: FrameResult) -> None:
        """Appends one row per person, or one invalid row when nobody is in view.

        Raises:
            OutputError: the disk is full; what was recorded before is kept in the spool.
        """
        keypoints, world = self._body.keypoints, self._world_camera()
        self._spool.append(rows_of(result, self._row_type, keypoints, world))

    def close(self) -> None:
        """Makes the outputs; without a single row there are none. May be called twice.

        Raises:
            OutputError: an output cannot be written; the others are, and the spool is kept.
        """
        if self._closed:
            return
        self._closed = True
        part = self._spool.path
        try:
            if self._spool.num_rows:
                self._make_outputs(part)
            else:
                logger.warning("nothing was recorded, %s is not written", _names(self.paths))
        finally:
            self._spool.close()
        part.unlink(missing_ok=True)

    def _make_outputs(self, part: Path) -> None:
        for folder in {path.parent for path in self.paths if not path.parent.is_dir()}:
            _make_again(folder)
        spool = self._spool.read()
        take = Take(rows=spool.rows, facts=spool.facts, skin=self._body.skin)
        errors = write_all(self.paths, take, overwrite=self._overwrite)
        if errors:
            kept = part if part.exists() else self._rescued(part)
            reasons = "; ".join(str(error) for error in errors.values())
            raise OutputError(f"{reasons}; the motion is kept in {kept}")

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


def _clear_leftover(part: Path, *, move_aside: bool) -> None:
    if is_being_written(part):
        raise OutputError(f"another run is recording to {part}: choose another name")
    if not move_aside:
        raise OutputError(
            f"{part} is left from a recording that was cut off: keep its motion with "
            f"'realtime-vibe recover {part}', or delete it"
        )
    number = 1
    while (aside := part.with_name(f"{part.name}.{number}")).exists():
        number += 1
    part.rename(aside)
    logger.warning("a recording that was cut off is kept as %s", aside)
