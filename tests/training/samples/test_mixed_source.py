"""Mixing sources: shares are kept, states come back, nonsense is refused."""

from collections import Counter

import pytest

from realtime_vibe.errors import ConfigError
from realtime_vibe.training.samples.mixed_source import MixedSource


class Counting:
    """Gives its name and how often it was asked."""

    def __init__(self, name):
        self.name, self.count = name, 0

    def sample(self):
        self.count += 1
        return self.name, self.count

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]


def test_shares_are_relative():
    mixed = MixedSource([(Counting("a"), 3), (Counting("b"), 1), (Counting("c"), 0)], seed=0)
    names = Counter(mixed.sample()[0] for _ in range(2000))
    assert names["a"] / 2000 == pytest.approx(0.75, abs=0.04)
    assert names["c"] == 0


def test_a_restored_mixture_goes_on_the_same():
    mixed = MixedSource([(Counting("a"), 1), (Counting("b"), 1)], seed=0)
    for _ in range(7):
        mixed.sample()
    state = mixed.state_dict()
    expected = [mixed.sample() for _ in range(20)]
    other = MixedSource([(Counting("a"), 1), (Counting("b"), 1)], seed=5)
    other.load_state_dict(state)
    assert [other.sample() for _ in range(20)] == expected


def test_nonsense_is_refused(subtests):
    for shares in [[], [0.0, 0.0], [1.0, -0.5]]:
        with subtests.test(shares=shares):
            with pytest.raises(ConfigError, match="shares of the training sources"):
                MixedSource([(Counting("a"), share) for share in shares], seed=0)
