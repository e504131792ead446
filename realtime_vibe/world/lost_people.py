"""The last pose of people who went out of view: held for a moment, then fading."""

import math
from typing import NamedTuple

from realtime_vibe.packets import HeldPerson, PersonResult

HOLD_S, FADE_S = 0.5, 0.5
_SPEED_MEMORY_S = 0.15
_NEAREST_M = 0.1
_HALF_WIDTH = 0.2
"""Of somebody, in heights: nearer to the picture's side they are as good as out."""


class _Seen(NamedTuple):
    """When and where somebody was last seen, and how they moved across the picture."""

    person: PersonResult
    at_s: float
    pelvis_px: float
    """Right of the picture's middle. Not of the box: what is seen of who walks out is squeezed into the picture."""
    speed_px_s: float = 0.0

    def after(self, last: "_Seen | None") -> "_Seen":
        """With the speed since the same person was seen before."""
        if last is None or self.at_s <= last.at_s:
            return self
        passed_s = self.at_s - last.at_s
        share = 1.0 - math.exp(-passed_s / _SPEED_MEMORY_S)
        speed_px_s = (self.pelvis_px - last.pelvis_px) / passed_s
        return self._replace(speed_px_s=last.speed_px_s + share * (speed_px_s - last.speed_px_s))

    def has_walked_out(self, now_s: float, width_px: int) -> bool:
        """Whether going on as they did would have taken them out of the picture by now."""
        box = self.person.person.bbox_xyxy
        reach_px = 0.5 * width_px - _HALF_WIDTH * float(box[3] - box[1])
        now_px = self.pelvis_px + self.speed_px_s * (now_s - self.at_s)
        return abs(now_px) > reach_px and now_px * self.speed_px_s > 0


class LostPeople:
    """Remembers everybody for a second after they were last seen."""

    def __init__(self) -> None:
        self._seen: dict[int, _Seen] = {}

    def update(
        self, people: tuple[PersonResult, ...], now_s: float, width_px: int, focal_px: float
    ) -> tuple[HeldPerson, ...]:
        """Who is held in a frame of a width and focal length [px], taken at `now_s` [s], beside the people in view.

        Somebody new takes the places of all who are held: as a rule it is the same person, found
        again under another number. Who walks out at a side is not held: nobody stands there any more.
        """
        in_view = {person.person.track_id: person for person in people}
        if not in_view.keys() <= self._seen.keys():
            self._seen.clear()
        for track_id, person in in_view.items():
            x, _, z = (float(value) for value in person.mesh.joints[0])
            seen = _Seen(person, now_s, focal_px * x / max(z, _NEAREST_M))
            self._seen[track_id] = seen.after(self._seen.get(track_id))
        held = []
        for track_id in self._seen.keys() - in_view.keys():
            seen = self._seen[track_id]
            lost_s = now_s - seen.at_s
            if not 0.0 <= lost_s < HOLD_S + FADE_S or seen.has_walked_out(now_s, width_px):
                del self._seen[track_id]
            else:
                opacity = min(1.0, (HOLD_S + FADE_S - lost_s) / FADE_S)
                held.append(HeldPerson(last=seen.person, opacity=opacity))
        return tuple(held)

    def reset(self) -> None:
        """Forgets everybody."""
        self._seen.clear()
