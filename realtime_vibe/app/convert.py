"""Turns motion files into each other, and the spool of a recording that was cut off into what it was to become."""

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PureWindowsPath
from tempfile import TemporaryDirectory

from realtime_vibe.app.recorded_body import skinned_body
from realtime_vibe.app.settings import DEFAULT_ENGINE
from realtime_vibe.app.takes import check_names
from realtime_vibe.backends.graph_folder import engine_folder
from realtime_vibe.body.model_file import load_body
from realtime_vibe.errors import BodyModelError, MotionFileError, OutputError
from realtime_vibe.outputs.base import check_inputs_stay, check_output_path
from realtime_vibe.outputs.record.bvh_reader import read_bvh
from realtime_vibe.outputs.record.motion_import import NpzMotion, rows_of_bvh
from realtime_vibe.outputs.record.motion_recorder import damage, kept_in, spool_path
from realtime_vibe.outputs.record.recording_spool import (
    Rows,
    SpoolFacts,
    SpoolWriter,
    TakeOptions,
)
from realtime_vibe.outputs.record.row_blocks import TakeRows
from realtime_vibe.outputs.record.spool_reader import Spool, open_spool, spool_of
from realtime_vibe.outputs.record.take_files import (
    MOTION_SUFFIXES,
    Take,
    hold_everybody,
    write_all,
    write_take,
)
from realtime_vibe.outputs.record.take_rows import SkinnedBody
from realtime_vibe.system.file_boundary import check_regular, file_boundary, reason_of
from realtime_vibe.system.npz_file import open_npz

logger = logging.getLogger(__name__)

_PART = ".part"
_MOST_OUTPUTS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertSettings:
    """How files are converted."""

    options: TakeOptions | None = None
    """How the output is written; None: as the recording was asked to be, else the defaults."""
    body: Path | None = None
    """A body file; None: the one that was recorded, else the default engine's."""
    overwrite: bool = False
    """Replace files that exist."""


def convert(source: Path, target: Path, settings: ConvertSettings) -> tuple[Path, ...]:
    """Writes the motion of a file in another format and returns the files, one per person where it holds one.

    Args:
        source: `.npz` with AMASS's motion, `.bvh` of this program, or a recording's `.part`; it stays.
        target: the ending says the format.

    Raises:
        MotionFileError: the source cannot be read.
        OutputError: the target exists or cannot be written, or needs another body.
        BodyModelError: the body file is missing or damaged.
    """
    check_output_path(target, overwrite=settings.overwrite, suffixes=MOTION_SUFFIXES)
    with file_boundary(source, MotionFileError, f"expected .npz, .bvh or {_PART}"):
        check_regular(source)
    check_inputs_stay([target], [source, *filter(None, [settings.body])])
    with _opened(source, settings, with_mesh=target.suffix.lower() == ".glb") as take:
        if len(take.rows) == 0:
            raise MotionFileError(f"{source} holds no complete row: nothing to convert")
        written = write_take(target, take, overwrite=settings.overwrite)
    if not written:
        raise OutputError(f"{target} is not written: nobody was in view in {source}")
    return written


def recover(
    part: Path, output: Path | None = None, *, settings: ConvertSettings | None = None
) -> tuple[Path, ...]:
    """Makes the outputs of a recording that was cut off; returns those and what was there, newer than the spool.

    The spool is removed once an `.npz` holds everything that is in it and was compared with it; else it is kept.
    `output` is one file to write instead of those that were asked for when it was recorded.

    Raises:
        OutputError: the spool is missing, empty, still being written or recovered, or an output exists.
    """
    settings = settings or ConvertSettings()
    with open_spool(part, alone=True) as spool:
        return _recover(spool, output, settings)


def _recover(spool: Spool, output: Path | None, settings: ConvertSettings) -> tuple[Path, ...]:
    part = spool.path
    if len(spool.rows) == 0:
        what = "a sound row" if spool.num_damaged else "a complete row"
        raise OutputError(f"{part} does not hold {what}: nothing to recover, delete it")
    wanted = (output,) if output is not None else _wanted(part, spool)
    made = () if settings.overwrite or output is not None else _made_already(part, wanted)
    missing = tuple(path for path in wanted if path not in made)
    for path in missing:
        check_output_path(path, overwrite=settings.overwrite, suffixes=MOTION_SUFFIXES)
    with_mesh = any(path.suffix.lower() == ".glb" for path in missing)
    check_names(missing)
    check_inputs_stay(missing, [part, *filter(None, [settings.body])])
    take = _take_of(spool, settings, with_mesh=with_mesh)
    written, errors = write_all(missing, take, overwrite=settings.overwrite)
    if spool.num_damaged:
        logger.warning("%s", damage(spool))
    if errors:
        reasons = "; ".join(str(error) for error in errors)
        raise OutputError(f"{reasons}; {kept_in(part)}")
    if made:
        names = ", ".join(str(path) for path in made)
        logger.warning(
            "%s was complete already, by its date; %s is kept: delete it once you have opened them",
            names,
            part,
        )
    elif spool.num_damaged or take.facts.options.rate_hz or not hold_everybody(written):
        logger.warning("%s is kept: no .npz holds all of it; delete it yourself", part)
    else:
        spool.remove()
    return (*made, *written)


def _wanted(part: Path, spool: Spool) -> tuple[Path, ...]:
    """The files that were asked for; of a spool that was renamed since, beside it by its new name.

    All of them lie in the spool's folder: one from elsewhere must not choose where this program writes.
    """
    names = dict.fromkeys(PureWindowsPath(name).name for name in spool.facts.outputs)
    if len(names) > _MOST_OUTPUTS:
        raise OutputError(f"{part} asks for {len(names)} files: say which with --output OUT.npz")
    outputs = tuple(part.parent / name for name in names if name and name.isprintable())
    for name in set(spool.facts.outputs) - {path.name for path in outputs}:
        logger.warning("%r lies in another folder: it is made beside %s", name, part)
    stem, found, rest = part.name.rpartition(_PART)
    if outputs and (not found or rest or part == spool_path(outputs[0])):
        return outputs
    if not found:
        raise OutputError(f"{part}: expected a name with {_PART}, or say --output OUT.npz")
    own = part.with_name(stem)
    return tuple(own.with_suffix(path.suffix) for path in outputs) or (own,)


def _made_already(part: Path, wanted: tuple[Path, ...]) -> tuple[Path, ...]:
    """Outputs that the run itself finished before it was cut off."""
    if part != spool_path(wanted[0]):
        return ()  # it was moved aside, for another take of the same name
    ended_at = part.stat().st_mtime
    found = [(path, path.stat()) for path in wanted if path.exists()]
    # A date to come is no date of this run's.
    return tuple(
        path for path, stat in found if stat.st_size and ended_at <= stat.st_mtime <= time.time()
    )


@contextmanager
def _opened(source: Path, settings: ConvertSettings, *, with_mesh: bool) -> Iterator[Take]:
    suffix = source.suffix.lower()
    if _PART in source.suffixes[-2:]:
        with open_spool(source) as spool:
            if spool.num_damaged:
                logger.warning("%s", damage(spool))
            yield _take_of(spool, settings, with_mesh=with_mesh)
    elif suffix == ".npz":
        with _take_of_npz(source, settings, with_mesh=with_mesh) as take:
            yield take
    elif suffix == ".bvh":
        with _take_of_bvh(source, settings) as take:
            yield take
    else:
        raise MotionFileError(f"{source}: cannot be read: expected .npz, .bvh or {_PART}")


@contextmanager
def _take_of_bvh(source: Path, settings: ConvertSettings) -> Iterator[Take]:
    motion = read_bvh(source)
    skin = _default_skin(settings)
    with _spooled(source, _facts(settings), rows_of_bvh(motion, skin)) as rows:
        yield Take(rows=rows, facts=_facts(settings), skin=skin)


@contextmanager
def _take_of_npz(source: Path, settings: ConvertSettings, *, with_mesh: bool) -> Iterator[Take]:
    with ExitStack() as opened:
        with open_npz(source, MotionFileError, "expected an .npz of motion") as archive:
            motion = NpzMotion(archive)
            facts = replace(
                _facts(settings), gender=motion.gender, keypoint_names=motion.keypoint_names
            )
            skin = _default_skin(settings) if with_mesh or not motion.is_ours else None
            if not motion.is_ours and settings.body is None:
                logger.warning(
                    "%s is of a body that is not here: its motion goes on the default body in its mean shape; "
                    "name a body file with --body for the recorded shape",
                    source,
                )
            blocks = motion.rows(skin, has_shape=settings.body is not None)
            rows = opened.enter_context(_spooled(source, facts, blocks))
        yield Take(rows=rows, facts=facts, skin=skin)


@contextmanager
def _spooled(source: Path, facts: SpoolFacts, blocks: Iterable[Rows]) -> Iterator[TakeRows]:
    """Rows in a file of their own, so that hours need no more memory than minutes."""
    with ExitStack() as opened:
        with _temporary_files():
            folder = TemporaryDirectory(prefix="realtime-vibe-")
            opened.callback(folder.cleanup)
            writer = SpoolWriter(Path(folder.name) / f"rows{_PART}", facts)
        opened.callback(writer.close)
        if sys.platform != "win32":
            folder.cleanup()  # the open file goes with the process, also where that is killed
        for rows in blocks:
            with _temporary_files():
                writer.append(rows)
        spool = spool_of(writer)
        if spool.num_damaged:
            raise MotionFileError(
                f"{source}: {spool.num_damaged} rows are of places that nobody can be at"
            )
        yield spool.rows


@contextmanager
def _temporary_files() -> Iterator[None]:
    """Says what to do where they find no room."""
    try:
        yield
    except (OSError, OutputError) as error:
        reason = reason_of(error.__cause__ or error)
        raise OutputError(
            f"no room for temporary files ({reason}): name a folder that has some by TMPDIR"
        ) from error


def _take_of(spool: Spool, settings: ConvertSettings, *, with_mesh: bool) -> Take:
    facts = spool.facts
    if settings.options is not None:
        origin = settings.options.origin or facts.options.origin
        facts = replace(facts, options=replace(settings.options, origin=origin))
    skin = _recorded_skin(spool.path, facts, settings) if with_mesh else None
    return Take(rows=spool.rows, facts=facts, skin=skin)


def _recorded_skin(part: Path, facts: SpoolFacts, settings: ConvertSettings) -> SkinnedBody:
    # A network folder that a spool names would be asked, and be told who asks.
    is_remote = PureWindowsPath(facts.body_file).drive.startswith("\\\\")
    if settings.body is not None or not facts.body_file or is_remote:
        return _default_skin(settings)
    try:
        return _skin(Path(facts.body_file))
    except BodyModelError as error:
        logger.warning("%s: %s; the default body is tried", part, error)
        return _default_skin(settings)


def _default_skin(settings: ConvertSettings) -> SkinnedBody:
    return _skin(settings.body or engine_folder(DEFAULT_ENGINE) / "body.npz")


def _skin(file: Path) -> SkinnedBody:
    return skinned_body(load_body(file))


def _facts(settings: ConvertSettings) -> SpoolFacts:
    return SpoolFacts(options=settings.options or TakeOptions())
