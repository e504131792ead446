"""The one person whom the user chose to be followed by avatars."""

from realtime_vibe.packets import FrameResult, PersonResult


def left_to_right(result: FrameResult, *, mirror: bool = False) -> tuple[PersonResult, ...]:
    """People in view in the order of their numbers, which count from the left of the (mirrored) picture."""
    return tuple(
        sorted(
            result.people,
            key=lambda person: float(person.person.bbox_xyxy[[0, 2]].sum()),
            reverse=mirror,
        )
    )


class PersonLock:
    """Remembers who was chosen, by track; changed by one thread, `track_id` read by any.

    It is given up when somebody is out of view for longer than `grace_s` [s].
    """

    def __init__(self, *, max_people: int, grace_s: float) -> None:
        self._max_people = max_people
        self._grace_s = grace_s
        self.track_id: int | None = None
        """The chosen person's track; None while nobody is chosen."""
        self._seen_s = 0.0

    def choose(self, number: int, result: FrameResult | None, *, mirror: bool = False) -> str:
        """Locks onto the n-th person (from 1) from the left as shown; says what happened, for the HUD."""
        if self._max_people == 1:
            return "one person is followed: --max-people 2 or more lets you choose"
        people = () if result is None else left_to_right(result, mirror=mirror)
        if result is None or not people:
            return "nobody in view to follow"
        if number > len(people):
            return f"there is no person {number}: {len(people)} in view"
        self._seen_s = result.frame.captured_at_s
        self.track_id = people[number - 1].person.track_id
        return f"following person {number} (0 releases)"

    def release(self) -> str:
        """Gives the lock up; says what happened, for the HUD."""
        if self._max_people == 1:
            return "one person is followed: there is nobody to release"
        if self.track_id is None:
            return "nobody is locked (1-9 choose from the left)"
        self.track_id = None
        return "person released"

    def update(self, result: FrameResult) -> str:
        """What to say in the HUD: empty unless the person is gone and the lock has just been given up."""
        if self.track_id is None:
            return ""
        now_s = result.frame.captured_at_s
        if any(person.person.track_id == self.track_id for person in result.people):
            self._seen_s = now_s
        # A clip that starts over goes back in time: whoever is missing then has gone for good, too.
        elif not 0.0 <= now_s - self._seen_s <= self._grace_s:
            self.track_id = None
            return "the person followed is gone: released"
        return ""
