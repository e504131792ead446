"""Which motion clips are kept from training, so that there is something new to test on."""

import zlib
from collections.abc import Sequence
from typing import Literal

from realtime_vibe.errors import DatasetError
from realtime_vibe.training.samples.motion import MotionClip

Part = Literal["train", "test"]
TEST_EVERY = 12


def part_of(name: str) -> Part:
    """The part a clip belongs to; by its name alone, so that more data moves no clip."""
    return "test" if zlib.crc32(name.encode()) % TEST_EVERY == 0 else "train"


def only_part(clips: Sequence[MotionClip], part: Part) -> list[MotionClip]:
    """The clips of one part.

    Raises:
        DatasetError: there is none.
    """
    chosen = [clip for clip in clips if part_of(clip.name) == part]
    if not chosen:
        raise DatasetError(
            f"none of {len(clips)} motion clips is in the part '{part}'; one in {TEST_EVERY} is a "
            "test clip, by its name: give more motion"
        )
    return chosen
