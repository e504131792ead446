"""What a set of landmark tracks says about the tracker's errors; see `tracker_errors`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.landmark_errors import (
    BONES,
    FACINGS,
    JOINTS,
    KINDS,
    ErrorFit,
    Series,
    azimuth_deg,
    bone_vectors,
    elevation_deg,
    facing,
    fit_errors,
)
from benchmarks.landmark_tracks import LandmarkTrack

FloatArray = NDArray[np.float64]

ALL = "all"
_BIN_DEG = 10.0
_STEEP_DEG = 60.0
"""Bones that point steeply at the camera have no direction in the image to speak of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visibility:
    """What the tracker said of how well joints of one kind are seen."""

    mean: float
    low: float
    """10th percentile."""
    share_visible: float
    """Above 0.5."""
    visible_error: float
    """Median distance in the image of those above 0.5, % of the person's height."""
    hidden_error: float
    """The same for the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerErrors:
    """All that is measured on one set of tracks."""

    tracks: int
    elevation: dict[str, dict[str, ErrorFit | None]]
    """Facing -> bone -> fit [degrees]."""
    azimuth: dict[str, ErrorFit | None]
    """Bone -> error of the direction within the image plane [degrees]."""
    length: dict[str, ErrorFit | None]
    """Bone -> seen over true length, in % above 100."""
    image: dict[str, ErrorFit | None]
    """Kind of joint -> error of x and y [% of the person's height]."""
    visibility: dict[str, Visibility]
    """Kind of joint."""


def measure(tracks: Sequence[LandmarkTrack], like: Sequence[LandmarkTrack] = ()) -> TrackerErrors:
    """Errors of the world and image landmarks of tracks.

    Args:
        like: weight the elevations of `tracks` to the distribution of these.
    """
    weights = {bone: _bin_weights(tracks, like, bone) for bone in BONES}
    return TrackerErrors(
        tracks=len(tracks),
        elevation={
            chosen: {
                bone: fit_errors(_elevations(tracks, bone, weights[bone], chosen)) for bone in BONES
            }
            for chosen in (ALL, *FACINGS)
        },
        azimuth={bone: fit_errors(_azimuths(tracks, bone), is_offset=True) for bone in BONES},
        length={bone: fit_errors(_lengths(tracks, bone), is_offset=True) for bone in BONES},
        image={kind: fit_errors(_image_errors(tracks, kind), is_offset=True) for kind in KINDS},
        visibility={kind: _visibility(tracks, kind) for kind in KINDS},
    )


def _elevations(
    tracks: Sequence[LandmarkTrack],
    bone: str,
    weigh: Callable[[NDArray[np.intp], FloatArray], FloatArray],
    chosen: str,
) -> list[Series]:
    series = []
    for track in tracks:
        faces = facing(track.truth_m)
        is_chosen = (faces >= 0) if chosen == ALL else faces == FACINGS.index(chosen)
        for ends in BONES[bone]:
            true = elevation_deg(bone_vectors(track.truth_m, ends))
            seen = elevation_deg(bone_vectors(track.seen_m, ends))
            weight = np.where(is_chosen, weigh(faces, true), 0.0)
            true = np.where(is_chosen, true, np.nan)
            series.append(Series(true=true, seen=seen, weight=weight, period_s=track.period_s))
    return series


def _bin_weights(
    tracks: Sequence[LandmarkTrack], like: Sequence[LandmarkTrack], bone: str
) -> Callable[[NDArray[np.intp], FloatArray], FloatArray]:
    """Weights by facing and true elevation; all 1 without anything to be like."""
    if not like:
        return lambda _, true: np.ones_like(true)
    mine, theirs = _histogram(tracks, bone), _histogram(like, bone)
    ratio = np.divide(theirs, mine, out=np.zeros_like(theirs), where=mine > 0)

    def weigh(faces: NDArray[np.intp], true: FloatArray) -> FloatArray:
        return ratio[faces, _bins(true)]

    return weigh


def _histogram(tracks: Sequence[LandmarkTrack], bone: str) -> FloatArray:
    counts = np.zeros((len(FACINGS), int(180 / _BIN_DEG) + 1))
    for track in tracks:
        faces = facing(track.truth_m)
        for ends in BONES[bone]:
            true = elevation_deg(bone_vectors(track.truth_m, ends))
            known = (faces >= 0) & np.isfinite(true)
            np.add.at(counts, (faces[known], _bins(true[known])), 1.0)
    shares: FloatArray = counts / counts.sum()
    return shares


def _bins(true: FloatArray) -> NDArray[np.intp]:
    return ((np.nan_to_num(true) + 90.0) // _BIN_DEG).astype(np.intp)


def _azimuths(tracks: Sequence[LandmarkTrack], bone: str) -> list[Series]:
    series = []
    for track in tracks:
        for ends in BONES[bone]:
            vectors = bone_vectors(track.truth_m, ends)
            true = azimuth_deg(vectors)
            error = azimuth_deg(bone_vectors(track.seen_m, ends)) - true
            error = (error + 180.0) % 360.0 - 180.0
            error[np.abs(elevation_deg(vectors)) > _STEEP_DEG] = np.nan
            series.append(_offsets(error, track))
    return series


def _lengths(tracks: Sequence[LandmarkTrack], bone: str) -> list[Series]:
    return [
        _offsets(
            100.0
            * (
                np.linalg.norm(bone_vectors(track.seen_m, ends), axis=-1)
                / np.linalg.norm(bone_vectors(track.truth_m, ends), axis=-1)
                - 1.0
            ),
            track,
        )
        for track in tracks
        for ends in BONES[bone]
    ]


def _image_errors(tracks: Sequence[LandmarkTrack], kind: str) -> list[Series]:
    return [
        _offsets(track.error_percent[:, joint, axis], track)
        for track in tracks
        for joint in _joints_of(kind)
        for axis in (0, 1)
    ]


def _offsets(error: FloatArray, track: LandmarkTrack) -> Series:
    return Series(
        true=np.zeros_like(error),
        seen=error,
        weight=np.ones_like(error),
        period_s=track.period_s,
    )


def _joints_of(kind: str) -> list[int]:
    return [row for row, name in enumerate(JOINTS) if name.endswith(kind)]


def _visibility(tracks: Sequence[LandmarkTrack], kind: str) -> Visibility:
    rows = _joints_of(kind)
    visibility = np.concatenate([track.visibility[:, rows].ravel() for track in tracks])
    errors = np.concatenate(
        [np.linalg.norm(track.error_percent[:, rows], axis=-1).ravel() for track in tracks]
    )
    known = np.isfinite(visibility)
    return Visibility(
        mean=float(visibility[known].mean()),
        low=float(np.percentile(visibility[known], 10)),
        share_visible=float((visibility[known] > 0.5).mean()),
        visible_error=_median(errors[visibility > 0.5]),
        hidden_error=_median(errors[visibility <= 0.5]),
    )


def _median(values: FloatArray) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else float("nan")
