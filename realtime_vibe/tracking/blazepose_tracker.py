"""Follows people with BlazePose: detect once, then look where the last landmarks were.

The landmark network runs once a frame for everybody who is followed, the detector only while it may
find somebody new. Landmarks come out unfiltered: the temporal network is trained on the raw stream,
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
from realtime_vibe.tracking.regions import is_near, is_on, steadied

_FOLLOW_RATIO = 0.6
"""A followed person is let go at this share of `min_presence`: no flicker at the threshold."""
_SPARE_TRIES = 3
"""Detections beyond the number of people that the landmark network is tried on in one frame."""
_LOST_FACTOR = 5
"""While somebody is lost the detector looks so many times more often."""
_TRIAL_FRAMES = 3
"""Newcomers beside others are shown after so many frames: half a body often passes for a small one,
but not for long."""
_SAME_BODY = 0.07
"""Landmarks that lie this close, in sides of the region, are of one body: about 15 cm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Track:
    track_id: int
    region: RotatedSquare
    last_seen_s: float
    is_lost: bool = False
    trial_left: int = 0
    """Frames in which the person must still be seen before being shown."""


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
        self.regions = [found.region for found in detections if found.region.is_usable]
        self.tries = tries

    def forget(self, taken: RotatedSquare) -> None:
        """Leaves out what lies on somebody who is followed."""
        self.regions = [region for region in self.regions if not is_on(region, taken)]


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
            if pose is None or _is_known(pose, seen):
                if not track.trial_left:
                    lost.append(track)
            else:
                seen.append(self._sight(frame, track, pose))
        self._frames_since_search += 1
        if self._is_search_due(seen, lost):
            lost = self._search(frame, seen, lost)
        kept = [replace(track, is_lost=True) for track in lost] if self._has_place(seen) else []
        seen.sort(key=lambda sight: sight.track.track_id)
        self._tracks = [sight.track for sight in seen] + kept
        return tuple(sight.person for sight in seen if not sight.track.trial_left)

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
        return sorted(valid, key=lambda track: track.track_id)

    def _has_place(self, seen: Sequence[_Sight]) -> bool:
        return len(seen) < self._max_people

    def _follow(self, frame: Frame, track: _Track) -> RegionPose | None:
        if track.is_lost:
            return None
        return self._estimate(frame, track.region, self._min_presence * _FOLLOW_RATIO)

    def _is_search_due(self, seen: Sequence[_Sight], lost: Sequence[_Track]) -> bool:
        if not seen or any(not track.is_lost for track in lost):
            return True
        factor = _LOST_FACTOR if lost else 1
        return self._has_place(seen) and self._frames_since_search * factor >= self._detect_every

    def _search(self, frame: Frame, seen: list[_Sight], lost: Sequence[_Track]) -> list[_Track]:
        """Looks for the lost, then for newcomers, and adds them to `seen`; gives who stays lost."""
        self._frames_since_search = 0
        search = _Search(
            self._detector.detect(frame.image_bgr), tries=self._max_people + _SPARE_TRIES
        )
        for sight in seen:
            search.forget(sight.track.region)
        still_lost: list[_Track] = []
        num_kept_places = 0
        for track in lost:
            gap_s = frame.captured_at_s - track.last_seen_s
            near = [region for region in search.regions if is_near(region, track.region, gap_s)]
            near.sort(key=lambda region: _distance(region, track.region))
            if not self._find(frame, search, near, seen, track):
                still_lost.append(track)
                num_kept_places += bool(near) or gap_s < NEWCOMER_WAIT_S
        while len(seen) + num_kept_places < self._max_people:
            # The best by score are tried, the largest of them first.
            strangers = sorted(search.regions[: search.tries], key=lambda region: -region.side_px)
            if not self._find(frame, search, strangers, seen, None):
                break
        return still_lost

    def _find(
        self,
        frame: Frame,
        search: _Search,
        regions: Sequence[RotatedSquare],
        seen: list[_Sight],
        track: _Track | None,
    ) -> bool:
        """Adds the first person that the landmark network confirms in one of the regions."""
        for region in regions:
            if search.tries == 0:
                return False
            search.tries -= 1
            search.regions.remove(region)
            pose = self._estimate(frame, region, self._min_presence)
            if pose is not None and not _is_known(pose, seen):
                on_trial = track is None and bool(seen)
                seen.append(self._sight(frame, track, pose, on_trial=on_trial))
                search.forget(pose.next_region)
                return True
        return False

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

    def _sight(
        self, frame: Frame, track: _Track | None, pose: RegionPose, *, on_trial: bool = False
    ) -> _Sight:
        """Puts a pose into its track, or into a new one when it is too far away."""
        now_s = frame.captured_at_s
        if track is not None and is_near(pose.next_region, track.region, now_s - track.last_seen_s):
            dt_s = 0.0 if track.trial_left else now_s - track.last_seen_s
            track = replace(
                track,
                region=_next_region(track, pose),
                last_seen_s=now_s,
                is_lost=False,
                trial_left=max(track.trial_left - 1, 0),
            )
        else:
            dt_s = 0.0
            track = _Track(
                track_id=self._next_id,
                region=pose.next_region,
                last_seen_s=now_s,
                trial_left=_TRIAL_FRAMES if on_trial else 0,
            )
            self._next_id += 1
        return _Sight(
            track=track,
            person=TrackedPerson(
                track_id=track.track_id,
                bbox_xyxy=landmark_box(pose.landmarks),
                score=pose.landmarks.presence,
                dt_s=dt_s,
                landmarks=pose.landmarks,
            ),
            points_px=pose.landmarks.image_px[:, :2],
        )


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
