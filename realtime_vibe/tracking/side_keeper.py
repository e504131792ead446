"""Keeps left and right where a landmark network exchanges them from one frame to the next.

The network judges every frame anew, and for some frames it takes a chest for a back, or one leg for the other:
all landmarks of a side then lie where those of the other side lay a moment ago, which no body does between two
frames of a video. Arms and legs are judged apart, since they are not always exchanged in the same frame. Depths
stay as they are seen: with them reversed, as for a body seen from behind, clips with truth come out worse.

Somebody of whom only the upper half is in view, as who walks in, is given out once two frames agree: a back in the
first frame is often taken for a chest.
"""

from dataclasses import dataclass, replace

import numpy as np

from realtime_vibe.packets import NUM_LANDMARKS, FloatArray, Frame, PoseLandmarks, TrackedPerson
from realtime_vibe.tracking.base import LONGEST_STEP_S, PersonTracker, TrackerAround

_PAIRED = np.arange(7, NUM_LANDMARKS)
_MIRROR = np.concatenate([[0, 4, 5, 6, 1, 2, 3], _PAIRED - 1 + 2 * (_PAIRED % 2)])
"""(33,) the same landmark of the other side: the eyes come in threes, everything below in pairs."""
_PARTS = (slice(0, 23), slice(23, 33))
"""Head, arms and hands; legs and feet."""
_LIMBS = (slice(11, 17), slice(23, 29))
"""The landmarks that judge: shoulders to wrists, hips to ankles."""
_SURE = 0.05
"""One labelling must be nearer to the last frame by this, in longer sides of the body's box; else nothing changes."""
_MOST_TRUST_S = 0.5
"""The network is contradicted for so long at most [s], and no longer than it has agreed: then it was wrong before."""
_KNEES = (25, 26)
"""Below the picture's edge where half a body is in view."""
_MOST_HELD_BACK = 4
"""Frames after which a newcomer is given out though no two of them agree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """How one part of a body is labelled."""

    is_exchanged: bool = False
    trust_s: float = 0.0
    """For how long the labelling may contradict the network [s]: grows while they agree."""

    def after(self, gain: float, dt_s: float) -> "_Part":
        """The labelling of the next frame.

        Args:
            gain: by how much the part is nearer to the last frame when exchanged, in sides of the body's box.
        """
        is_exchanged = gain > 0.0 if abs(gain) > _SURE else self.is_exchanged
        trust_s = self.trust_s + (-dt_s if is_exchanged else dt_s)
        if trust_s < 0.0:
            return _Part()
        return _Part(is_exchanged=is_exchanged, trust_s=min(trust_s, _MOST_TRUST_S))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sides:
    """One person's labelling."""

    points_px: FloatArray
    """(33, 2) of the last frame, as they were given out."""
    parts: tuple[_Part, ...] = (_Part(),) * len(_PARTS)
    held_back: int = 0
    """Frames since this newcomer is seen, and not given out."""

    @property
    def agree(self) -> bool:
        """Whether no part contradicted the frame before."""
        return all(part.trust_s > 0.0 for part in self.parts)


class SideKeeper(TrackerAround):
    """A tracker whose people's landmarks keep their sides."""

    def __init__(self, tracker: PersonTracker) -> None:
        super().__init__(tracker)
        self._sides: dict[int, _Sides] = {}

    def update(self, frame: Frame) -> tuple[TrackedPerson, ...]:
        """Looks at the next frame; see `PersonTracker.update`."""
        people = self.tracker.update(frame)
        height = frame.image_bgr.shape[0]
        kept = tuple(self._kept(person, height) for person in people)
        seen = {person.track_id for person in people}
        self._sides = {track: sides for track, sides in self._sides.items() if track in seen}
        return tuple(person for person in kept if person is not None)

    def reset(self) -> None:
        """Forgets everybody."""
        super().reset()
        self._sides = {}

    def _kept(self, person: TrackedPerson, height_px: int) -> TrackedPerson | None:
        """The person with the sides of the last frame; None where they are not known yet."""
        landmarks = person.landmarks
        if landmarks is None:
            return person
        last = self._sides.get(person.track_id)
        points_px = landmarks.image_px[:, :2]
        if last is None and bool((points_px[list(_KNEES), 1] > height_px).all()):
            self._sides[person.track_id] = _Sides(points_px=points_px, held_back=1)
            return None
        if last is None or not 0.0 < person.dt_s <= LONGEST_STEP_S:
            self._sides[person.track_id] = _Sides(points_px=points_px)
            return person
        kept, sides = _with_sides_of(landmarks, last, person)
        if last.held_back:
            person = replace(person, dt_s=0.0)
            if not sides.agree and last.held_back < _MOST_HELD_BACK:
                sides = replace(sides, held_back=last.held_back + 1)
        self._sides[person.track_id] = sides
        if sides.held_back:
            return None
        return person if kept is landmarks else replace(person, landmarks=kept)


def _with_sides_of(
    landmarks: PoseLandmarks, last: _Sides, person: TrackedPerson
) -> tuple[PoseLandmarks, _Sides]:
    """The landmarks with the parts exchanged that lie where the other side's lay."""
    x1, y1, x2, y2 = person.bbox_xyxy.tolist()
    side_px = max(x2 - x1, y2 - y1, 1.0)
    points_px = landmarks.image_px[:, :2]
    order = np.arange(len(_MIRROR))
    parts: list[_Part] = []
    for part, limbs, before in zip(_PARTS, _LIMBS, last.parts, strict=True):
        same_px = _mean_px(points_px[limbs] - last.points_px[limbs])
        other_px = _mean_px(points_px[_MIRROR[limbs]] - last.points_px[limbs])
        parts.append(before.after((same_px - other_px) / side_px, person.dt_s))
        if parts[-1].is_exchanged:
            order[part] = _MIRROR[part]
    if any(part.is_exchanged for part in parts):
        landmarks = replace(
            landmarks,
            image_px=landmarks.image_px[order],
            world_m=landmarks.world_m[order],
            visibility=landmarks.visibility[order],
        )
    return landmarks, _Sides(points_px=landmarks.image_px[:, :2], parts=tuple(parts))


def _mean_px(ways_px: FloatArray) -> float:
    """Mean length of (L, 2)."""
    return float(np.sqrt(np.square(ways_px).sum(axis=1)).mean())
