"""What every maker of features offers."""

from abc import abstractmethod

from realtime_vibe.backends.base import AnyArray
from realtime_vibe.geometry.camera import SquareBox, square_of_bbox
from realtime_vibe.packets import Frame, TrackedPerson


class Features:
    """Makes the vectors of the people in a frame.

    Args:
        crop_scale: side of the square over the longer side of a person's box. The camera that the network
            predicts lives in the square with this margin, never in the bare box.
    """

    def __init__(self, crop_scale: float) -> None:
        self._crop_scale = crop_scale

    def square(self, person: TrackedPerson) -> SquareBox:
        """The crop in which the person's weak-perspective camera lives."""
        return square_of_bbox(person.bbox_xyxy, self._crop_scale)

    @abstractmethod
    def extract(self, frame: Frame, people: tuple[TrackedPerson, ...], focal_px: float) -> AnyArray:
        """One row for each of P people, no rows when there are none; the focal length is in px."""

    def close(self) -> None:
        """Frees networks; may be called twice."""
