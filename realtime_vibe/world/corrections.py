"""What is corrected about each person before the body is posed: legs out of view, then the foot lock."""

from dataclasses import dataclass

from realtime_vibe.body.model_file import BodyModel
from realtime_vibe.body.skeleton import SmplSkeleton
from realtime_vibe.packets import FloatArray, SmplParams, TrackedPerson
from realtime_vibe.world.foot_lock import LEVEL_UP, FootLock
from realtime_vibe.world.resting_legs import RestingLegs
from realtime_vibe.world.soles import Soles

_FORGET_S = 10.0


@dataclass(slots=True, kw_only=True)
class _Person:
    legs: RestingLegs
    lock: FootLock
    last_seen_s: float


class BodyCorrections:
    """Corrections of everybody in view: planted feet held where they are, legs out of view in a rest pose."""

    def __init__(self, model: BodyModel, *, foot_lock: bool, rest_legs: bool) -> None:
        self._body = SmplSkeleton(model)
        self._soles = Soles(model)
        self._foot_lock, self._rest_legs = foot_lock, rest_legs
        self._people: dict[int, _Person] = {}
        self._T_world_camera: FloatArray | None = None
        self.up: FloatArray = LEVEL_UP
        """(3,) unit vector away from the floor, camera frame."""

    def correct(
        self,
        person: TrackedPerson,
        params: SmplParams,
        transl: FloatArray,
        image_size: tuple[int, int],
        now_s: float,
    ) -> tuple[SmplParams, FloatArray]:
        """The pose and translation (3,) [m], camera frame, to pose with at `now_s` [s]."""
        state = self._people.get(person.track_id)
        if state is None:
            self._forget_lost(now_s)
            state = _Person(
                legs=RestingLegs(), lock=FootLock(self._body, self._soles), last_seen_s=now_s
            )
            self._people[person.track_id] = state
        state.last_seen_s = now_s
        if self._rest_legs:
            params = state.legs.update(person.landmarks, params, (image_size, now_s), self.up)
        if self._foot_lock:
            if state.legs.share > 0.0 or (self._rest_legs and not state.legs.were_seen):
                # Nobody sees these feet: the lock starts over when they come back.
                state.lock.reset()
            else:
                params, transl = state.lock.update(
                    params, transl, now_s, self._T_world_camera, self.up
                )
        return params, transl

    def stand_on(self, T_world_camera: FloatArray | None) -> None:
        """Sets the world (4, 4), camera to world [m], whose floor is at z = 0; None where it is not known."""
        self._T_world_camera = T_world_camera
        self.reset()

    def start_over(self, track_id: int) -> None:
        """Forgets one person."""
        self._people.pop(track_id, None)

    def reset(self) -> None:
        """Forgets everybody."""
        self._people.clear()

    def _forget_lost(self, now_s: float) -> None:
        for track_id in [
            track_id
            for track_id, state in self._people.items()
            if not 0.0 <= now_s - state.last_seen_s < _FORGET_S
        ]:
            del self._people[track_id]
