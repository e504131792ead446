"""How far our landmarks are from MediaPipe's own, on the same frames."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from benchmarks.clips import Clip
from realtime_vibe.packets import Frame, PoseLandmarks
from realtime_vibe.tracking.base import PersonTracker


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """One clip's figures; percentages are of the longer side of MediaPipe's box of the person."""

    clip: str
    frames: int
    both: int
    """Frames in which both see somebody; the differences are over these."""
    ours_only: int
    peer_only: int
    median_percent: float
    """NaN while `both` is 0."""
    p95_percent: float


def measure_agreement(
    clip: Clip, make_ours: Callable[[], PersonTracker], make_peer: Callable[[], PersonTracker]
) -> Agreement:
    """Runs both trackers over a clip once, forwards."""
    differences: list[float] = []
    both = ours_only = peer_only = 0
    with ExitStack() as stack:
        ours, peer = stack.enter_context(make_ours()), stack.enter_context(make_peer())
        for index in range(len(clip.images)):
            frame = clip.frame(index)
            found, wanted = (_only(tracker, frame) for tracker in (ours, peer))
            both += found is not None and wanted is not None
            ours_only += found is not None and wanted is None
            peer_only += found is None and wanted is not None
            if found is not None and wanted is not None:
                differences.extend(difference_percent(found, wanted))
    median, p95 = np.percentile(differences, [50, 95]) if differences else (np.nan, np.nan)
    return Agreement(
        clip=clip.name,
        frames=len(clip.images),
        both=both,
        ours_only=ours_only,
        peer_only=peer_only,
        median_percent=float(median),
        p95_percent=float(p95),
    )


def difference_percent(found: PoseLandmarks, wanted: PoseLandmarks) -> Sequence[float]:
    """Pixel distance of each landmark as a percentage of the longer side of `wanted`'s box."""
    side_px = np.ptp(wanted.image_px[:, :2], axis=0).max()
    distances_px = np.linalg.norm(found.image_px[:, :2] - wanted.image_px[:, :2], axis=1)
    return [float(value) for value in distances_px / side_px * 100]


def _only(tracker: PersonTracker, frame: Frame) -> PoseLandmarks | None:
    people = tracker.update(frame)
    return people[0].landmarks if people else None
