"""Says what motion a folder holds: `python -m realtime_vibe.training.datasets DIR [--skip-bad]`.

Among it how straight the limbs of each source get, and which never do.
"""

import argparse
import logging
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from realtime_vibe.errors import RealtimeVibeError
from realtime_vibe.training.datasets.clip import POOL_RATE_HZ, MotionClip
from realtime_vibe.training.datasets.limb_angles import LIMBS, interior_angle_deg
from realtime_vibe.training.datasets.motion_folder import MotionFolder, load_motion_folder

BENT_DEG = 165.0
"""A network that never saw a limb straighter than this has learnt that nobody stands straight."""
_SOURCE_WIDTH = 20


def straightest_limbs(
    clips: Sequence[MotionClip], sources: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Of each source, named clip by clip: the 99th percentile of each limb's angle [deg], by the keys of `LIMBS`."""
    groups: dict[str, list[MotionClip]] = defaultdict(list)
    for clip, source in zip(clips, sources, strict=True):
        groups[source].append(clip)
    return {
        source: {
            limb: float(
                np.percentile(
                    np.concatenate([interior_angle_deg(clip.quats, hinge) for clip in group]), 99
                )
            )
            for limb, hinge in LIMBS.items()
        }
        for source, group in groups.items()
    }


def bent_limb_warnings(limbs: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Lines: one for each source in which nobody straightens a knee, or an elbow, of either side."""
    lines = []
    for source, angles_deg in limbs.items():
        for article, joint in (("a", "knee"), ("an", "elbow")):
            best = max(angle for limb, angle in angles_deg.items() if limb.endswith(joint))
            if best < BENT_DEG:
                lines.append(
                    f"{source}: nobody straightens {article} {joint} "
                    f"beyond {best:.0f} degrees, expected {BENT_DEG:.0f} or more unless they all sit or "
                    "run; the joint's zero may be wrong"
                )
    return lines


def main(words: Sequence[str] | None = None) -> int:
    """Command line, None the words of the process; returns 0, or 2 after one line about what is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m realtime_vibe.training.datasets",
        description="Reads all motion under a folder and says what was found.",
    )
    parser.add_argument("folder", metavar="DIR", type=Path, help="AMASS .npz and CMU .bvh files")
    parser.add_argument("--skip-bad", action="store_true", help="count bad files instead of ending")
    parser.add_argument(
        "--up", choices=("y", "z"), default="z", help="axis that points up in .npz files (AMASS: z)"
    )
    parser.add_argument(
        "--bvh-repair",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="extend knees and elbows that a BVH conversion left bent",
    )
    given = parser.parse_args(words)
    # The report lists what was skipped; the same as warnings would say it twice.
    logging.basicConfig(
        level=logging.ERROR if given.skip_bad else logging.WARNING, format="%(message)s"
    )
    try:
        found = load_motion_folder(
            given.folder, skip_bad=given.skip_bad, up_axis=given.up, bvh_repair=given.bvh_repair
        )
    except RealtimeVibeError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    limbs = straightest_limbs(found.clips, found.sources)
    sys.stdout.write("\n".join(_report(found, limbs)) + "\n")
    for warning in bent_limb_warnings(limbs):
        sys.stderr.write(f"{warning}\n")
    return 0


def _report(found: MotionFolder, limbs: Mapping[str, Mapping[str, float]]) -> list[str]:
    rates = Counter(clip.recorded_hz for clip in found.clips)
    shown = ", ".join(f"{count} at {rate:g}" for rate, count in sorted(rates.items()))
    genders = Counter(clip.gender for clip in found.clips)
    with_shape = sum(clip.betas is not None and bool(clip.betas.any()) for clip in found.clips)
    minutes: dict[str, float] = defaultdict(float)
    for source, clip in zip(found.sources, found.clips, strict=True):
        minutes[source] += len(clip.trans) / POOL_RATE_HZ / 60.0
    longest = max(found.clips, key=lambda clip: len(clip.trans))
    return [
        f"clips       {len(found.clips)}, {found.minutes:.1f} min",
        f"frames/s    {shown}",
        f"bodies      {', '.join(f'{count} {name}' for name, count in sorted(genders.items()))}; "
        f"{with_shape} with a shape",
        f"longest     {longest.name}, {len(longest.trans) / 60.0:.1f} s",
        f"side files  {len(found.side_files)} (body shapes without motion)",
        f"too short   {len(found.too_short)} (up to 0.3 s)",
        f"skipped     {len(found.skipped)}",
        *(f"  {reason}" for reason in found.skipped),
        *([f"BVH limbs   {len(found.limb_zeros)}"] if found.limb_zeros else []),
        *(f"  {zero}" for zero in found.limb_zeros),
        "straightest 1 % of each limb, degrees (180 is straight):",
        f"{'source':<{_SOURCE_WIDTH}}  minutes" + "".join(f"  {limb:>11}" for limb in LIMBS),
        *(
            f"{source:<{_SOURCE_WIDTH}}  {minutes[source]:7.1f}"
            + "".join(f"  {angles[limb]:11.0f}" for limb in LIMBS)
            for source, angles in limbs.items()
        ),
    ]


if __name__ == "__main__":
    sys.exit(main())
