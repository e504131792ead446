"""Follows people by boxes, for engines that look at crops: detect now and then, flow in between.

A person whom the detector misses, or who is hidden for a moment, keeps the identity: the reference
loses the network's memory at every missed detection.
"""

from collections.abc import Sequence

import numpy as np

from realtime_vibe.packets import Frame, TrackedPerson, are_sound
from realtime_vibe.system.closing import ClosedByWith
from realtime_vibe.tracking.base import (
    MAX_GAP_S,
    NEWCOMER_WAIT_S,
    DetectedPerson,
    PersonDetector,
    usual_frames,
)
from realtime_vibe.tracking.box_track import BoxTrack
from realtime_vibe.tracking.boxes import iou_matrix, pair_boxes
from realtime_vibe.tracking.choices import DETECT_EVERY
from realtime_vibe.tracking.median_flow import MedianFlow
from realtime_vibe.tracking.scene_cut import SceneCuts

MAX_PEOPLE = 8
_DOUBT_FACTOR = 5
"""While somebody is missed or the picture says nothing the detector looks so many times more often."""
_SAME_PERSON_IOU = 0.5
"""A detection without a track that lies so much on a followed person is that person again."""


class BoxTracker(ClosedByWith):
    """Tracks the people seen before and, where there is a place, the largest others.

    Args:
        detector: closed with the tracker.
        detect_every: frames between two detections. It looks sooner when nobody is followed, when a
            box loses its hold on the picture and while somebody is missed.
    """

    def __init__(
        self,
        detector: PersonDetector,
        *,
        max_people: int = MAX_PEOPLE,
        detect_every: int = DETECT_EVERY,
    ) -> None:
        self._detector = detector
        self._max_people = max_people
        self._detect_every = detect_every
        self._flow = MedianFlow()
        self._cuts = SceneCuts()
        self.saw_cut = False
        self._tracks: list[BoxTrack] = []
        self._next_id = 0
        self._frames_since_detection = self._last_s = 0.0

    def update(self, frame: Frame) -> tuple[TrackedPerson, ...]:
        """Looks at the next frame; people come in the order of their first sight.

        See `PersonTracker.update`.
        """
        now_s = frame.captured_at_s
        self.saw_cut = self._cuts.is_cut(frame.image_bgr)
        if self.saw_cut:
            self.reset()
        self._tracks = [
            track for track in self._tracks if 0.0 <= now_s - track.last_seen_s <= MAX_GAP_S
        ]
        slipped = self._move(frame)
        self._frames_since_detection += usual_frames(now_s - self._last_s)
        self._last_s = now_s
        if slipped or self._is_detection_due():
            self._detect(frame)
        height, width = frame.image_bgr.shape[:2]
        people = []
        for track in self._tracks:
            dt_s = track.show((width, height))
            if dt_s is not None:
                people.append(
                    TrackedPerson(
                        track_id=track.track_id,
                        bbox_xyxy=track.bbox_xyxy,
                        score=track.score,
                        dt_s=dt_s,
                    )
                )
        return tuple(people)

    def reset(self) -> None:
        """Forgets everybody and the last picture; whoever comes next gets a new identity."""
        self._tracks = []
        self._flow.reset()

    def close(self) -> None:
        """Frees the network; may be called twice."""
        self._detector.close()

    def _move(self, frame: Frame) -> bool:
        """Moves all boxes; tells whether one that was held by the picture is not any more."""
        boxes = [track.bbox_xyxy for track in self._tracks]
        slipped = False
        for track, step in zip(
            self._tracks, self._flow.advance(frame.image_bgr, boxes), strict=True
        ):
            slipped |= step is None and track.is_flowing and track.is_shown
            track.move(step, frame.captured_at_s)
        return slipped

    def _is_detection_due(self) -> bool:
        shown = [track for track in self._tracks if track.is_shown]
        in_doubt = len(shown) < len(self._tracks) or any(
            track.is_missed or not track.is_flowing for track in shown
        )
        factor = _DOUBT_FACTOR if in_doubt else 1
        return not shown or self._frames_since_detection * factor >= self._detect_every

    def _detect(self, frame: Frame) -> None:
        self._frames_since_detection = 0.0
        found = [person for person in self._detector.detect(frame.image_bgr) if _is_usable(person)]
        shown = [track for track in self._tracks if track.is_shown]
        hidden = [track for track in self._tracks if not track.is_shown]
        left = self._confirm(shown, found, frame.captured_at_s)
        left = self._confirm(hidden, left, frame.captured_at_s)
        self._welcome(left, frame.captured_at_s)

    def _confirm(
        self, tracks: Sequence[BoxTrack], found: Sequence[DetectedPerson], now_s: float
    ) -> list[DetectedPerson]:
        """Gives detections to tracks: by overlap, then by nearness; returns what is left of them."""
        pairs = pair_boxes(
            [track.bbox_xyxy for track in tracks],
            [person.bbox_xyxy for person in found],
            [track.reach_px(now_s) for track in tracks],
        )
        for row, track in enumerate(tracks):
            if row in pairs:
                track.confirm(found[pairs[row]])
            else:
                track.miss()
        return [person for column, person in enumerate(found) if column not in pairs.values()]

    def _welcome(self, left: Sequence[DetectedPerson], now_s: float) -> None:
        """Starts tracks of newcomers, the largest first, and forgets the hidden when it gets full."""
        shown = [track for track in self._tracks if track.is_shown]
        hidden = [track for track in self._tracks if not track.is_shown]
        num_kept_places = sum(now_s - track.last_seen_s < NEWCOMER_WAIT_S for track in hidden)
        newcomers = sorted(left, key=lambda person: -_area(person))
        for person in newcomers:
            if len(shown) + num_kept_places >= self._max_people:
                break
            if _lies_on(person, shown):
                continue
            shown.append(BoxTrack(self._next_id, person, now_s))
            self._next_id += 1
        kept = hidden if len(shown) < self._max_people else []
        self._tracks = sorted(shown + kept, key=lambda track: track.track_id)


def _is_usable(person: DetectedPerson) -> bool:
    box = person.bbox_xyxy
    return are_sound(box) and bool(np.all(box[2:] - box[:2] >= 1.0))


def _area(person: DetectedPerson) -> float:
    return float(np.prod(person.bbox_xyxy[2:] - person.bbox_xyxy[:2]))


def _lies_on(person: DetectedPerson, tracks: Sequence[BoxTrack]) -> bool:
    iou = iou_matrix([track.bbox_xyxy for track in tracks], [person.bbox_xyxy])
    return float(iou.max(initial=0.0)) > _SAME_PERSON_IOU
