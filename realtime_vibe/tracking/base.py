"""What every person tracker offers."""

from types import TracebackType
from typing import Protocol, Self

from realtime_vibe.packets import Frame, TrackedPerson


class PersonTracker(Protocol):
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

    def close(self) -> None:
        """Frees the networks; may be called twice."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
