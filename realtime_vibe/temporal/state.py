"""What is remembered of each person between frames."""

from collections import deque
from dataclasses import dataclass

import numpy as np

from realtime_vibe.packets import NUM_BETAS, FloatArray
from realtime_vibe.temporal.depth_filter import DepthFilter
from realtime_vibe.temporal.landmark_smoothing import LandmarkSmoother
from realtime_vibe.temporal.smoothing import PositionSmoother, RotationSmoother, TiltSmoother

MAX_SHAPE_FRAMES = 600
"""The running mean of betas forgets beyond this many frames, so a wrong start heals."""
SHAPE_STEP = 0.02
"""A new mean is given out when a coefficient moved this far [standard deviations]: under a millimetre."""
HELD_FRAMES = 15
"""And at the latest after so many frames: two streams that share these must not keep different shapes for ever."""


class RunningShape:
    """Mean of betas: a person has one body shape (Kocabas et al. 2020, sec. 3.1).

    At first frames weigh in proportion to their number: an empty memory's estimates are the worst.
    """

    def __init__(self) -> None:
        self._mean: FloatArray = np.zeros(NUM_BETAS, np.float32)
        self._given: FloatArray = self._mean
        self._frames = self._held = 0

    def update(self, betas: FloatArray) -> FloatArray:
        """Takes one (10,) estimate and returns the mean (10,), for some frames the same array while it hardly moves.

        An unchanged shape saves the body half its work, and steps this small nobody sees.
        """
        self._frames += 1
        share = max(2.0 / (self._frames + 1), 1.0 / MAX_SHAPE_FRAMES)
        self._mean = self._mean + np.float32(share) * (betas - self._mean)
        self._held += 1
        has_moved = np.abs(self._mean - self._given).max() > SHAPE_STEP
        if self._frames == 1 or has_moved or self._held >= HELD_FRAMES:
            self._given, self._held = self._mean, 0
        return self._given

    def reset(self) -> None:
        """Starts over with the next estimate."""
        self._frames = 0


class Filters:
    """What smooths one person, with a strength in (0, 1]."""

    def __init__(self, strength: float) -> None:
        self.landmarks = LandmarkSmoother(strength)
        self.rotations = RotationSmoother(strength)
        self.position = PositionSmoother(strength)
        self.tilts = TiltSmoother(strength)
        self.depth = DepthFilter()


@dataclass(slots=True, kw_only=True)
class TemporalState:
    """Memory of one track; replaced, not repaired, after a long gap."""

    hidden: FloatArray
    """(L, 1, H) recurrent state."""
    window: deque[FloatArray]
    """Ring buffer of the last features, (1, F) each; window mode alone fills it."""
    shape: RunningShape
    filters: Filters | None
    """None when smoothing is off."""
    last_seen_s: float
    dt_s: float = 0.0
    """Between the last two frames of the person [s]."""
    feet_are_seen: bool = False
    """In the last frame."""
    frames: int = 0
    """Frames of this memory so far; demo mode alone counts them."""
