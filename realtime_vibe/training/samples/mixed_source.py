"""Several sources of batches as one: each batch comes from one of them, chosen by share."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from realtime_vibe.errors import ConfigError
from realtime_vibe.training.samples.sequences import SequenceBatch, SequenceSource
from realtime_vibe.training.samples.streams import Seeded


class MixedSource(Seeded):
    """Picks a source for each batch by its share, which is relative; a `SequenceSource` itself.

    Raises:
        ConfigError: no source, a negative share, or none above zero.
    """

    def __init__(self, sources: Sequence[tuple[SequenceSource, float]], seed: int) -> None:
        super().__init__(seed)
        shares = np.array([share for _, share in sources], np.float64)
        if not len(shares) or (shares < 0).any() or shares.sum() <= 0:
            raise ConfigError(
                f"shares of the training sources are {shares.tolist()}, expected numbers of at "
                "least 0 with one above it"
            )
        self._sources = [source for source, _ in sources]
        self._chances = shares / shares.sum()

    def sample(self) -> SequenceBatch:
        """A batch of one of the sources."""
        return self._sources[int(self._rng.choice(len(self._sources), p=self._chances))].sample()

    def state_dict(self) -> dict[str, Any]:
        """State of the choice and of every source."""
        return super().state_dict() | {"sources": [source.state_dict() for source in self._sources]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Puts back what `state_dict` gave."""
        super().load_state_dict(state)
        for source, part in zip(self._sources, state["sources"], strict=True):
            source.load_state_dict(part)
