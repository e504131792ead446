"""One person who is followed by a box: where it moves, how it takes over a detection, when it hides."""

import math

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.packets import FloatArray
from realtime_vibe.tracking.base import DetectedPerson
from realtime_vibe.tracking.boxes import longer_side
from realtime_vibe.tracking.median_flow import BoxMove

TAKE_OVER_S = 0.1
"""Time in which two thirds of a detection's correction are taken over."""
UNSEEN_SHOWN_S = 0.3
"""So long a person is shown whom the detector does not confirm: it misses single frames."""
_COASTING_S = 0.5
"""Time in which an unseen person's speed falls to a third."""
_SPEED_SHARE = 0.3
"""Of the newest speed in the running mean."""


class BoxTrack:
    """A box that goes on between detections, the first at `now_s` [s].

    The box is held as middle and size, with what is left of the last correction beside it: a jump of
    its size would shake the crop that the network sees.
    """

    def __init__(self, track_id: int, found: DetectedPerson, now_s: float) -> None:
        self.track_id = track_id
        self.score = found.score
        self.last_seen_s = now_s
        """Time at which the person was last shown [s]."""
        self.is_shown = True
        self.is_flowing = True
        """Whether the picture said how the box moved."""
        self._unseen_since_s: float | None = None
        self._now_s = now_s
        self._middle, self._size = _split(found.bbox_xyxy)
        self._left_over = np.zeros(4)
        """Middle [sizes] and log of size that the shown box is still away."""
        self._speed = np.zeros(2)
        """[px/s]."""

    @property
    def bbox_xyxy(self) -> FloatArray:
        """(4,) the box to show."""
        size = self._size * np.exp(self._left_over[2:])
        middle = self._middle + self._left_over[:2] * self._size
        return np.concatenate([middle - 0.5 * size, middle + 0.5 * size]).astype(np.float32)

    @property
    def is_missed(self) -> bool:
        """Whether the detector did not confirm the person when it last looked."""
        return self._unseen_since_s is not None

    def reach_px(self, now_s: float) -> float:
        """How far away a detection at `now_s` [s] can be this person where it hardly overlaps the box.

        Returns:
            0 while the picture holds the box; else half a body, and two a second [px].
        """
        if self.is_shown and self.is_flowing:
            return 0.0
        return longer_side(self.bbox_xyxy) * (0.3 + 1.2 * (now_s - self.last_seen_s))

    def move(self, step: BoxMove | None, now_s: float) -> None:
        """Goes to the next frame, at `now_s` [s]; without a step the box coasts on with its last speed."""
        dt_s = now_s - self._now_s
        self._now_s = now_s
        self._left_over *= math.exp(-dt_s / TAKE_OVER_S)
        self.is_flowing = step is not None
        if step is None:
            self._middle = self._middle + self._speed * dt_s
            self._speed = self._speed * math.exp(-dt_s / _COASTING_S)
            return
        self._middle = self._middle + step.shift_px
        self._size = self._size * step.scaling
        if dt_s > 0:
            self._speed = self._speed + _SPEED_SHARE * (step.shift_px / dt_s - self._speed)

    def confirm(self, found: DetectedPerson) -> None:
        """Takes a detection over: at once when the person was lost, else little by little."""
        shown = _split(self.bbox_xyxy)
        was_shown = self.is_shown
        self._middle, self._size = _split(found.bbox_xyxy)
        if was_shown:
            away = (shown[0] - self._middle) / self._size
            self._left_over = np.concatenate([away, np.log(shown[1] / self._size)])
        else:
            self._left_over = np.zeros(4)
            self._speed = np.zeros(2)
        self.score = found.score
        self.is_shown = True
        self._unseen_since_s = None

    def miss(self) -> None:
        """Notes that the detector looked and did not find the person."""
        if self._unseen_since_s is None:
            self._unseen_since_s = self._now_s

    def show(self, picture_size: tuple[int, int]) -> float | None:
        """Decides whether the person is shown in the present frame, of (width, height) [px].

        Returns:
            Time since the person was last shown [s]; None: not shown. Hidden people stay hidden until
            a detection confirms them.
        """
        is_doubtful = (
            self._unseen_since_s is not None and self._now_s - self._unseen_since_s > UNSEEN_SHOWN_S
        )
        is_outside = bool(np.any(self._middle < 0) or np.any(self._middle > picture_size))
        if is_doubtful or is_outside:
            self.is_shown = False
        if not self.is_shown:
            return None
        dt_s = self._now_s - self.last_seen_s
        self.last_seen_s = self._now_s
        return dt_s


def _split(bbox_xyxy: FloatArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(2,) middle and (2,) size, at least a pixel."""
    low, high = bbox_xyxy[:2].astype(np.float64), bbox_xyxy[2:].astype(np.float64)
    return 0.5 * (low + high), np.maximum(high - low, 1.0)
