"""The records of the landmark tracker: who is followed, what is seen of them, what a detector offers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from realtime_vibe.geometry.crop import RotatedSquare
from realtime_vibe.packets import FloatArray, Frame, PoseLandmarks, TrackedPerson
from realtime_vibe.tracking.appearance import Appearance, look_at
from realtime_vibe.tracking.base import DetectedPerson
from realtime_vibe.tracking.glances import Glance
from realtime_vibe.tracking.plausibility import DOUBTFUL, NOBODY, SURE, after_second_look
from realtime_vibe.tracking.regions import is_on

NO_ID = -1
_SAME_BODY = 0.07
"""Landmarks that lie this close, in sides of the region, are of one body: about 15 cm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Where somebody was at some time [s]."""

    region: RotatedSquare
    landmarks: PoseLandmarks
    time_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """Somebody who is followed, lost, or on trial."""

    track_id: int
    """`NO_ID` for a newcomer who was not shown yet."""
    region: RotatedSquare
    last_seen_s: float
    log_odds: float
    """That this is a person, see `plausibility.py`."""
    is_lost: bool = False
    is_covered: bool = False
    """Whether somebody else's body is where this person was."""
    home: Home | None = None
    """Where this person surely was last."""
    looked_s: float = -math.inf
    """When the colours were last compared [s]."""
    jumped_s: float = -math.inf
    """When the body last moved faster than people do [s]."""
    is_large: bool = False
    """Whether a detector that is shown the whole picture can see the person."""
    is_from_part: bool = False
    """Whether the person was found by a look at a part of the picture."""
    trial_left: int = 0
    """Frames in which the person must still be seen before being shown."""

    @property
    def is_shown(self) -> bool:
        """Whether the person has an identity."""
        return self.track_id != NO_ID

    @property
    def is_sure(self) -> bool:
        """Whether the person is shown and no longer in doubt."""
        return self.is_shown and self.log_odds >= SURE

    @property
    def keeps_place(self) -> bool:
        """Whether the place is taken for everybody: somebody far away makes room for who is near."""
        return self.is_sure and (self.is_large or not self.is_from_part)

    @property
    def is_ready(self) -> bool:
        """Whether the person is shown already or can be from now on."""
        return self.is_shown or (self.log_odds >= SURE and not self.trial_left)

    @property
    def rank(self) -> tuple[bool, bool, bool, int]:
        """Of those who are ready the lowest goes where places are short: who was here first stays unless in doubt."""
        is_first = self.is_large or (self.is_shown and not self.is_from_part)
        return is_first, self.is_sure, self.is_shown, -self.track_id

    @property
    def is_over(self) -> bool:
        """Whether there is nobody after all."""
        return self.log_odds < (DOUBTFUL if self.is_shown else NOBODY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """Somebody seen in the present frame."""

    track: Track
    person: TrackedPerson
    landmarks: PoseLandmarks

    def home(self, now_s: float) -> Home:
        """The present place."""
        return Home(region=self.track.region, landmarks=self.landmarks, time_s=now_s)

    def looks(self, frame: Frame) -> Appearance:
        """The colours of the body."""
        return look_at(frame.image_bgr, self.landmarks)

    def confirmed(self, search: "Search") -> Self:
        """After a second look of the detector's; who is sure needs none: it misses real people, too."""
        score = search.take(self.track.region)
        if self.track.is_sure or score is None:
            return self
        is_close = not search.glance.is_whole
        log_odds = after_second_look(self.track.log_odds, score, is_close=is_close)
        return replace(self, track=replace(self.track, log_odds=log_odds))

    @property
    def points_px(self) -> FloatArray:
        """(33, 2)."""
        return self.landmarks.image_px[:, :2]


class Search:
    """What a detector offers in one frame, and how often the landmark network may still be tried."""

    def __init__(self, glance: Glance, tries: int) -> None:
        self.glance = glance
        self.found = [found for found in glance.found if found.region.is_usable]
        self.others: list[DetectedPerson] = []
        """Tried for somebody lost, and another person."""
        self.tries = tries

    def put_back(self) -> None:
        """Offers those who were another person again."""
        self.found += self.others
        self.others = []

    def leave_out(self, found: DetectedPerson) -> None:
        """Takes a detection out that is being tried."""
        self.found = [other for other in self.found if other is not found]

    def take(self, taken: RotatedSquare) -> float | None:
        """Leaves out what lies on somebody who is followed.

        Returns:
            Its best score; 0 for none, None where the detector was not shown the place well enough to find anybody.
        """
        on = [found for found in self.found if is_on(found.region, taken)]
        self.found = [found for found in self.found if not is_on(found.region, taken)]
        nothing = 0.0 if self.glance.shown.shows(taken) else None
        return max((found.score for found in on), default=nothing)


def holder_of(sight: Sight, seen: Sequence[Sight]) -> Sight | None:
    """Who has a sight's body already: regions of neighbours slide together."""
    limit_px = _SAME_BODY * sight.track.region.side_px
    for other in seen:
        off_px = np.linalg.norm(sight.points_px - other.points_px, axis=1)
        if float(np.median(off_px)) < limit_px:
            return other
    return None


def seated(seen: list[Sight], max_people: int) -> list[Sight]:
    """Who keeps a track where more people are seen than there are places."""
    ready = [sight for sight in seen if sight.track.is_ready]
    # Who was here first stays, unless in doubt.
    ready.sort(key=lambda sight: sight.track.rank, reverse=True)
    out = [id(sight) for sight in ready[max_people:]]
    return [sight for sight in seen if id(sight) not in out]


def landmark_box(landmarks: PoseLandmarks) -> FloatArray:
    """(4,) x1, y1, x2, y2 [px] around all 33 landmarks, in view or not."""
    points = landmarks.image_px[:, :2]
    return np.concatenate([points.min(axis=0), points.max(axis=0)]).astype(np.float32)
