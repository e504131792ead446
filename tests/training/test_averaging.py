"""The moving average by hand, in place of the network for a while, and from a stored state."""

import pytest
from torch import nn

from realtime_vibe.training.averaging import AveragedWeights


def _network(value):
    network = nn.Linear(1, 1, bias=False)
    nn.init.constant_(network.weight, value)
    return network


def test_early_steps_weigh_more():
    """Decay is the smaller of the given one and (1 + n) / (10 + n)."""
    network = _network(0.0)
    averaged = AveragedWeights(network, decay=0.25)
    nn.init.constant_(network.weight, 1.0)
    averaged.update(network)
    assert averaged.values["weight"].item() == pytest.approx(1 - 2 / 11)
    averaged.update(network)
    assert averaged.values["weight"].item() == pytest.approx(1 - 2 / 11 * 0.25)


def test_the_network_gets_its_own_weights_back():
    network = _network(5.0)
    averaged = AveragedWeights(network, decay=0.9)
    nn.init.constant_(network.weight, 7.0)
    with averaged.in_place_of(network):
        assert network.weight.item() == 5.0
    assert network.weight.item() == 7.0


def test_a_stored_average_goes_on_as_before():
    network = _network(0.0)
    averaged = AveragedWeights(network, decay=0.9)
    nn.init.constant_(network.weight, 1.0)
    averaged.update(network)
    restored = AveragedWeights(_network(3.0), decay=0.9)
    restored.load_state_dict(averaged.state_dict())
    averaged.update(network)
    restored.update(network)
    assert restored.values["weight"].item() == averaged.values["weight"].item()
