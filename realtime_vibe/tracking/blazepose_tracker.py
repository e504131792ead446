"""Follows people with BlazePose: detect once, then look where the last landmarks were.

The landmark network runs once a frame for everybody who is followed, the detector only while it may
find somebody new or somebody is in doubt. Nobody exists before detector and frames are sure of it
together (`plausibility.py`). Landmarks come out unfiltered: the temporal network is trained on the raw stream,
and a filter would add delay.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from realtime_vibe.backends.base import InferenceSession
from realtime_vibe.geometry.crop import RotatedSquare
from realtime_vibe.packets import FloatArray, Frame, PoseLandmarks, TrackedPerson
from realtime_vibe.system.closing import ClosedByWith
from realtime_vibe.tracking.base import (
    MAX_GAP_S,
    NEWCOMER_WAIT_S,
    DetectedPerson,
    PersonDetector,
)
from realtime_vibe.tracking.blazepose_landmarks import BlazePoseLandmarks, RegionPose
from realtime_vibe.tracking.choices import DETECT_EVERY
from realtime_vibe.tracking.plausibility import (
    DOUBTFUL,
    NOBODY,
    SURE,
    after_frame,
    after_second_look,
    first_log_odds,
    frame_log_odds,
)
from realtime_vibe.tracking.regions import is_near, is_on, steadied

_FOLLOW_RATIO = 0.6
"""A followed person is let go at this share of `min_presence`: no flicker at the threshold."""
_SPARE_TRIES = 3
"""Detections beyond the number of people that the landmark network is tried on in one frame."""
_DOUBT_FACTOR = 5
"""While somebody is lost or in doubt the detector looks so many times more often."""
_TRIAL_FRAMES = 3
"""Newcomers beside others are shown after so many frames: half a body often passes for a small one,
but not for long."""
_NO_ID = -1
_LOOKS = 2
"""Runs of the landmark network at a newcomer whose first landmarks are not a body's."""
_SAME_BODY = 0.07
"""Landmarks that lie this close, in sides of the region, are of one body: about 15 cm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Track:
    track_id: int
    """`_NO_ID` for a newcomer who was not shown yet."""
    region: RotatedSquare
    last_seen_s: float
    log_odds: float
    """That this is a person, see `plausibility.py`."""
    is_lost: bool = False
    trial_left: int = 0
    """Frames in which the person must still be seen before being shown."""

    @property
    def is_shown(self) -> bool:
        return self.track_id != _NO_ID

    @property
    def is_sure(self) -> bool:
        """Whether the person is shown and keeps a place."""
        return self.is_shown and self.log_odds >= SURE

    @property
    def is_over(self) -> bool:
        """Whether there is nobody after all."""
        return self.log_odds < (DOUBTFUL if self.is_shown else NOBODY)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sight:
    """Somebody seen in the present frame."""

    track: _Track
    person: TrackedPerson
    points_px: FloatArray
    """(33, 2)."""


class _Search:
    """What a detector offers in one frame, and how often the landmark network may still be tried."""

    def __init__(self, detections: Sequence[DetectedPerson], tries: int) -> None:
        self.found = [found for found in detections if found.region.is_usable]
        self.tries = tries

    def take(self, taken: RotatedSquare) -> float:
        """Leaves out what lies on somebody who is followed; gives its best score, 0 for none."""
        on = [found for found in self.found if is_on(found.region, taken)]
        self.found = [found for found in self.found if not is_on(found.region, taken)]
        return max((found.score for found in on), default=0.0)


class BlazePoseTracker(ClosedByWith):
    """Tracks the people seen before and, where there is a place, the largest others.

    Args:
        detector: finds newcomers and people who were lost; closed with the tracker.
        landmarks: the exported landmark network; closed with the tracker.
        max_people: how many are followed at most.
        detect_every: while there is a free place, frames between two looks for newcomers. When
            nobody is followed every frame is looked at.
        min_presence: the landmark network must be this sure to start a track.
    """

    def __init__(
        self,
        detector: PersonDetector,
        landmarks: InferenceSession,
        *,
        max_people: int = 1,
        detect_every: int = DETECT_EVERY,
        min_presence: float = 0.5,
    ) -> None:
        self._detector = detector
        self._landmarks = BlazePoseLandmarks(landmarks)
        self._max_people = max_people
        self._detect_every = detect_every
        self._min_presence = min_presence
        self._tracks: list[_Track] = []
        self._next_id = 0
        self._frames_since_search = 0

    def update(self, frame: Frame) -> tuple[TrackedPerson, ...]:
        """Looks at the next frame; people come in the order of their first sight.

        See `PersonTracker.update`.
        """
        seen: list[_Sight] = []
        lost: list[_Track] = []
        for track in self._valid_tracks(frame.captured_at_s):
            pose = self._follow(frame, track)
            if pose is not None and not _is_known(pose, seen):
                sight = self._sight(frame, track, pose)
                if not sight.track.is_over:
                    seen.append(sight)
            elif track.is_sure:
                lost.append(track)
        self._frames_since_search += 1
        if self._is_search_due(seen, lost):
            seen, lost = self._search(frame, seen, lost)
        seen = [self._welcomed(sight) for sight in self._seated(seen)]
        kept = [replace(track, is_lost=True) for track in lost] if self._has_place(seen) else []
        self._tracks = [sight.track for sight in seen] + kept
        people = [sight.person for sight in seen if sight.track.is_shown]
        return tuple(sorted(people, key=lambda person: person.track_id))

    def reset(self) -> None:
        """Forgets everybody; whoever comes next gets a new identity."""
        self._tracks = []

    def close(self) -> None:
        """Frees both networks; may be called twice."""
        self._detector.close()
        self._landmarks.close()

    def _valid_tracks(self, now_s: float) -> list[_Track]:
        """Tracks that can go on: time went on, and not for too long. The oldest comes first."""
        valid = [track for track in self._tracks if 0.0 <= now_s - track.last_seen_s <= MAX_GAP_S]
        return sorted(valid, key=lambda track: (not track.is_shown, track.track_id))

    def _has_place(self, seen: Sequence[_Sight]) -> bool:
        """Who is in doubt keeps no place."""
        return sum(sight.track.is_sure for sight in seen) < self._max_people

    def _follow(self, frame: Frame, track: _Track) -> RegionPose | None:
        if track.is_lost:
            return None
        pose = self._estimate(frame, track.region, self._min_presence * _FOLLOW_RATIO)
        gap_s = frame.captured_at_s - track.last_seen_s
        if pose is None or not is_near(pose.next_region, track.region, gap_s):
            return None
        return pose

    def _is_search_due(self, seen: Sequence[_Sight], lost: Sequence[_Track]) -> bool:
        shown = [sight.track for sight in seen if sight.track.is_shown]
        if not shown or any(not track.is_lost for track in lost):
            return True
        in_doubt = bool(lost) or not all(track.is_sure for track in shown)
        factor = _DOUBT_FACTOR if in_doubt else 1
        return self._has_place(seen) and self._frames_since_search * factor >= self._detect_every

    def _search(
        self, frame: Frame, seen: Sequence[_Sight], lost: Sequence[_Track]
    ) -> tuple[list[_Sight], list[_Track]]:
        """Asks the detector about who is in doubt, the lost and newcomers; gives who is seen and who stays lost."""
        self._frames_since_search = 0
        search = _Search(
            self._detector.detect(frame.image_bgr), tries=self._max_people + _SPARE_TRIES
        )
        seen = [_confirmed(sight, search.take(sight.track.region)) for sight in seen]
        seen = [sight for sight in seen if not sight.track.is_over]
        still_lost: list[_Track] = []
        num_kept_places = 0
        for track in lost:
            gap_s = frame.captured_at_s - track.last_seen_s
            near = [found for found in search.found if is_near(found.region, track.region, gap_s)]
            near.sort(key=lambda found: _distance(found.region, track.region))
            if not self._find(frame, search, near, seen, track):
                still_lost.append(track)
                num_kept_places += bool(near) or gap_s < NEWCOMER_WAIT_S
        num_taken = sum(sight.track.is_sure for sight in seen) + num_kept_places
        num_free = 2 * (self._max_people - num_taken) - sum(
            not sight.track.is_shown for sight in seen
        )
        for _ in range(num_free if num_taken < self._max_people else 0):
            # The best by score are tried, the largest of them first.
            strangers = sorted(
                search.found[: search.tries], key=lambda found: -found.region.side_px
            )
            if not self._find(frame, search, strangers, seen, None):
                break
        return seen, still_lost

    def _find(
        self,
        frame: Frame,
        search: _Search,
        candidates: Sequence[DetectedPerson],
        seen: list[_Sight],
        track: _Track | None,
    ) -> bool:
        """Adds the first person that the landmark network confirms at one of the candidates."""
        for found in candidates:
            if search.tries == 0:
                return False
            search.found = [other for other in search.found if other is not found]
            pose = self._looked_twice(frame, found.region, search)
            if pose is None or _is_known(pose, seen):
                continue
            sight = self._sight(
                frame, self._candidate(frame, found, track, is_alone=not seen), pose
            )
            if sight.track.is_sure or not (track or sight.track.is_over):
                seen.append(sight)
                search.take(pose.next_region)
                return True
        return False

    def _looked_twice(
        self, frame: Frame, region: RotatedSquare, search: _Search
    ) -> RegionPose | None:
        """The pose in a detector's region; where that is rough, in the region that its landmarks ask for."""
        pose: RegionPose | None = None
        for _ in range(_LOOKS):
            if search.tries > 0:
                search.tries -= 1
                pose = self._estimate(frame, region, self._min_presence)
            if pose is None or _of_frame(frame, pose) > 0.0:
                break
            region = pose.next_region
        return pose

    def _candidate(
        self, frame: Frame, found: DetectedPerson, lost: _Track | None, *, is_alone: bool
    ) -> _Track:
        """The track that a detection goes into if its landmarks are a person's."""
        if lost is not None:
            again = first_log_odds(found.score, is_known=True)
            return replace(lost, log_odds=min(again, lost.log_odds))
        return _Track(
            track_id=_NO_ID,
            region=found.region,
            last_seen_s=frame.captured_at_s,
            log_odds=first_log_odds(found.score),
            is_lost=True,
            trial_left=0 if is_alone else _TRIAL_FRAMES + 1,
        )

    def _seated(self, seen: list[_Sight]) -> list[_Sight]:
        """Who keeps a track where more people are seen than there are places."""
        ready = [sight for sight in seen if _is_ready(sight.track)]
        excess = len(ready) - self._max_people
        if excess <= 0:
            return seen
        ready.sort(key=lambda sight: (sight.track.is_sure, sight.track.log_odds))
        out = [id(sight) for sight in ready[:excess]]
        return [sight for sight in seen if id(sight) not in out]

    def _welcomed(self, sight: _Sight) -> _Sight:
        """Gives a newcomer who passed the trial an identity."""
        if sight.track.is_shown or not _is_ready(sight.track):
            return sight
        track = replace(sight.track, track_id=self._next_id)
        self._next_id += 1
        person = replace(sight.person, track_id=track.track_id, dt_s=0.0)
        return replace(sight, track=track, person=person)

    def _estimate(
        self, frame: Frame, region: RotatedSquare, min_presence: float
    ) -> RegionPose | None:
        if not region.is_usable:
            return None
        pose = self._landmarks.estimate(frame.image_bgr, region)
        if not (pose.landmarks.is_finite and pose.next_region.is_usable):
            return None
        if pose.landmarks.presence < min_presence:
            return None
        return pose

    def _sight(self, frame: Frame, track: _Track, pose: RegionPose) -> _Sight:
        """Puts a pose into its track."""
        return _Sight(
            track=replace(
                track,
                region=_next_region(track, pose),
                last_seen_s=frame.captured_at_s,
                log_odds=after_frame(track.log_odds, _of_frame(frame, pose)),
                is_lost=False,
                trial_left=max(track.trial_left - 1, 0),
            ),
            person=TrackedPerson(
                track_id=track.track_id,
                bbox_xyxy=landmark_box(pose.landmarks),
                score=pose.landmarks.presence,
                dt_s=frame.captured_at_s - track.last_seen_s,
                landmarks=pose.landmarks,
            ),
            points_px=pose.landmarks.image_px[:, :2],
        )


def _of_frame(frame: Frame, pose: RegionPose) -> float:
    height, width = frame.image_bgr.shape[:2]
    return frame_log_odds(pose.landmarks, (width, height))


def _is_ready(track: _Track) -> bool:
    """Whether somebody is shown already or can be from now on."""
    return track.is_shown or (track.log_odds >= SURE and not track.trial_left)


def _confirmed(sight: _Sight, score: float) -> _Sight:
    """Somebody whom the detector looked at again; who is sure needs no second look: it misses real people, too."""
    if sight.track.is_sure:
        return sight
    track = replace(sight.track, log_odds=after_second_look(sight.track.log_odds, score))
    return replace(sight, track=track)


def landmark_box(landmarks: PoseLandmarks) -> FloatArray:
    """(4,) x1, y1, x2, y2 [px] around all 33 landmarks, in view or not."""
    points = landmarks.image_px[:, :2]
    return np.concatenate([points.min(axis=0), points.max(axis=0)]).astype(np.float32)


def _next_region(track: _Track, pose: RegionPose) -> RotatedSquare:
    return pose.next_region if track.is_lost else steadied(track.region, pose.next_region)


def _is_known(pose: RegionPose, seen: Sequence[_Sight]) -> bool:
    """Whether a pose is of a body that is seen already: regions of neighbours slide together."""
    points = pose.landmarks.image_px[:, :2]
    limit_px = _SAME_BODY * pose.next_region.side_px
    return any(
        float(np.median(np.linalg.norm(points - sight.points_px, axis=1))) < limit_px
        for sight in seen
    )


def _distance(region: RotatedSquare, last: RotatedSquare) -> float:
    dx, dy = region.center_x_px - last.center_x_px, region.center_y_px - last.center_y_px
    return dx * dx + dy * dy
