"""The last pose of people who went out of view: held for a moment, then fading."""

from realtime_vibe.packets import HeldPerson, PersonResult

HOLD_S, FADE_S = 0.5, 0.5


class LostPeople:
    """Remembers everybody for a second after they were last seen."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[PersonResult, float]] = {}

    def update(self, people: tuple[PersonResult, ...], now_s: float) -> tuple[HeldPerson, ...]:
        """Who is held in this frame, taken at `now_s` [s], beside the people in view.

        Somebody new takes the places of all who are held: as a rule it is the same person, found
        again under another number.
        """
        if any(person.person.track_id not in self._seen for person in people):
            self._seen.clear()
        for person in people:
            self._seen[person.person.track_id] = (person, now_s)
        held = []
        in_view = {person.person.track_id for person in people}
        for track_id, (person, seen_s) in list(self._seen.items()):
            lost_s = now_s - seen_s
            if not 0.0 <= lost_s < HOLD_S + FADE_S:
                del self._seen[track_id]
            elif track_id not in in_view:
                share = min(1.0, (HOLD_S + FADE_S - lost_s) / FADE_S)
                held.append(HeldPerson(last=person, opacity=share))
        return tuple(held)

    def reset(self) -> None:
        """Forgets everybody."""
        self._seen.clear()
