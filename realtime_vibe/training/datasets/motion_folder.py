"""All motion under a folder: AMASS `.npz` and CMU `.bvh` files, at any depth."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.errors import DatasetError
from realtime_vibe.training.datasets.amass import UpAxis, is_side_file, load_amass
from realtime_vibe.training.datasets.bvh_retarget import load_bvh
from realtime_vibe.training.datasets.clip import POOL_RATE_HZ, MotionClip
from realtime_vibe.training.datasets.skip_bad import SkippedFile, load_each

logger = logging.getLogger(__name__)

MIN_FRAMES = 18
"""0.3 s: shorter clips are nearly all cross-fade once they are spliced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionFolder:
    """What a folder holds."""

    clips: tuple[MotionClip, ...]
    """In the order of their paths; named by the file without suffix, not always a unique name."""
    skipped: tuple[SkippedFile, ...] = ()
    """Bad files, where they were to be skipped."""
    side_files: tuple[Path, ...] = ()
    """Files that hold a body's shape and no motion, as AMASS has them beside the motions."""
    too_short: tuple[Path, ...] = ()
    """Files with clips of at most `MIN_FRAMES`, left out."""

    @property
    def minutes(self) -> float:
        """Length of all clips together [min]."""
        return sum(len(clip.trans) for clip in self.clips) / POOL_RATE_HZ / 60.0


def load_motion_file(path: Path, *, up_axis: UpAxis = "z") -> MotionClip:
    """Reads one motion by its suffix.

    Args:
        path: an AMASS `.npz` or a `.bvh`.
        up_axis: of the world of `.npz` files; BVH skeletons say it themselves.

    Raises:
        DatasetError: it cannot be read, or has another suffix.
    """
    match path.suffix.lower():
        case ".npz":
            return load_amass(path, up_axis=up_axis)
        case ".bvh":
            return load_bvh(path)
        case suffix:
            raise DatasetError(f"{path}: a '{suffix}' file, expected .npz (AMASS) or .bvh")


def load_motion_folder(
    folder: Path, *, skip_bad: bool = False, up_axis: UpAxis = "z"
) -> MotionFolder:
    """Reads all motion under a folder.

    Args:
        folder: searched at any depth.
        skip_bad: leave bad files out, log and count them; else the first one ends the job.
        up_axis: of the worlds of `.npz` files.

    Raises:
        DatasetError: no such folder, a bad file (the message names it), or no motion at all.
    """
    if not folder.is_dir():
        raise DatasetError(f"no folder {folder}, expected one with AMASS .npz or .bvh files")
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in {".npz", ".bvh"} and path.is_file()
    )
    side_files = tuple(path for path in found if path.suffix == ".npz" and is_side_file(path))
    paths = [path for path in found if path not in set(side_files)]

    loaded, skipped = load_each(
        paths, lambda path: (path, load_motion_file(path, up_axis=up_axis)), skip_bad=skip_bad
    )
    clips = tuple(clip for _, clip in loaded if len(clip.trans) > MIN_FRAMES)
    too_short = tuple(path for path, clip in loaded if len(clip.trans) <= MIN_FRAMES)
    if skipped:
        logger.warning("%s: skipped %d of %d files", folder, len(skipped), len(paths))
    if not clips:
        raise DatasetError(
            f"no motion clips in {folder}: {len(paths)} .npz and .bvh files, {len(skipped)} of them bad, "
            f"{len(too_short)} shorter than 0.3 s; expected AMASS or CMU files"
        )
    _warn_if_lying(folder, clips)
    return MotionFolder(clips=clips, skipped=skipped, side_files=side_files, too_short=too_short)


def mean_up(clips: Sequence[MotionClip]) -> NDArray[np.float64]:
    """(3,) where the tops of the bodies point on average; near (0, 0, 1) for people on their feet."""
    w, x, y, z = np.concatenate([clip.quats[::10, 0] for clip in clips]).astype(np.float64).T
    # The second column of the root's rotation: SMPL's rest pose has y up.
    ups = np.stack([2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)], axis=-1)
    mean: NDArray[np.float64] = ups.mean(axis=0)
    return mean


def _warn_if_lying(folder: Path, clips: Sequence[MotionClip]) -> None:
    """Files do not say which way is up; bodies that mostly lie show that it was another way."""
    up = mean_up(clips)
    if up[2] < np.abs(up[:2]).max():
        logger.warning(
            "%s: the bodies lie on average (up is %s, expected about 0 0 1); if these files have y up, "
            "say so with up_axis='y' (--up y)",
            folder,
            " ".join(f"{value:.2f}" for value in up),
        )
