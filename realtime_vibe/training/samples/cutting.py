"""Cuts sequences of equal length out of recorded streams of any length and frame rate.

Legend: N rows of a stream, S frames of a sequence.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

_TOO_SHORT_TO_HALVE = 32


class Cut(NamedTuple):
    """A part of a stream, filled up at its end."""

    rows: NDArray[np.intp]
    """(S,) rows of the stream; the last one again and again where the stream has ended."""
    weight: FloatArray
    """(S,) 1 for a row, 0 where the last one is only repeated."""


def random_cut(
    length: int, num_frames: int, half_rate_chance: float, rng: np.random.Generator
) -> Cut:
    """Chooses where to cut.

    Args:
        length: N, above 0.
        num_frames: S.
        half_rate_chance: chance to take every other row only; short streams keep all.
    """
    is_halved = rng.random() < half_rate_chance and length > _TOO_SHORT_TO_HALVE
    step = 2 if is_halved else 1
    available = (length - 1) // step + 1
    start = int(rng.integers(0, max(1, available - num_frames + 1))) * step
    wanted = start + step * np.arange(num_frames)
    last = start + step * ((length - 1 - start) // step)
    return Cut(np.minimum(wanted, last), (wanted <= last).astype(np.float32))


def time_steps(dt_s: FloatArray, rows: NDArray[np.intp]) -> FloatArray:
    """(S,) time from row to row [s]: that of the rows in between is added up; 0 on the first.

    Args:
        dt_s: (N,) time of each row since the one before [s].
        rows: (S,) which are kept, ascending.
    """
    times = np.cumsum(dt_s.astype(np.float64))[rows]
    return np.diff(times, prepend=times[0]).astype(np.float32)
