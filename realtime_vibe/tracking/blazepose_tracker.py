"""Follows people with BlazePose: detect once, then look where the last landmarks were.

The landmark network runs once a frame for everybody who is followed, the detector only while it may
find somebody new or somebody is in doubt. Nobody exists before detector and frames are sure of it
together (`plausibility.py`). Landmarks come out unfiltered: the temporal network is trained on the raw stream,
and a filter would add delay.
"""

from collections.abc import Sequence
from dataclasses import replace

from realtime_vibe.backends.base import InferenceSession
from realtime_vibe.geometry.crop import RotatedSquare
from realtime_vibe.packets import Frame, TrackedPerson
from realtime_vibe.system.closing import ClosedByWith
from realtime_vibe.system.few_warnings import FewWarnings
from realtime_vibe.tracking.appearance import look_at
from realtime_vibe.tracking.base import (
    MAX_GAP_S,
    NEWCOMER_WAIT_S,
    OVERFLOW,
    DetectedPerson,
    PersonDetector,
    usual_frames,
)
from realtime_vibe.tracking.blazepose_landmarks import BlazePoseLandmarks, RegionPose
from realtime_vibe.tracking.choices import DETECT_EVERY
from realtime_vibe.tracking.glances import Glances
from realtime_vibe.tracking.landmark_track import (
    NO_ID,
    Home,
    Search,
    Sight,
    Track,
    holder_of,
    landmark_box,
    seated,
)
from realtime_vibe.tracking.person_memory import PersonMemory
from realtime_vibe.tracking.plausibility import after_frame, first_log_odds, frame_log_odds, is_gone
from realtime_vibe.tracking.regions import (
    distance_px,
    has_jumped,
    is_near,
    is_on,
    narrowed,
    on_grid,
    steadied,
)
from realtime_vibe.tracking.scene_cut import SceneCuts

_MIN_PRESENCE = 0.5
"""The landmark network must be this sure to start a track."""
_FOLLOW_RATIO = 0.6
"""A followed person is let go at this share of `_MIN_PRESENCE`: no flicker at the threshold."""
_SPARE_TRIES = 3
"""Detections beyond the number of people that the landmark network is tried on in one frame."""
_DOUBT_FACTOR = 5
"""While somebody is lost or in doubt the detector looks so many times more often."""
_GLANCES = 2
"""Looks in that time: one at the whole picture, one at a part."""
_TRIAL_FRAMES = 3
"""Newcomers beside others and small ones are shown after so many frames: half a body often passes for a small one,
but not for long."""
_LOOKS = 2
"""Runs of the landmark network at a newcomer whose first landmarks are not a body's."""
_LOOK_S = 0.06
"""Time between two looks at somebody's colours [s]."""
_JUMP_BEFORE_S = 0.1
_COVERED_S = 3.0
"""So long is somebody who was covered by another body searched, also while all places are taken [s]."""


class BlazePoseTracker(ClosedByWith):
    """Tracks the people seen before and, where there is a place, the largest others.

    Args:
        detector: finds newcomers and people who were lost; closed with the tracker.
        landmarks: the exported landmark network; closed with the tracker.
        max_people: how many are followed at most.
        detect_every: while there is a free place, frames between two looks for newcomers. When
            nobody is followed every frame is looked at.
    """

    def __init__(
        self,
        detector: PersonDetector,
        landmarks: InferenceSession,
        *,
        max_people: int = 1,
        detect_every: int = DETECT_EVERY,
    ) -> None:
        self._glances = Glances(detector)
        self._landmarks = BlazePoseLandmarks(landmarks)
        self._max_people = max_people
        self._detect_every = detect_every
        self._tracks: list[Track] = []
        self._memory = PersonMemory()
        self._cuts = SceneCuts()
        self.saw_cut = False
        self._next_id = 0
        self._frames_since_search = self._last_s = 0.0
        self._overflows = FewWarnings(__name__, OVERFLOW)

    def update(self, frame: Frame) -> tuple[TrackedPerson, ...]:
        """Looks at the next frame; people come in the order of their first sight.

        See `PersonTracker.update`.
        """
        now_s = frame.captured_at_s
        self.saw_cut = self._cuts.is_cut(frame.image_bgr)
        if self.saw_cut:
            self._tracks = []  # who is seen again is known by the colours
            self._memory.leave()
        seen: list[Sight] = []
        lost: list[Track] = []
        unanswered: set[int] = set()
        for track in self._valid_tracks(now_s):
            overflows = self._overflows.count
            pose = self._follow(frame, track)
            if pose is None and self._overflows.count > overflows:
                # Followed in the next frame, as if this one had not come.
                unanswered.add(track.track_id)
            sight = None if pose is None else self._sight(frame, track, pose)
            left: Track | None = track
            if sight is not None:
                left = self._left_out(frame, sight, seen)
            if left is not None and left.is_sure:
                lost.append(left)
        lost += self._taken_over(frame, seen)
        self._frames_since_search += usual_frames(now_s - self._last_s)
        self._last_s = now_s
        if self._is_search_due(seen, lost):
            seen, lost = self._search(frame, seen, lost)
        seen = self._welcomed(frame, seated(seen, self._max_people))
        back = {sight.track.track_id for sight in seen}
        has_place = self._has_place(seen)
        self._tracks = [sight.track for sight in seen] + [
            replace(track, is_lost=track.track_id not in unanswered)
            for track in lost
            if (has_place or track.is_covered) and track.track_id not in back
        ]
        shown = [sight for sight in seen if sight.track.is_shown]
        places = {sight.track.track_id: sight.track.region for sight in shown}
        self._memory.place(places, frame.image_bgr.shape[1])
        return tuple(sorted((one.person for one in shown), key=lambda person: person.track_id))

    def reset(self) -> None:
        """Forgets everybody; whoever comes next gets a new identity."""
        self._tracks = []
        self._memory.reset()
        self._glances.reset()

    def close(self) -> None:
        """Frees both networks; may be called twice."""
        self._glances.close()
        self._landmarks.close()

    def _valid_tracks(self, now_s: float) -> list[Track]:
        """Tracks that can go on: time went on, and not for too long. The oldest comes first."""
        valid = [
            track
            for track in self._tracks
            if 0.0 <= now_s - track.last_seen_s <= (_COVERED_S if track.is_covered else MAX_GAP_S)
        ]
        return sorted(valid, key=lambda track: (not track.is_shown, track.track_id))

    def _has_place(self, seen: Sequence[Sight]) -> bool:
        """Who is in doubt keeps no place, nor who is far away."""
        return sum(sight.track.keeps_place for sight in seen) < self._max_people

    def _follow(self, frame: Frame, track: Track) -> RegionPose | None:
        if track.is_lost:
            return None
        pose = self._estimate(frame, track.region, _MIN_PRESENCE * _FOLLOW_RATIO)
        if pose is not None and pose.log_odds < 0.0:
            again = self._estimate(frame, narrowed(track.region), _MIN_PRESENCE)
            pose = max(pose, again or pose, key=lambda seen: seen.log_odds)
        gap_s = frame.captured_at_s - track.last_seen_s
        return pose if pose and is_near(pose.next_region, track.region, gap_s) else None

    def _left_out(self, frame: Frame, sight: Sight, seen: list[Sight]) -> Track | None:
        """Adds a sight to `seen`; gives who has no body then.

        Of two tracks on one body the older stays, unless it looks like the other.
        """
        holder = holder_of(sight, seen)
        if holder is None:
            seen += [] if sight.track.is_over else [sight]
            return None
        ids = sight.track.track_id, holder.track.track_id
        if not (sight.track.is_shown and self._memory.is_rather(*ids, sight.looks(frame))):
            return replace(sight.track, is_covered=True)
        seen[:] = [sight if other is holder else other for other in seen]
        return replace(holder.track, is_covered=True)

    def _taken_over(self, frame: Frame, seen: list[Sight]) -> list[Track]:
        """Makes newcomers of bodies that are somebody else's by now; gives whom they cover."""
        now_s = frame.captured_at_s
        covered: list[Track] = []
        for place, sight in enumerate(seen):
            track = sight.track
            if not track.is_shown or 0.0 <= now_s - track.looked_s < _LOOK_S:
                continue
            track = replace(track, looked_s=now_s)
            home = track.home or sight.home(now_s)
            has_other_colors = self._memory.is_other(track.track_id, sight.looks(frame), now_s)
            if has_other_colors and self._has_second_sign(frame, track, home):
                self._memory.lose(track.track_id)
                covered.append(
                    replace(track, region=home.region, last_seen_s=home.time_s, is_covered=True)
                )
                track = replace(track, track_id=NO_ID, home=None)
            elif self._memory.is_certain(track.track_id):
                track = replace(track, home=sight.home(now_s))
            seen[place] = replace(sight, track=track)
        return covered

    def _has_second_sign(self, frame: Frame, track: Track, home: Home) -> bool:
        """Whether a body jumped when its colours changed, or the person is seen again where it came from."""
        if track.jumped_s >= home.time_s - _JUMP_BEFORE_S:
            return True
        is_away = not is_on(track.region, home.region)
        return is_away and self._memory.is_same(
            track.track_id, look_at(frame.image_bgr, home.landmarks)
        )

    def _is_search_due(self, seen: Sequence[Sight], lost: Sequence[Track]) -> bool:
        shown = [sight.track for sight in seen if sight.track.is_shown]
        if not shown or any(not track.is_lost for track in lost):
            return True
        in_doubt = bool(lost) or not all(track.is_sure for track in shown)
        factor = _DOUBT_FACTOR if in_doubt else _GLANCES
        is_wanted = self._has_place(seen) or bool(lost)
        return is_wanted and self._frames_since_search * factor >= self._detect_every

    def _search(
        self, frame: Frame, seen: Sequence[Sight], lost: Sequence[Track]
    ) -> tuple[list[Sight], list[Track]]:
        """Asks the detector about who is in doubt, the lost and newcomers; gives who is seen and who stays lost."""
        self._frames_since_search = 0.0
        sure = [sight for sight in seen if sight.track.is_sure]
        doubts = [*lost, *(sight.track for sight in seen if not sight.track.is_sure)]
        glance = self._glances.look(
            frame.image_bgr,
            doubts=[track.region for track in doubts],
            known=[sight.person.bbox_xyxy for sight in sure],
            has_place=len(sure) + len(lost) < self._max_people,
        )
        search = Search(glance, tries=self._max_people + _SPARE_TRIES)
        seen = [sight.confirmed(search) for sight in seen]
        seen = [sight for sight in seen if not sight.track.is_over]
        still_lost: list[Track] = []
        num_kept_places = 0
        for track in lost:
            gap_s = frame.captured_at_s - track.last_seen_s
            near = [found for found in search.found if is_near(found.region, track.region, gap_s)]
            near.sort(key=lambda found: distance_px(found.region, track.region))
            found = self._find(frame, search, near, seen, track)
            search.put_back()
            if not found:
                still_lost.append(track)
                num_kept_places += bool(near) or gap_s < NEWCOMER_WAIT_S
        num_taken = sum(sight.track.keeps_place for sight in seen) + num_kept_places
        num_free = 2 * (self._max_people - num_taken) - sum(
            not sight.track.is_shown for sight in seen
        )
        for _ in range(num_free if num_taken < self._max_people else 0):
            if sum(sight.track.is_ready and not sight.track.is_shown for sight in seen) >= (
                self._max_people - num_taken
            ):
                break
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
        search: Search,
        candidates: Sequence[DetectedPerson],
        seen: list[Sight],
        track: Track | None,
    ) -> bool:
        """Adds the first person that the landmark network confirms at one of the candidates."""
        for found in candidates:
            if search.tries == 0:
                return False
            search.leave_out(found)
            pose = self._looked_twice(frame, found.region, search)
            if pose is None:
                continue
            is_first = search.glance.is_whole and not any(sight.track.is_shown for sight in seen)
            candidate = Track(
                track_id=NO_ID,
                region=found.region,
                last_seen_s=frame.captured_at_s,
                log_odds=first_log_odds(found.score),
                is_lost=True,
                is_from_part=not search.glance.is_whole,
                trial_left=0 if is_first else _TRIAL_FRAMES + 1,
            )
            if track is not None:
                again = first_log_odds(found.score, is_known=True)
                candidate = replace(track, log_odds=min(again, track.log_odds))
            sight = self._sight(frame, candidate, pose)
            if holder_of(sight, seen) is not None:
                continue
            if track is not None and self._memory.differs(track.track_id, sight.looks(frame)):
                search.others.append(found)
            elif sight.track.is_sure or not (track or sight.track.is_over):
                seen.append(sight)
                search.take(pose.next_region)
                return True
        return False

    def _looked_twice(
        self, frame: Frame, region: RotatedSquare, search: Search
    ) -> RegionPose | None:
        """The pose in a detector's region; where that is rough, in the region that its landmarks ask for."""
        pose: RegionPose | None = None
        for _ in range(_LOOKS):
            if search.tries > 0:
                search.tries -= 1
                pose = self._estimate(frame, region, _MIN_PRESENCE)
            if pose is None or pose.log_odds > 0.0:
                break
            region = pose.next_region
        return pose

    def _welcomed(self, frame: Frame, seen: list[Sight]) -> list[Sight]:
        """Gives newcomers who passed the trial an identity, their own if they were here before."""
        now_s = frame.captured_at_s
        taken = {sight.track.track_id for sight in seen if sight.track.is_shown}
        for place, sight in enumerate(seen):
            if sight.track.is_shown or not sight.track.is_ready:
                continue
            looks = sight.looks(frame)
            track_id = self._memory.recall(looks, sight.track.region, now_s, taken)
            if track_id is None:
                track_id = self._next_id
                self._next_id += 1
            taken.add(track_id)
            track = replace(sight.track, track_id=track_id, home=sight.home(now_s))
            person = replace(sight.person, track_id=track_id, dt_s=0.0)
            seen[place] = replace(sight, track=track, person=person)
            self._memory.is_other(track_id, looks, now_s)
        return seen

    def _estimate(
        self, frame: Frame, region: RotatedSquare, min_presence: float
    ) -> RegionPose | None:
        if not region.is_usable:
            return None
        pose = self._landmarks.estimate(frame.image_bgr, region)
        if not pose.is_sound:
            self._overflows.add(frame.index)
            return None
        height, width = frame.image_bgr.shape[:2]
        is_weak = pose.landmarks.presence < min_presence or not pose.next_region.is_usable
        if is_weak or is_gone(pose.landmarks, width):
            return None
        side_px = pose.next_region.side_px
        return replace(pose, log_odds=frame_log_odds(pose.landmarks, (width, height), side_px))

    def _sight(self, frame: Frame, track: Track, pose: RegionPose) -> Sight:
        """Puts a pose into its track."""
        now_s = frame.captured_at_s
        gap_s = now_s - track.last_seen_s
        wanted = pose.next_region
        has_jumped_now = not track.is_lost and has_jumped(wanted, track.region, gap_s)
        return Sight(
            track=replace(
                track,
                region=on_grid(wanted) if track.is_lost else steadied(track.region, wanted),
                last_seen_s=now_s,
                log_odds=after_frame(track.log_odds, pose.log_odds),
                is_lost=False,
                is_covered=False,
                is_large=not self._glances.is_small(wanted),
                jumped_s=now_s if has_jumped_now else track.jumped_s,
                trial_left=max(track.trial_left - 1, 0),
            ),
            person=TrackedPerson(
                track_id=track.track_id,
                bbox_xyxy=landmark_box(pose.landmarks),
                score=pose.landmarks.presence,
                dt_s=gap_s,
                landmarks=pose.landmarks,
            ),
            landmarks=pose.landmarks,
        )
