"""The last N feature vectors as one contiguous array, without copying on read."""

import numpy as np

from realtime_vibe.packets import FloatArray


class FeatureRing:
    """A sliding window of N = `capacity` features of F numbers.

    Every vector is written twice, N rows apart, so that the newest N always lie side by side.
    """

    def __init__(self, capacity: int, feature_size: int) -> None:
        self._capacity = capacity
        self._rows = np.zeros((2 * capacity, feature_size), np.float32)
        self._written = 0

    def __len__(self) -> int:
        return min(self._written, self._capacity)

    def append(self, features: FloatArray) -> None:
        """Adds one (F,) vector; the oldest leaves when the ring is full."""
        slot = self._written % self._capacity
        self._rows[slot] = features
        self._rows[slot + self._capacity] = features
        self._written += 1

    def window(self) -> FloatArray:
        """(len, F) view, oldest first; valid until the next `append`."""
        end = (self._written - 1) % self._capacity + 1 + self._capacity
        return self._rows[end - len(self) : end]

    def clear(self) -> None:
        """Forgets everything."""
        self._written = 0
