"""All motion under a folder: AMASS `.npz` and CMU `.bvh` files, at any depth."""

import logging
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.errors import DatasetError
from realtime_vibe.training.datasets.amass import UpAxis, is_side_file, load_amass
from realtime_vibe.training.datasets.bvh_retarget import load_bvh
from realtime_vibe.training.datasets.clip import POOL_RATE_HZ, MotionClip
from realtime_vibe.training.datasets.limb_zeros import LimbZero, limb_zeros, with_zeros
from realtime_vibe.training.datasets.skip_bad import load_each

logger = logging.getLogger(__name__)

MIN_FRAMES = 18
"""0.3 s: shorter clips are nearly all cross-fade once they are spliced."""
_CMU_NAME = re.compile(r"(\d+)_\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionFolder:
    """What a folder holds."""

    clips: tuple[MotionClip, ...]
    """In the order of their paths; named by the file without suffix, not always a unique name."""
    sources: tuple[str, ...] = ()
    """Of each clip: who or where it was recorded, as `source_of` reads it."""
    limb_zeros: tuple[LimbZero, ...] = ()
    """What was found about the limbs of each skeleton of BVH files, and what was done."""
    skipped: tuple[str, ...] = ()
    """What was wrong with each bad file, where they were to be skipped; names the file."""
    side_files: tuple[Path, ...] = ()
    """Files that hold a body's shape and no motion, as AMASS has them beside the motions."""
    too_short: tuple[Path, ...] = ()
    """Files with clips of at most `MIN_FRAMES`, left out."""

    @property
    def minutes(self) -> float:
        """Length of all clips together [min]."""
        return sum(len(clip.trans) for clip in self.clips) / POOL_RATE_HZ / 60.0


def load_motion_file(path: Path, *, up_axis: UpAxis = "z") -> MotionClip:
    """Reads one motion by its suffix: an AMASS `.npz` whose up axis is given, or a `.bvh`, which says it itself.

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
    folder: Path, *, skip_bad: bool = False, up_axis: UpAxis = "z", bvh_repair: bool = True
) -> MotionFolder:
    """Reads all motion under a folder, at any depth.

    Limbs of BVH files that their conversion left bent are extended, all clips of a source alike
    (`limb_zeros`); each extension is logged. `bvh_repair` False leaves them as they are. `skip_bad` leaves bad files
    out, logs and counts them; else the first one ends the job.

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
    kept = [(path, clip) for path, clip in loaded if len(clip.trans) > MIN_FRAMES]
    clips = tuple(clip for _, clip in kept)
    sources = tuple(source_of(path, folder) for path, _ in kept)
    too_short = tuple(path for path, clip in loaded if len(clip.trans) <= MIN_FRAMES)
    if skipped:
        logger.warning("%s: skipped %d of %d files", folder, len(skipped), len(paths))
    if not clips:
        raise DatasetError(
            f"no motion clips in {folder}: {len(paths)} .npz and .bvh files, {len(skipped)} of them bad, "
            f"{len(too_short)} shorter than 0.3 s; expected AMASS or CMU files"
        )
    zeros: tuple[LimbZero, ...] = ()
    if bvh_repair:
        is_bvh = [path.suffix.lower() == ".bvh" for path, _ in kept]
        clips, zeros = _repaired(clips, sources, is_bvh)
    _warn_if_lying(folder, clips)
    return MotionFolder(
        clips=clips,
        sources=sources,
        limb_zeros=zeros,
        skipped=skipped,
        side_files=side_files,
        too_short=too_short,
    )


def source_of(path: Path, folder: Path) -> str:
    """Who or where a file was recorded, by its name: clips of one source share a skeleton.

    The subject of a CMU name (`13_11` is the 11th motion of 13), else the folder below `folder`, else the
    first two words of the name (`cmu_13` of `cmu_13_11`, `syn_sit` of `syn_sit_004`).
    """
    if cmu := _CMU_NAME.match(path.stem):
        return cmu[1]
    if path.parent != folder:
        return str(path.parent.relative_to(folder))
    words = path.stem.split("_")
    return "_".join(words[:2]) if len(words) > 2 else words[0]


def _repaired(
    clips: Sequence[MotionClip], sources: Sequence[str], is_bvh: Sequence[bool]
) -> tuple[tuple[MotionClip, ...], tuple[LimbZero, ...]]:
    """The clips with the BVH files' limbs extended, and what was found about each skeleton."""
    skeletons: dict[str, list[int]] = defaultdict(list)
    for row, (source, from_bvh) in enumerate(zip(sources, is_bvh, strict=True)):
        if from_bvh:
            skeletons[source].append(row)
    result = list(clips)
    found: list[LimbZero] = []
    for name, rows in skeletons.items():
        zeros = limb_zeros(name, [clips[row] for row in rows])
        for zero in zeros:
            if zero.extension_deg:
                logger.info("%s", zero)
        for row in rows:
            result[row] = with_zeros(clips[row], zeros)
        found += zeros
    return tuple(result), tuple(found)


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
