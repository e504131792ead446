"""What every person tracker and every person detector offers."""

from dataclasses import dataclass
from typing import Protocol

from realtime_vibe.geometry.crop import RotatedSquare
from realtime_vibe.packets import FloatArray, Frame, ImageArray, TrackedPerson
from realtime_vibe.system.closing import Closable

MAX_GAP_S = 1.0
"""A person who is back after a longer gap is looked for everywhere, and starts with an empty memory."""
NEWCOMER_WAIT_S = 0.5
"""Right after a loss only the lost person is accepted, so that a bystander does not take over."""
OVERFLOW = "frame %d: the landmark network gave numbers that are not finite; nobody is seen there"


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectedPerson:
    """One person as a detector sees it in a single image."""

    score: float
    """Chance in [0, 1] that this is a person."""
    bbox_xyxy: FloatArray
    """(4,) box [px] around the whole body; may reach beyond the image."""
    region: RotatedSquare
    """Where a landmark network should look for this person."""


class PersonDetector(Protocol):
    """Finds people in single images; knows nothing of time."""

    def detect(self, image_bgr: ImageArray) -> tuple[DetectedPerson, ...]:
        """Finds people, best score first; empty when there are none.

        Args:
            image_bgr: (H, W, 3).
        """
        ...

    def close(self) -> None:
        """Frees the network; may be called twice."""
        ...


class PersonTracker(Closable, Protocol):
    """Finds people and keeps their identities over frames."""

    def update(self, frame: Frame) -> tuple[TrackedPerson, ...]:
        """Looks at the next frame of the stream.

        Args:
            frame: times may repeat or jump; going back starts a new track.

        Returns:
            The people in view; empty when there are none.
        """
        ...

    def reset(self) -> None:
        """Forgets all tracks, as after a change of source; identities are not used again."""
        ...
