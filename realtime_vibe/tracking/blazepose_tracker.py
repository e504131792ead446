"""Follows one person with BlazePose: detect once, then look where the last landmarks were.

The detector runs only while nobody is followed. Landmarks come out unfiltered: the temporal network
is trained on the raw stream, and a filter would add delay.
"""

from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np

from realtime_vibe.backends.base import InferenceSession
from realtime_vibe.geometry.crop import RotatedSquare
from realtime_vibe.packets import FloatArray, Frame, PoseLandmarks, TrackedPerson
from realtime_vibe.tracking.blazepose_detector import BlazePoseDetector
from realtime_vibe.tracking.blazepose_landmarks import BlazePoseLandmarks, RegionPose
from realtime_vibe.tracking.regions import is_near, steadied

MAX_GAP_S = 1.0
"""A person who is back after a longer gap gets a new identity."""
STRANGER_WAIT_S = 0.5
"""Right after a loss only the lost person is accepted, so that a bystander does not take over."""
_FOLLOW_RATIO = 0.6
"""A followed person is let go at this share of `min_presence`: no flicker at the threshold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Track:
    track_id: int
    region: RotatedSquare
    last_seen_s: float
    is_lost: bool = False


class BlazePoseTracker:
    """Tracks the nearest-to-last or, on a fresh start, the largest person.

    Args:
        detector: the exported detector.
        landmarks: the exported landmark network.
        min_presence: the landmark network must be this sure to start a track.
        min_detection_score: the detector must be this sure.
    """

    def __init__(
        self,
        detector: InferenceSession,
        landmarks: InferenceSession,
        *,
        min_presence: float = 0.5,
        min_detection_score: float = 0.5,
    ) -> None:
        self._detector = BlazePoseDetector(detector, min_score=min_detection_score)
        self._landmarks = BlazePoseLandmarks(landmarks)
        self._min_presence = min_presence
        self._track: _Track | None = None
        self._next_id = 0

    def update(self, frame: Frame) -> tuple[TrackedPerson, ...]:
        """Looks at the next frame; see `PersonTracker.update`."""
        track = self._current_track(frame.captured_at_s)
        pose = self._follow(frame, track)
        if pose is None:
            pose = self._search(frame, track)
        if pose is None:
            self._track = None if track is None else _lost(track)
            return ()
        return (self._accept(frame, track, pose),)

    def reset(self) -> None:
        """Forgets the person; the next one gets a new identity."""
        self._track = None

    def close(self) -> None:
        """Frees both networks; may be called twice."""
        self._detector.close()
        self._landmarks.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _current_track(self, now_s: float) -> _Track | None:
        """The track as far as it is still valid: time went on, and not for too long."""
        track = self._track
        if track is None or not 0.0 <= now_s - track.last_seen_s <= MAX_GAP_S:
            return None
        return track

    def _follow(self, frame: Frame, track: _Track | None) -> RegionPose | None:
        if track is None or track.is_lost:
            return None
        return self._estimate(frame, track.region, self._min_presence * _FOLLOW_RATIO)

    def _search(self, frame: Frame, track: _Track | None) -> RegionPose | None:
        """Detects people; the first candidate that the landmark network confirms wins."""
        regions = [detection.region for detection in self._detector.detect(frame.image_bgr)]
        for region in self._by_preference(regions, frame, track):
            pose = self._estimate(frame, region, self._min_presence)
            if pose is not None:
                return pose
        return None

    def _by_preference(
        self, regions: list[RotatedSquare], frame: Frame, track: _Track | None
    ) -> list[RotatedSquare]:
        by_size = sorted(regions, key=lambda region: -region.side_px)
        if track is None:
            return by_size
        gap_s = frame.captured_at_s - track.last_seen_s
        near = [region for region in regions if is_near(region, track.region, gap_s)]
        near.sort(key=lambda region: _distance(region, track.region))
        if near or gap_s < STRANGER_WAIT_S:
            return near
        return by_size

    def _estimate(
        self, frame: Frame, region: RotatedSquare, min_presence: float
    ) -> RegionPose | None:
        if not region.is_usable:
            return None
        pose = self._landmarks.estimate(frame.image_bgr, region)
        if pose.landmarks.presence < min_presence or not pose.next_region.is_usable:
            return None
        return pose

    def _accept(self, frame: Frame, track: _Track | None, pose: RegionPose) -> TrackedPerson:
        now_s = frame.captured_at_s
        is_same = track is not None and is_near(
            pose.next_region, track.region, now_s - track.last_seen_s
        )
        region = pose.next_region
        if track is not None and is_same:
            track_id, dt_s = track.track_id, now_s - track.last_seen_s
            if not track.is_lost:
                region = steadied(track.region, region)
        else:
            track_id, dt_s = self._next_id, 0.0
            self._next_id += 1
        self._track = _Track(track_id=track_id, region=region, last_seen_s=now_s)
        return TrackedPerson(
            track_id=track_id,
            bbox_xyxy=landmark_box(pose.landmarks),
            score=pose.landmarks.presence,
            dt_s=dt_s,
            landmarks=pose.landmarks,
        )


def landmark_box(landmarks: PoseLandmarks) -> FloatArray:
    """(4,) x1, y1, x2, y2 [px] around all 33 landmarks, in view or not."""
    points = landmarks.image_px[:, :2]
    return np.concatenate([points.min(axis=0), points.max(axis=0)]).astype(np.float32)


def _lost(track: _Track) -> _Track:
    return _Track(
        track_id=track.track_id, region=track.region, last_seen_s=track.last_seen_s, is_lost=True
    )


def _distance(region: RotatedSquare, last: RotatedSquare) -> float:
    dx, dy = region.center_x_px - last.center_x_px, region.center_y_px - last.center_y_px
    return dx * dx + dy * dy
