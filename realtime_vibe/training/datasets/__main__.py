"""Says what motion a folder holds: `python -m realtime_vibe.training.datasets DIR [--skip-bad]`."""

import argparse
import logging
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from realtime_vibe.errors import RealtimeVibeError
from realtime_vibe.training.datasets.limb_report import (
    bent_limb_warnings,
    limb_table,
    straightest_limbs,
)
from realtime_vibe.training.datasets.motion_folder import MotionFolder, load_motion_folder


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
    sys.stdout.write("\n".join([*_report(found), *limb_table(limbs)]) + "\n")
    for warning in bent_limb_warnings(limbs):
        sys.stderr.write(f"{warning}\n")
    return 0


def _report(found: MotionFolder) -> list[str]:
    rates = Counter(clip.recorded_hz for clip in found.clips)
    shown = ", ".join(f"{count} at {rate:g}" for rate, count in sorted(rates.items()))
    genders = Counter(clip.gender for clip in found.clips)
    with_shape = sum(clip.betas is not None and bool(clip.betas.any()) for clip in found.clips)
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
        *(f"  {skipped.reason}" for skipped in found.skipped),
        *([f"BVH limbs   {len(found.limb_zeros)}"] if found.limb_zeros else []),
        *(f"  {zero}" for zero in found.limb_zeros),
    ]


if __name__ == "__main__":
    sys.exit(main())
