"""Rates over a run, clipped gradients, untouched parameters, and the precision of each device."""

import copy
import itertools

import pytest
import torch
from torch import nn

from realtime_vibe.training.learner import AveragedWeights, Learner, Precision, rate_share

CPU = Precision(device=torch.device("cpu"))


def test_the_rate_rises_then_falls_to_a_hundredth():
    shares = [rate_share(step, 1000, 100) for step in range(1000)]
    assert shares[0] == pytest.approx(0.01)
    assert max(shares) == pytest.approx(0.976, abs=0.01)
    assert shares.index(max(shares)) == 99
    assert all(before > after for before, after in itertools.pairwise(shares[99:]))
    assert rate_share(1000, 1000, 100) == pytest.approx(0.01)
    assert rate_share(550, 1000, 0) == pytest.approx(0.01 + 0.99 * 0.5 * (1 - 0.1564), rel=1e-3)


def test_a_step_is_no_longer_than_its_rate_says():
    layer = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(layer.weight)
    learner = Learner(layer.parameters(), torch.optim.SGD(layer.parameters(), lr=0.2), CPU, 1.0)
    learner.set_rate(0.5)
    learner.descend(-1000 * layer.weight.sum())
    assert layer.weight.item() == pytest.approx(0.1, rel=1e-4)


def test_parameters_out_of_the_graph_stay():
    used, unused = nn.Linear(1, 1), nn.Linear(1, 1)
    parameters = [*used.parameters(), *unused.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=0.1, weight_decay=0.5)
    before = unused.weight.item()
    Learner(parameters, optimizer, CPU).descend(used(torch.ones(1)).sum())
    assert unused.weight.item() == before


def test_a_stored_optimizer_goes_on_as_before():
    def made():
        layer = nn.Linear(2, 1)
        nn.init.ones_(layer.weight)
        nn.init.zeros_(layer.bias)
        return layer, Learner(layer.parameters(), torch.optim.Adam(layer.parameters(), lr=0.1), CPU)

    def step(layer, learner, inputs):
        learner.descend(layer(inputs).square().sum())

    (first, learner), (second, other) = made(), made()
    step(first, learner, torch.tensor([1.0, 2.0]))
    second.load_state_dict(first.state_dict())
    other.load_state_dict(copy.deepcopy(learner.state_dict()))
    for layer, one in ((first, learner), (second, other)):
        step(layer, one, torch.tensor([-1.0, 0.5]))
    assert torch.equal(first.weight, second.weight)


def test_a_cpu_computes_in_32_bits():
    precision = Precision.chosen(torch.device("cpu"), "auto")
    assert precision.dtype is torch.float32
    with precision.autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is torch.float32
    assert not precision.scaler().is_enabled()
    assert Precision.chosen(torch.device("cuda"), "fp32").dtype is torch.float32


def test_cuda_computes_in_16_bits_with_scaled_losses():
    precision = Precision.chosen(torch.device("cuda"), "auto")
    assert precision.dtype is torch.float16
    if torch.cuda.is_available():
        assert precision.scaler().is_enabled()


def test_sixteen_bits_for_the_network_alone():
    """bfloat16 works on a CPU too, so the mixed path is run here although it is meant for CUDA."""
    precision = Precision(device=torch.device("cpu"), dtype=torch.bfloat16)
    layer = nn.Linear(4, 4)
    with precision.autocast():
        out = layer(torch.ones(2, 4))
    assert out.dtype is torch.bfloat16
    Learner(layer.parameters(), torch.optim.Adam(layer.parameters()), precision).descend(
        out.float().square().sum()
    )
    assert layer.weight.grad.dtype is torch.float32


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
