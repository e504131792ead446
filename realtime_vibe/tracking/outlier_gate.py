"""Rejects limbs that jump away for a frame or two, as no body moves.

A landmark network judges every frame anew; where a picture can be read in two ways, a leg or an arm lies elsewhere for
a single frame. A limb that leaves where it was heading faster than muscles accelerate is given out where it was heading,
for one frame or two: then it is believed, since what was seen before may have been the mistake.

Legend: L = 33 landmarks, D = 2 or 3 coordinates.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.packets import NUM_LANDMARKS, FloatArray, Frame, TrackedPerson
from realtime_vibe.tracking.base import LONGEST_STEP_S, PersonTracker, TrackerAround
from realtime_vibe.tracking.landmark_track import landmark_box

_LIMBS = (
    tuple(range(11)), (11, 12, 23, 24), (13, 15, 17, 19, 21), (14, 16, 18, 20, 22),
    (25, 27, 29, 31), (26, 28, 30, 32),
)  # fmt: skip
"""Head, trunk, arms, legs."""
_LIMB_OF = np.zeros(NUM_LANDMARKS, np.intp)
for _limb, _members in enumerate(_LIMBS):
    _LIMB_OF[list(_members)] = _limb
_SIZES = np.bincount(_LIMB_OF)
_SHARE = 0.3
"""Of a limb's landmarks: so many jump together, or none is held back."""
_IMAGE_SLACK_M, _WORLD_SLACK_M = 0.09, 0.12
"""What the network wavers by from frame to frame, and depths more."""
_ACCELERATION_M_S2 = 120.0
"""What feet and hands reach in kicks and punches."""
_MOST_HELD_S = 0.045
"""Two frames at 60 a second, one at 30."""
_SPEED_MEMORY_S = 0.03
_HEIGHT_M = 1.75
"""Of a body, whose box sets the scale of the image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Motion:
    """Where landmarks were given out last, and how they move."""

    points: FloatArray
    """(L, D)."""
    speed: FloatArray
    """(L, D) [1/s]."""
    held_s: FloatArray
    """(limbs,) for how long each is held back."""

    @classmethod
    def of(cls, points: FloatArray) -> "_Motion":
        """That of landmarks seen for the first time."""
        still = np.zeros_like(points)
        return cls(points=points, speed=still, held_s=np.zeros(len(_LIMBS), np.float32))

    def after(self, seen: FloatArray, dt_s: float, slack: float, unit: float) -> "_Motion":
        """The next frame's.

        Args:
            seen: (L, D).
            dt_s: since the last frame.
            slack: [m].
            unit: of the coordinates in a metre.
        """
        expected = self.points + self.speed * np.float32(dt_s)
        limit = (slack + _ACCELERATION_M_S2 * dt_s**2) * unit
        is_far = np.square(seen - expected).sum(axis=1) > limit**2
        jumps = np.bincount(_LIMB_OF, is_far) >= _SHARE * _SIZES
        is_held = jumps & (self.held_s + dt_s <= _MOST_HELD_S)
        held_back: NDArray[np.bool_] = is_held[_LIMB_OF]
        points = np.where(held_back[:, None], expected, seen)
        keep = np.float32(np.exp(-dt_s / _SPEED_MEMORY_S))
        speed = keep * self.speed + (1 - keep) * (points - self.points) / np.float32(dt_s)
        # Believed after all: the way there was no movement.
        speed[is_far & ~held_back] = 0.0
        speed[held_back] = self.speed[held_back]
        return _Motion(
            points=points,
            speed=speed,
            held_s=np.where(is_held, self.held_s + dt_s, 0.0).astype(np.float32),
        )


class OutlierGate(TrackerAround):
    """A tracker whose people's limbs jump nowhere."""

    def __init__(self, tracker: PersonTracker) -> None:
        super().__init__(tracker)
        self._motions: dict[int, tuple[_Motion, _Motion]] = {}
        """In the image [px] and in the world [m]."""

    def update(self, frame: Frame) -> tuple[TrackedPerson, ...]:
        """Looks at the next frame; see `PersonTracker.update`."""
        people = self.tracker.update(frame)
        last, self._motions = ({} if self.saw_cut else self._motions), {}
        return tuple(self._passed(person, last.get(person.track_id)) for person in people)

    def reset(self) -> None:
        """Forgets everybody."""
        super().reset()
        self._motions = {}

    def _passed(self, person: TrackedPerson, last: tuple[_Motion, _Motion] | None) -> TrackedPerson:
        seen = person.landmarks
        if seen is None:
            return person
        points_px = seen.image_px[:, :2]
        if last is None or not 0.0 < person.dt_s <= LONGEST_STEP_S:
            self._motions[person.track_id] = _Motion.of(points_px), _Motion.of(seen.world_m)
            return person
        x1, y1, x2, y2 = person.bbox_xyxy.tolist()
        unit_px = max(x2 - x1, y2 - y1, 1.0) / _HEIGHT_M
        image = last[0].after(points_px, person.dt_s, _IMAGE_SLACK_M, unit_px)
        world = last[1].after(seen.world_m, person.dt_s, _WORLD_SLACK_M, 1.0)
        self._motions[person.track_id] = image, world
        if not (image.held_s.any() or world.held_s.any()):
            return person
        image_px = np.concatenate([image.points, seen.image_px[:, 2:]], axis=1)
        held = replace(seen, image_px=image_px, world_m=world.points)
        return replace(person, landmarks=held, bbox_xyxy=landmark_box(held))
