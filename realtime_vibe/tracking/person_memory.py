"""Who is who by colours and place: people who come back get their identity back, and nobody else gets it.

Somebody new is a person who was in view at most `FORGET_S` ago

* by the colours of the body, wherever they are seen;
* by the place, in any colours (who squats shows others): where that person was lost inside the picture, nobody
  for a second and nobody else since; at once where there are no colours to compare;
* by both, at most `_BACK_S` ago: colours that may be the person's, as near as the person can have come from where
  nobody else has been.

A landmark network follows the region that it is given. When somebody walks past in front it goes with him, as
sure as before. So each body's colours are compared with those the identity had so far. Other colours that stay are
the first sign of another person; the tracker asks for a second one, as people also turn and bend.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from realtime_vibe.geometry.crop import RotatedSquare
from realtime_vibe.tracking.appearance import Appearance, blended, difference
from realtime_vibe.tracking.base import MAX_GAP_S
from realtime_vibe.tracking.regions import is_near, is_well_inside

FORGET_S = 10.0
"""So long is somebody remembered who is out of view [s]."""
_BACK_S = 3.0
MOST_PEOPLE = 16
_SAME, _OTHER = 8.0, 13.0
"""Colour difference below which two bodies may be of one person, and above which they are not; the same clothes
differ by 2 to 15 within a second, other clothes by 10 to 40."""
_USUAL_TIMES = 2.5
"""Whose colours vary much, as under changing light, is another person only at so much more than usual."""
_LAST_S, _LEARN_S, _USUAL_S = 0.15, 1.0, 2.0
"""Time constants of the colours just now, of an identity's colours, and of their usual difference [s]. Whoever
squats or turns shows other colours little by little; another body in front does so within some frames."""
_TURNED_S = 1.5
"""Other colours without a second sign are the person's own after so long [s]."""
_OTHER_S, _OTHER_FRAMES = 0.2, 3
"""Other colours must be seen for so long, and so often, and be like each other [s]."""


@dataclass(slots=True, kw_only=True)
class _Known:
    looks: Appearance
    """Over seconds."""
    last: Appearance
    """Just now."""
    last_seen_s: float
    region: RotatedSquare | None = None
    """Where the person was last; None once somebody else was there or the camera shows another scene."""
    is_inside: bool = False
    """Whether nobody walks out of the picture from there."""
    usual: float = 0.5 * _SAME
    other: Appearance | None = None
    """Colours of the body that took this one's place, perhaps."""
    other_since_s: float = 0.0
    other_frames: int = 0

    @property
    def same(self) -> float:
        """Largest difference that is this person."""
        return max(_SAME, 1.5 * self.usual)

    def mismatch(self, looks: Appearance, region: RotatedSquare, now_s: float) -> float | None:
        """How little a body looks like this person, less where it is in the same place; None if it is another."""
        off = difference(self.looks, looks)
        gap_s = now_s - self.last_seen_s
        is_there = self.region is not None and is_near(region, self.region, 0.0)
        if is_there and self.is_inside and (gap_s > MAX_GAP_S or off is None):
            return (_OTHER if off is None else off) - _OTHER
        if off is None:
            return None
        is_back = (
            self.region is not None
            and gap_s <= _BACK_S
            and is_near(region, self.region, 0.5 * gap_s)  # out and back
        )
        return off if off < (max(self.same, _OTHER) if is_back else self.same) else None


class PersonMemory:
    """Appearance of everybody in view or seen a while ago."""

    def __init__(self) -> None:
        self._known: dict[int, _Known] = {}

    def is_other(self, track_id: int, looks: Appearance, now_s: float) -> bool:
        """Takes in a frame of a person in view; says whether the colours have been another person's for a while."""
        known = self._known.get(track_id)
        if known is None:
            self._forget(now_s)
            self._known[track_id] = _Known(looks=looks, last=looks, last_seen_s=now_s)
            return False
        dt_s = max(now_s - known.last_seen_s, 0.0)
        known.last_seen_s = now_s
        off = difference(known.last, looks)
        if off is None:
            return False
        if off < max(_OTHER, _USUAL_TIMES * known.usual):
            known.other = None
            known.usual += dt_s / (dt_s + _USUAL_S) * (off - known.usual)
            known.last = blended(known.last, looks, dt_s / (dt_s + _LAST_S))
            known.looks = blended(known.looks, looks, dt_s / (dt_s + _LEARN_S))
            return False
        return self._goes_on(known, looks, off, now_s)

    def is_same(self, track_id: int, looks: Appearance) -> bool:
        """Whether a body can be this person."""
        known = self._known.get(track_id)
        off = None if known is None else difference(known.looks, looks)
        return known is not None and off is not None and off < known.same

    def lose(self, track_id: int) -> None:
        """Keeps what is known of somebody whose place another body took."""
        known = self._known[track_id]
        known.other, known.last, known.region = None, known.looks, None

    def is_certain(self, track_id: int) -> bool:
        """Whether the last frame showed the person as known."""
        known = self._known.get(track_id)
        return known is not None and known.other is None

    def is_rather(self, track_id: int, other_id: int, looks: Appearance) -> bool:
        """Whether a body looks clearly more like one person than like another."""
        pair = self._known.get(track_id), self._known.get(other_id)
        offs = [None if known is None else difference(known.looks, looks) for known in pair]
        return offs[0] is not None and offs[1] is not None and offs[0] + 0.5 * _SAME < offs[1]

    def differs(self, track_id: int, looks: Appearance) -> bool:
        """Whether a body that was found where somebody was lost is clearly another person's, now and over seconds."""
        known = self._known.get(track_id)
        if known is None:
            return False
        offs = [difference(before, looks) for before in (known.looks, known.last)]
        return all(off is not None and off > max(_OTHER, 1.5 * known.usual) for off in offs)

    def recall(
        self, looks: Appearance, region: RotatedSquare, now_s: float, taken: set[int]
    ) -> int | None:
        """Who of the people out of view, whose identity is not taken, this is; None for somebody new."""
        self._forget(now_s)
        best: tuple[float, int] | None = None
        for track_id, known in self._known.items():
            off = None if track_id in taken else known.mismatch(looks, region, now_s)
            if off is not None and (best is None or off < best[0]):
                best = off, track_id
        return None if best is None else best[1]

    def place(self, in_view: Mapping[int, RotatedSquare], width_px: int) -> None:
        """Takes in where everybody who is in view is, in a picture so wide."""
        for track_id, known in self._known.items():
            if track_id in in_view:
                known.region = in_view[track_id]
                known.is_inside = is_well_inside(known.region, width_px)
            elif known.region is not None and any(
                is_near(region, known.region, 0.0) for region in in_view.values()
            ):
                known.region = None

    def leave(self) -> None:
        """Forgets where everybody was, as the camera shows another scene."""
        for known in self._known.values():
            known.region = None

    def reset(self) -> None:
        """Forgets everybody."""
        self._known.clear()

    def _goes_on(self, known: _Known, looks: Appearance, off: float, now_s: float) -> bool:
        """Whether other colours were there before and are the same again."""
        apart = None if known.other is None else difference(known.other, looks)
        if known.other is None or apart is None or apart > 0.5 * off:
            known.other, known.other_since_s, known.other_frames = looks, now_s, 1
            return False
        known.other_frames += 1
        is_other = known.other_frames >= _OTHER_FRAMES and now_s - known.other_since_s >= _OTHER_S
        if now_s - known.other_since_s > _TURNED_S:
            known.other, known.last, known.looks = None, looks, looks
        return is_other

    def _forget(self, now_s: float) -> None:
        old_first = sorted(self._known, key=lambda track_id: self._known[track_id].last_seen_s)
        excess = max(len(old_first) - MOST_PEOPLE, 0)
        for place, track_id in enumerate(old_first):
            is_recent = 0.0 <= now_s - self._known[track_id].last_seen_s <= FORGET_S
            if place < excess or not is_recent:
                del self._known[track_id]
