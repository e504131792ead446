"""What every person tracker and every person detector offers."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.geometry.crop import RotatedSquare
from realtime_vibe.packets import FloatArray, Frame, ImageArray, TrackedPerson
from realtime_vibe.system.closing import Closable, ClosedByWith
from realtime_vibe.system.few_warnings import FewWarnings

MAX_GAP_S = 1.0
"""A person who is back after a longer gap is looked for everywhere, and starts with an empty memory."""
NEWCOMER_WAIT_S = 0.5
"""Right after a loss only the lost person is accepted, so that a bystander does not take over."""
USUAL_RATE_HZ = 30.0
LONGEST_STEP_S = 0.12
"""Between frames that are farther apart a body can turn, legs can change places, and a limb can be anywhere."""
OVERFLOW = "frame %d: the landmark network gave numbers that are not finite; nobody is seen there"
DETECTOR_OVERFLOW = (
    "the person detector gave numbers that are not finite: %d of %d answers are left out"
)


def usual_frames(dt_s: float) -> float:
    """As how many frames one counts that comes after `dt_s` [s]: a slow stream waits no longer for newcomers."""
    return max(1.0, dt_s * USUAL_RATE_HZ)


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectedPerson:
    """One person as a detector sees it in a single image."""

    score: float
    """Chance in [0, 1] that this is a person."""
    bbox_xyxy: FloatArray
    """(4,) box [px] around the whole body; may reach beyond the image."""
    region: RotatedSquare
    """Where a landmark network should look for this person."""


def counting_answers(
    scores: FloatArray, boxes: FloatArray, min_score: float, overflows: FewWarnings
) -> NDArray[np.intp]:
    """(N,) indices of a detector's answers that count: of scores (A,) of `min_score` or more and finite boxes (A, B).

    `overflows` counts, as `DETECTOR_OVERFLOW`, those of high scores that are not finite.
    """
    is_high = ~(scores < min_score)  # of NaN nobody knows
    is_sound = is_high & np.isfinite(scores) & np.isfinite(boxes).all(axis=1)
    num_left_out = int(is_high.sum() - is_sound.sum())
    if num_left_out:
        overflows.add(num_left_out, len(scores))
    return np.flatnonzero(is_sound)


def chances(logits: FloatArray) -> FloatArray:
    """In [0, 1], from a network's logits of any shape."""
    return (1.0 / (1.0 + np.exp(-np.clip(logits, -60.0, 60.0)))).astype(np.float32)


class PersonDetector(Protocol):
    """Finds people in single images; knows nothing of time."""

    def detect(self, image_bgr: ImageArray) -> tuple[DetectedPerson, ...]:
        """Finds people in an image (H, W, 3), best score first; empty when there are none."""

    def close(self) -> None:
        """Frees the network; may be called twice."""


class PersonTracker(Closable, Protocol):
    """Finds people and keeps their identities over frames."""

    @property
    def saw_cut(self) -> bool:
        """Whether the last frame began another scene, so that nobody went on where they were."""

    def update(self, frame: Frame) -> tuple[TrackedPerson, ...]:
        """Looks at the next frame of the stream; gives the people in view.

        Args:
            frame: times may repeat or jump; going back starts a new track.
        """

    def reset(self) -> None:
        """Forgets all tracks, as after a change of source; identities are not used again."""


class TrackerAround(ClosedByWith):
    """What mends the landmarks of another tracker's people over frames.

    Args:
        tracker: finds people and their landmarks; reset and closed with this one.
    """

    def __init__(self, tracker: PersonTracker) -> None:
        self.tracker = tracker

    @property
    def saw_cut(self) -> bool:
        """See `PersonTracker.saw_cut`."""
        return self.tracker.saw_cut

    @abstractmethod
    def update(self, frame: Frame) -> tuple[TrackedPerson, ...]:
        """Looks at the next frame; see `PersonTracker.update`."""

    def reset(self) -> None:
        """Forgets everybody."""
        self.tracker.reset()

    def close(self) -> None:
        """Closes the tracker; may be called twice."""
        self.tracker.close()
