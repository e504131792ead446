"""The rows of a take, loaded a block at a time, so that hours are written in bounded memory.

Of every row a few numbers are in memory (`INDEX`: who was seen when); the rest is loaded where it is needed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.outputs.record.recording_spool import ROW, Rows
from realtime_vibe.packets import FloatArray

BLOCK = 1024
"""Rows that are in memory at once."""

INDEX = np.dtype(
    [
        (name, ROW[name])
        for name in ("frame_index", "timestamp_s", "person_id", "valid", "world_camera")
    ]
)

Numbers = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class TakeRows:
    """N rows of `row_type`."""

    index: Rows
    """(N,) of `INDEX`; what it says of the world and of time holds, whatever is stored."""
    load_stored: Callable[[Numbers], Rows]
    """Gives the rows of some numbers, which lie near each other as a rule."""

    @classmethod
    def of(cls, rows: Rows) -> Self:
        """Rows that are in memory."""
        return cls(index_of(rows), lambda numbers: rows[numbers])

    def __len__(self) -> int:
        return len(self.index)

    def load(self, numbers: Numbers) -> Rows:
        """A copy of some rows."""
        rows = self.load_stored(numbers)
        for name in ("world_camera", "timestamp_s"):
            rows[name] = self.index[name][numbers]
        return rows

    def blocks(self, numbers: Numbers | None = None) -> Iterator[Rows]:
        """Rows in their order, or those of `numbers` in theirs, `BLOCK` at a time."""
        wanted = np.arange(len(self)) if numbers is None else numbers
        for start in range(0, len(wanted), BLOCK):
            yield self.load(wanted[start : start + BLOCK])

    def in_world(self, world_camera: FloatArray) -> Self:
        """The same rows in other worlds, (N, 3, 4)."""
        index = self.index.copy()
        index["world_camera"] = world_camera
        return type(self)(index, self.load_stored)


def rising_times(times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) [s] with the usual step in the place of each step back: formats and their readers take times in order."""
    steps_s = np.diff(times_s)
    forward_s = steps_s[steps_s > 0]
    steps_s[steps_s < 0] = np.median(forward_s) if len(forward_s) else 0.0
    return np.asarray(times_s[0] + np.concatenate([[0.0], np.cumsum(steps_s)]))


def index_of(rows: Rows) -> Rows:
    """(N,) of `INDEX`, a copy."""
    index = np.zeros(len(rows), INDEX)
    for name in INDEX.names or ():
        index[name] = rows[name]
    return index
