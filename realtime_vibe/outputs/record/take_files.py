"""Makes the files of a take from its rows: one function for live recordings, rescues and conversions."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from realtime_vibe.errors import OutputError
from realtime_vibe.geometry.smpl_skeleton import bone_offsets, joint_positions
from realtime_vibe.outputs.base import check_output_path
from realtime_vibe.outputs.record.bvh_writer import write_bvh
from realtime_vibe.outputs.record.glb_writer import check_glb_library, write_glb
from realtime_vibe.outputs.record.joint_tables import write_csv, write_trc
from realtime_vibe.outputs.record.motion_track import MotionTrack, tracks_of
from realtime_vibe.outputs.record.npz_motion import write_npz
from realtime_vibe.outputs.record.recording_spool import Rows, SpoolFacts
from realtime_vibe.outputs.record.row_resampling import is_uniform, resampled
from realtime_vibe.outputs.record.take_origin import with_origin
from realtime_vibe.outputs.record.take_rows import SkinnedBody, measured_rate_hz
from realtime_vibe.system.frame_rates import STANDARD_RATES_HZ

logger = logging.getLogger(__name__)

MOTION_SUFFIXES = (".npz", ".bvh", ".glb", ".csv", ".trc")
"""The formats a take can be written in."""
_CONSTANT_RATE = frozenset({".bvh", ".trc"})
"""Formats that state one frame rate and no times."""
_WORTH_TELLING_MM = 1.0
_FIT_TOLERANCE_M = 2e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """Everything the files of a take are made of."""

    rows: Rows
    """(N,) of `row_type`."""
    facts: SpoolFacts
    skin: SkinnedBody | None = None
    """The body's mesh; only `.glb` needs it."""


def check_motion_path(path: Path, *, overwrite: bool) -> None:
    """Makes sure that a take can be written to `path`, without touching it.

    Raises:
        OutputError: unknown ending, existing file, unusable folder or missing library.
    """
    check_output_path(path, overwrite=overwrite, suffixes=MOTION_SUFFIXES)
    if path.suffix.lower() == ".glb":
        check_glb_library()


def write_take(path: Path, take: Take, *, overwrite: bool = False) -> tuple[Path, ...]:
    """Writes a take in the format that the path's ending names.

    `.npz` holds everybody; the other formats one person a file: `o.bvh`, `o.person2.bvh` and so on, who was seen
    longest first.

    Args:
        path: the file, or the first person's.
        take: with at least one row.
        overwrite: replace the other people's files if they exist; `path` itself is always replaced.

    Returns:
        The files that were written; none where the format needs a person and there was nobody.

    Raises:
        OutputError: a file cannot be written, or the mesh is missing or of another body.
    """
    suffix = path.suffix.lower()
    rows, rate_hz = _at_constant_rate(take, needed=suffix in _CONSTANT_RATE)
    if suffix == ".npz":
        write_npz(path, rows, take.facts)
        return (path,)
    tracks = tracks_of(rows)
    if not tracks:
        logger.warning("nobody was in view, %s is not written", path)
        return ()
    written = []
    for number, track in enumerate(tracks, start=1):
        own_path = path if number == 1 else path.with_name(f"{path.stem}.person{number}{suffix}")
        if number > 1 and own_path.exists() and not overwrite:
            raise OutputError(f"{own_path} exists: move it away, or replace it with --overwrite")
        _write_track(own_path, track, take, rate_hz)
        written.append(own_path)
    return tuple(written)


def _at_constant_rate(take: Take, *, needed: bool) -> tuple[Rows, float]:
    """The rows as they are to be written, and their frame rate."""
    origin, rate_hz = take.facts.options.origin, take.facts.options.rate_hz
    rows = take.rows if origin is None else with_origin(take.rows, origin, take.skin)
    measured = measured_rate_hz(rows)
    if rate_hz is None and not needed:
        return rows, measured
    if rate_hz is None:
        if is_uniform(rows, measured):
            return rows, measured
        rate_hz = measured if measured in STANDARD_RATES_HZ else max(1.0, round(measured))
    return resampled(rows, rate_hz), rate_hz


def _write_track(path: Path, track: MotionTrack, take: Take, rate_hz: float) -> None:
    options = take.facts.options
    match path.suffix.lower():
        case ".bvh":
            write_bvh(path, track, options, rate_hz=rate_hz)
            if options.bvh_bones == "constant":
                _say_how_far_off(path, track)
        case ".glb":
            write_glb(path, track, _fitting(take.skin, track, path))
        case ".csv":
            write_csv(path, track)
        case ".trc":
            write_trc(path, track, rate_hz=rate_hz)
        case suffix:
            raise OutputError(f"{path}: no format for {suffix}")


def _say_how_far_off(path: Path, track: MotionTrack) -> None:
    """Tells that the shape was still being estimated, where that moved joints by more than a millimetre."""
    bones = np.broadcast_to(bone_offsets(track.rest_joints), track.offsets.shape)
    joints = joint_positions(track.rotmats, bones, track.joints[:, 0])
    off_mm = 1000 * np.linalg.norm(joints - track.joints, axis=-1).max()
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
) -> Mapping[Path, OutputError]:
    """Writes a take in several formats; one that fails does not keep the others from being written.

    Returns:
        The errors by path; empty when everything was written.
    """
    errors = {}
    for path in paths:
        try:
            written = write_take(path, take, overwrite=overwrite)
        except OutputError as error:
            errors[path] = error
            continue
        if len(written) > 1:
            names = ", ".join(file.name for file in written)
            logger.info("%d people, one file each: %s", len(written), names)
    return errors
