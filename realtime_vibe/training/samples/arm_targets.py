"""Places where people hold their hands, and where they are while the body moves.

Lengths in metres, directions of any length; for the left arm, x to the person's left, y up, z forward.
Legend: N frames.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.geometry.smpl_skeleton import REST_JOINTS_M
from realtime_vibe.training.samples.arm_ik import SHOULDER_AT, ArmPose, hand_rotation, reach_m

Array = NDArray[np.float64]
Vector = tuple[float, float, float]
Frame = Literal["chest", "head", "pelvis", "thigh", "gravity"]

PALM_M = 0.09
"""From the wrist to the middle of the palm."""
_FINGERS_M = 0.14
_HANGING_ELBOW_DEG = (148.0, 176.0)
_TRUNK_CENTRE = np.array([0.0, 0.065])
_TRUNK_RADII = np.array([0.19, 0.145])
"""(x, z) of an upright ellipse in the chest's frame that wrists stay out of."""
_CHEST_TOP_Y = -0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class HandTarget:
    """A place for one hand; the numbers are the middle of what is drawn."""

    frame: Frame
    """What the place moves with. `gravity` hangs from the shoulder whichever way the chest leans; its
    `place` is then a direction."""
    place: Vector
    spread: Vector = (0.02, 0.02, 0.02)
    """Standard deviation of the place."""
    fingers: Vector
    palm: Vector
    """Directions in which the fingers point and the palm faces, in the same frame."""
    elbow: Vector = (0.6, -1.0, -0.3)
    """Side to which the elbow goes, in the chest's frame."""
    contact_m: float = 0.0
    """From the wrist, along the fingers, to the point that is to be at `place`."""
    stroke_m: float = 0.0
    """Size of fast small movements while the hand is there: talking, typing, waving."""
    stroke_hz: float = 1.5
    longest_s: float = 6.0


TARGETS: Mapping[str, HandTarget] = {
    "hang": HandTarget(
        frame="gravity", place=(0.16, -1.0, 0.06), spread=(0.07, 0.0, 0.09), fingers=(0.0, -1, 0.12),
        palm=(-1, 0, -0.25), elbow=(0.45, 0.0, -1.0),
    ),
    "chin": HandTarget(
        frame="head", place=(0.02, -0.075, 0.08), fingers=(-0.4, 0.9, -0.1), palm=(-0.2, 0.3, -1),
        contact_m=_FINGERS_M, elbow=(0.5, -1, 0.2),
    ),
    "cheek": HandTarget(
        frame="head", place=(0.075, 0.0, 0.07), fingers=(-0.1, 1, -0.35), palm=(-1, 0.1, -0.3),
        contact_m=PALM_M, elbow=(0.5, -0.8, 0.7),
    ),
    "ear": HandTarget(
        frame="head", place=(0.095, 0.03, 0.02), fingers=(-0.2, 0.9, -0.4), palm=(-1, 0, 0.1),
        contact_m=PALM_M, elbow=(0.5, -0.6, 0.9),
    ),
    "mouth": HandTarget(
        frame="head", place=(0.01, 0.0, 0.125), fingers=(-0.7, 0.7, -0.15), palm=(-0.2, 0, -1),
        contact_m=0.12, elbow=(0.7, -1, 0.2), longest_s=2.0,
    ),
    "glasses": HandTarget(
        frame="head", place=(0.05, 0.055, 0.12), fingers=(-0.6, 0.7, -0.3), palm=(-0.4, 0, -1),
        contact_m=_FINGERS_M, elbow=(0.9, -0.8, 0.1), longest_s=1.5,
    ),
    "hair": HandTarget(
        frame="head", place=(0.05, 0.15, 0.03), spread=(0.03, 0.02, 0.04), fingers=(-0.7, 0.5, -0.5),
        palm=(-0.3, -1, -0.2), contact_m=0.11, elbow=(1, -0.3, 0.3), longest_s=2.0,
    ),
    "behind_head": HandTarget(
        frame="head", place=(0.03, 0.05, -0.12), fingers=(-1, 0.35, -0.1), palm=(-0.1, 0, 1),
        contact_m=0.10, elbow=(0.9, 0.5, 0.5),
    ),
    "hip": HandTarget(
        frame="pelvis", place=(0.20, 0.03, 0.02), fingers=(-0.35, -0.55, 0.8), palm=(-1, -0.2, -0.1),
        contact_m=0.02, elbow=(1, 0, -0.6),
    ),
    "pocket": HandTarget(
        frame="pelvis", place=(0.19, -0.05, 0.03), fingers=(-0.1, -1, 0.3), palm=(-1, 0, 0.1),
        contact_m=0.06, elbow=(0.7, 0, -1),
    ),
    "folded_low": HandTarget(
        frame="chest", place=(-0.10, -0.07, 0.21), fingers=(-1, 0.12, -0.15), palm=(-0.1, -0.2, -1),
        contact_m=0.04, elbow=(0.7, -1, -0.1),
    ),
    "folded_high": HandTarget(
        frame="chest", place=(-0.11, -0.02, 0.25), fingers=(-1, 0.2, -0.25), palm=(-0.1, -0.2, -1),
        contact_m=0.04, elbow=(0.7, -1, 0),
    ),
    "clasp_front": HandTarget(
        frame="chest", place=(0.03, -0.36, 0.22), spread=(0.01, 0.06, 0.03), fingers=(-0.7, -0.6, 0.3),
        palm=(-0.4, -0.1, -1), contact_m=PALM_M, elbow=(0.9, -0.2, -0.6),
    ),
    "clasp_back": HandTarget(
        frame="chest", place=(0.05, -0.34, -0.13), fingers=(-0.8, -0.5, 0.0), palm=(-0.2, 0, -1),
        contact_m=0.05, elbow=(0.8, 0, -0.8),
    ),
    "keyboard": HandTarget(
        frame="chest", place=(0.12, -0.19, 0.29), spread=(0.03, 0.04, 0.03), fingers=(-0.25, -0.05, 1),
        palm=(-0.1, -1, 0), elbow=(0.5, -1, -0.5), stroke_m=0.008, stroke_hz=3.0,
    ),
    "mouse": HandTarget(
        frame="chest", place=(0.26, -0.19, 0.28), spread=(0.04, 0.04, 0.03), fingers=(-0.1, -0.05, 1),
        palm=(-0.1, -1, 0), elbow=(0.6, -1, -0.5), stroke_m=0.012, stroke_hz=0.8,
    ),
    "desk": HandTarget(
        frame="chest", place=(-0.02, -0.20, 0.26), spread=(0.05, 0.05, 0.03), fingers=(-1, -0.05, 0.35),
        palm=(0, -1, 0), elbow=(0.8, -0.9, -0.3),
    ),
    "phone": HandTarget(
        frame="chest", place=(0.07, -0.03, 0.30), spread=(0.05, 0.06, 0.04), fingers=(-0.35, 0.8, 0.3),
        palm=(-0.4, 0.3, -1), elbow=(0.4, -1, -0.1),
    ),
    "lap": HandTarget(
        frame="thigh", place=(0.0, 0.10, 0.12), spread=(0.02, 0.01, 0.04), fingers=(-0.3, -0.1, 1),
        palm=(0, -1, 0), elbow=(0.6, -0.6, -0.6), contact_m=0.04,
    ),
    "talk": HandTarget(
        frame="chest", place=(0.16, -0.17, 0.30), spread=(0.10, 0.10, 0.07), fingers=(-0.4, 0.15, 1),
        palm=(-0.8, 0.3, -0.1), elbow=(0.5, -1, -0.3), stroke_m=0.02, stroke_hz=1.2, longest_s=1.0,
    ),
    "wave": HandTarget(
        frame="chest", place=(0.37, 0.24, 0.24), spread=(0.05, 0.07, 0.05), fingers=(0.1, 1, 0.1),
        palm=(0.1, 0, 1), elbow=(0.6, -1, -0.2), stroke_m=0.03, stroke_hz=1.5, longest_s=3.0,
    ),
    "raised": HandTarget(
        frame="chest", place=(0.27, 0.57, 0.08), spread=(0.10, 0.06, 0.10), fingers=(0.1, 1, 0),
        palm=(-0.3, 0, 1), elbow=(1, 0.1, 0.2), longest_s=2.5,
    ),
    "forward": HandTarget(
        frame="chest", place=(0.15, 0.06, 0.56), spread=(0.14, 0.16, 0.06), fingers=(-0.1, 0.15, 1),
        palm=(-0.6, -0.8, 0.1), elbow=(0.5, -1, 0), longest_s=2.0,
    ),
    "aside": HandTarget(
        frame="chest", place=(0.56, 0.08, 0.20), spread=(0.08, 0.16, 0.12), fingers=(1, 0.1, 0.4),
        palm=(0.1, -0.3, 1), elbow=(0.1, -1, -0.4), longest_s=2.0,
    ),
}  # fmt: skip
"""By name."""


@dataclass(frozen=True, slots=True)
class BodyFrames:
    """What hands are held to, in the chest's frame, as the left arm sees it."""

    origin: Mapping[Frame, Array]
    """(N, 3)."""
    rotmat: Mapping[Frame, Array]
    """(N, 3, 3)."""

    def rows(self, part: slice) -> "BodyFrames":
        """The same for some frames only."""
        return BodyFrames(
            {name: values[part] for name, values in self.origin.items()},
            {name: values[part] for name, values in self.rotmat.items()},
        )


def placed(target: HandTarget, frames: BodyFrames, rng: np.random.Generator) -> ArmPose:
    """One drawing of a target, followed over the frames of a motion."""
    origin, turn = frames.origin[target.frame], frames.rotmat[target.frame]
    fingers, palm, elbow = (
        _tilted(np.array(way), rng) for way in (target.fingers, target.palm, target.elbow)
    )
    place = np.array(target.place) + rng.standard_normal(3) * target.spread
    if target.frame == "gravity":
        place *= reach_m(rng.uniform(*_HANGING_ELBOW_DEG)) / np.linalg.norm(place)
    else:
        place -= target.contact_m * fingers / np.linalg.norm(fingers)
    return ArmPose(
        wrist=outside_trunk(origin + turn @ place),
        elbow_side=np.broadcast_to(elbow, origin.shape),
        hand=turn @ hand_rotation(fingers, palm),
    )


def outside_trunk(wrist: Array) -> Array:
    """Moves wrists (N, 3) that would be inside the trunk to its surface; none at the height of the shoulders."""
    offset = (wrist[:, (0, 2)] - _TRUNK_CENTRE) / _TRUNK_RADII
    depth = np.maximum(np.linalg.norm(offset, axis=-1), 1e-3)
    below = np.clip((_CHEST_TOP_Y + 0.1 - wrist[:, 1]) / 0.1, 0.0, 1.0)
    grow = 1.0 + below * (np.maximum(1.0 / depth, 1.0) - 1.0)
    moved: Array = wrist.copy()
    moved[:, (0, 2)] = _TRUNK_CENTRE + offset * grow[:, None] * _TRUNK_RADII
    return moved


def _tilted(way: Array, rng: np.random.Generator) -> Array:
    """A direction, a little off: some 10 degrees."""
    return way / np.linalg.norm(way) + 0.12 * rng.standard_normal(3)


HEAD_AT: Array = REST_JOINTS_M[15] - REST_JOINTS_M[12]
NECK_AT: Array = REST_JOINTS_M[12] - REST_JOINTS_M[9]
GRAVITY_AT: Array = SHOULDER_AT
"""Offsets of the skeleton that places hang on: head from neck, neck and left shoulder from the chest."""
