"""How straight the limbs of each source of motion get, as a table, and which never do."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from realtime_vibe.training.datasets.clip import POOL_RATE_HZ, MotionClip
from realtime_vibe.training.datasets.limb_angles import LIMBS, interior_angle_deg

BENT_DEG = 165.0
"""A network that never saw a limb straighter than this has learnt that nobody stands straight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StraightestLimbs:
    """One source of motion."""

    source: str
    minutes: float
    angles_deg: Mapping[str, float]
    """99th percentile of the interior angle, by the keys of `LIMBS`; 180 is straight."""


def straightest_limbs(
    clips: Sequence[MotionClip], sources: Sequence[str]
) -> tuple[StraightestLimbs, ...]:
    """Measures each source, named clip by clip."""
    groups: dict[str, list[MotionClip]] = defaultdict(list)
    for clip, source in zip(clips, sources, strict=True):
        groups[source].append(clip)
    return tuple(
        StraightestLimbs(
            source=source,
            minutes=sum(len(clip.trans) for clip in group) / POOL_RATE_HZ / 60.0,
            angles_deg={
                limb: float(
                    np.percentile(
                        np.concatenate([interior_angle_deg(clip.quats, hinge) for clip in group]),
                        99,
                    )
                )
                for limb, hinge in LIMBS.items()
            },
        )
        for source, group in groups.items()
    )


def limb_table(limbs: Sequence[StraightestLimbs]) -> list[str]:
    """Lines: one source each."""
    width = max(len("source"), *(len(each.source) for each in limbs))
    head = "  ".join(f"{limb:>11}" for limb in LIMBS)
    rows = [
        f"{each.source:<{width}}  {each.minutes:7.1f}  "
        + "  ".join(f"{each.angles_deg[limb]:11.0f}" for limb in LIMBS)
        for each in limbs
    ]
    return [
        "straightest 1 % of each limb, degrees (180 is straight):",
        f"{'source':<{width}}  minutes  {head}",
        *rows,
    ]


def bent_limb_warnings(limbs: Sequence[StraightestLimbs]) -> list[str]:
    """Lines: one for each source in which nobody straightens a knee, or an elbow, of either side."""
    lines = []
    for each in limbs:
        for article, joint in (("a", "knee"), ("an", "elbow")):
            best = max(angle for limb, angle in each.angles_deg.items() if limb.endswith(joint))
            if best < BENT_DEG:
                lines.append(
                    f"{each.source}: nobody straightens {article} {joint} "
                    f"beyond {best:.0f} degrees, expected {BENT_DEG:.0f} or more unless they all sit or "
                    "run; the joint's zero may be wrong"
                )
    return lines
