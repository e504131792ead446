"""Makes the files of a take from its rows: one function for live recordings, rescues and conversions."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np

from realtime_vibe.errors import OutputError
from realtime_vibe.geometry.smpl_skeleton import bone_offsets, joint_positions
from realtime_vibe.outputs.base import path_of_person
from realtime_vibe.outputs.record.bvh_writer import write_bvh
from realtime_vibe.outputs.record.glb_writer import write_glb
from realtime_vibe.outputs.record.joint_tables import write_csv, write_trc
from realtime_vibe.outputs.record.motion_track import MotionTrack, tracks_of
from realtime_vibe.outputs.record.npz_motion import write_npz
from realtime_vibe.outputs.record.recording_spool import SpoolFacts
from realtime_vibe.outputs.record.row_blocks import TakeRows
from realtime_vibe.outputs.record.row_resampling import is_uniform, left_out_s, resampled
from realtime_vibe.outputs.record.take_origin import with_origin
from realtime_vibe.outputs.record.take_rows import SkinnedBody, measured_rate_hz, people_of
from realtime_vibe.outputs.record.written_files import check_frames, check_npz
from realtime_vibe.system.frame_rates import STANDARD_RATES_HZ
from realtime_vibe.system.placing import write_atomically

logger = logging.getLogger(__name__)

MOTION_SUFFIXES = (".npz", ".bvh", ".glb", ".csv", ".trc")
"""The formats a take can be written in."""
MOST_FILES = 64
"""Of one output with a file a person: each has all frames, and whoever passes by for a day are thousands."""
_CONSTANT_RATE = frozenset({".bvh", ".trc"})
"""Formats that state one frame rate and no times."""
_SLOWEST_HZ, _FASTEST_HZ = 1e-3, 1000.0
"""Of a format that states its rate: with six digits of time, and what readers take."""
_WORTH_TELLING_MM = 1.0
_FIT_TOLERANCE_M = 2e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """Everything the files of a take are made of."""

    rows: TakeRows
    facts: SpoolFacts
    skin: SkinnedBody | None = None
    """The body's mesh; only `.glb` needs it."""


def write_take(path: Path, take: Take, *, overwrite: bool = False) -> tuple[Path, ...]:
    """Writes a take of at least one row in the format that the path's ending names, and reads it back.

    `.npz` holds everybody; the other formats one person a file: `o.bvh`, `o.person2.bvh` and so on, who was seen
    longest first, `MOST_FILES` of them. Without `overwrite` new files are put beside those that are there.

    Returns:
        The files that were written; none where the format needs a person and there was nobody.

    Raises:
        OutputError: a file cannot be written, or the mesh is missing or of another body.
    """
    suffix = path.suffix.lower()
    rows, rate_hz = _at_constant_rate(path, take)
    if not rows.index["valid"].any():
        what = "holds rows without a person only" if suffix == ".npz" else "is not written"
        logger.warning("nobody was found: %s %s", path.name, what)
    if suffix == ".npz":
        written = write_atomically(
            path, partial(write_npz, rows=rows, facts=take.facts), overwrite=overwrite
        )
        check_npz(written, rows, take.facts)
        return (written,)
    people = people_of(rows.index)
    if len(people) > MOST_FILES:
        logger.warning(
            "%s: of %d people the %d who were seen longest get a file; one .npz holds everybody",
            path.name,
            len(people),
            MOST_FILES,
        )
    files = []
    for number, track in enumerate(tracks_of(rows, people[:MOST_FILES]), start=1):
        own_path = path_of_person(path, number)
        fill = _writer(own_path, track, take, rate_hz)
        written = write_atomically(own_path, fill, overwrite=overwrite)
        check_frames(written, len(track.times_s))
        if suffix == ".bvh" and take.facts.options.bvh_bones == "constant":
            _say_how_far_off(written, track)
        files.append(written)
    return tuple(files)


def _at_constant_rate(path: Path, take: Take) -> tuple[TakeRows, float]:
    """The rows as they are to be written, and their frame rate."""
    origin, rate_hz = take.facts.options.origin, take.facts.options.rate_hz
    rows = take.rows if origin is None else with_origin(take.rows, origin, take.skin)
    measured = measured_rate_hz(rows.index)
    is_constant = path.suffix.lower() in _CONSTANT_RATE
    if rate_hz is None:
        if not is_constant:
            return rows, measured
        is_right = measured in STANDARD_RATES_HZ or measured < 1.0
        rate_hz = measured if is_right else round(measured)
    if is_constant and not _SLOWEST_HZ <= rate_hz <= _FASTEST_HZ:
        raise OutputError(
            f"{path}: {rate_hz:g} frames/s is no rate of motion, expected {_SLOWEST_HZ:g} to "
            f"{_FASTEST_HZ:g}: state one with --record-fps"
        )
    if take.facts.options.rate_hz is None and is_uniform(rows.index, measured):
        return rows, measured
    made = resampled(rows, rate_hz)
    left_s = left_out_s(made.index, rate_hz)
    if left_s > 0:
        logger.warning("%s leaves out %.0f s in which no frame came", path.name, left_s)
    return made, rate_hz


def _writer(
    path: Path, track: MotionTrack, take: Take, rate_hz: float
) -> Callable[[IO[bytes]], None]:
    """What fills a file with a track, in the format of the path's ending."""
    match path.suffix.lower():
        case ".bvh":
            return partial(write_bvh, track=track, options=take.facts.options, rate_hz=rate_hz)
        case ".glb":
            skin = _fitting(take.skin, track, path)
            return partial(write_glb, track=track, skin=skin, name=path.stem)
        case ".csv":
            return partial(write_csv, track=track)
        case ".trc":
            return partial(write_trc, track=track, name=path.name, rate_hz=rate_hz)
        case suffix:
            raise OutputError(f"{path}: no format for {suffix}")


def _say_how_far_off(path: Path, track: MotionTrack) -> None:
    """Tells that the shape was still being estimated, where that moved joints by more than a millimetre."""
    off_mm = 0.0
    for block in track.blocks():
        bones = np.broadcast_to(bone_offsets(track.rest_joints), block.offsets.shape)
        joints = joint_positions(block.rotmats, bones, block.joints[:, 0])
        off_mm = max(off_mm, 1000 * np.linalg.norm(joints - block.joints, axis=-1).max())
    if off_mm > _WORTH_TELLING_MM:
        logger.info(
            "%s: bones have constant lengths, joints are up to %.0f mm from the live ones, whose shape was still "
            "being estimated; --bvh-bones live follows it",
            path.name,
            off_mm,
        )


def _fitting(skin: SkinnedBody | None, track: MotionTrack, path: Path) -> SkinnedBody:
    if skin is None:
        raise OutputError(f"{path} needs the mesh of the recorded body: name its file with --body")
    off_m = np.abs(skin.rest_joints(track.betas) - track.rest_joints).max()
    if off_m > _FIT_TOLERANCE_M:
        raise OutputError(
            f"{path}: the joints of the take are {1000 * off_m:.0f} mm from those of this body, expected the "
            "body it was recorded with: name its file with --body"
        )
    return skin


def write_all(
    paths: tuple[Path, ...], take: Take, *, overwrite: bool
) -> tuple[list[Path], list[OutputError]]:
    """Writes a take in several formats; one that fails does not keep the others from being written.

    Returns:
        Files that were written, read back and found complete, and why others were not.
    """
    made: list[Path] = []
    errors: list[OutputError] = []
    for path in paths:
        try:
            written = write_take(path, take, overwrite=overwrite)
        except OutputError as error:
            errors.append(error)
            continue
        except Exception as error:
            # Whatever goes wrong inside one writer, the rows are good and the other formats may be as well.
            logger.debug("writing %s failed", path, exc_info=True)
            errors.append(OutputError(f"cannot write {path}: {type(error).__name__}: {error}"))
            continue
        made += written
        if len(written) > 1:
            names = ", ".join(file.name for file in written)
            logger.info("%d people, one file each: %s", len(written), names)
    if made and not hold_everybody(made) and len(people_of(take.rows.index)) > MOST_FILES:
        errors.append(OutputError("not everybody has a file, and no .npz holds everybody"))
    return made, errors


def hold_everybody(paths: Iterable[Path]) -> bool:
    """Whether one of a take's files holds all people."""
    return any(path.suffix.lower() == ".npz" for path in paths)
