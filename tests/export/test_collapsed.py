"""One affine map in place of linear layer, residual and three iterations computes the same."""

import torch

from export.collapsed import CollapsedMotionNetwork
from realtime_vibe.models.regressor import MeanParams, Regressor
from tests.official_vibe import random_motion


def _regressor(**options):
    torch.manual_seed(1)
    mean = MeanParams(torch.randn(144), torch.randn(10), torch.randn(3))
    return Regressor(mean, 20, 16, **options).eval()


@torch.no_grad()
def test_the_affine_map_is_the_iterated_regressor(subtests):
    for iterations in [0, 1, 3, 5]:
        with subtests.test(iterations=iterations):
            regressor = _regressor(num_iterations=iterations)
            for head in (regressor.decpose, regressor.decshape, regressor.deccam):
                torch.nn.init.normal_(head.weight, std=0.2)
            features = torch.randn(7, 20)
            weight, bias = regressor.as_affine()
            estimate = (features.double() @ weight.T + bias).float()
            expected = regressor(features)
            torch.testing.assert_close(estimate[:, 144:154], expected.betas, atol=1e-4, rtol=1e-4)
            torch.testing.assert_close(
                estimate[:, 154:], expected.weak_camera, atol=1e-4, rtol=1e-4
            )


@torch.no_grad()
def test_the_collapsed_network_is_the_released_one_over_a_stream():
    network = random_motion()
    collapsed = CollapsedMotionNetwork(network)
    hidden = state = network.initial_hidden(2)
    for features in torch.rand(60, 2, 2048):
        expected, hidden = network.step(features, hidden)
        got, state = collapsed.step(features, state)
        for found, wanted in zip(got, expected, strict=True):
            torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)


def test_weights_beside_the_gru_become_a_tenth():
    network = random_motion()
    collapsed = CollapsedMotionNetwork(network)
    maps = (*collapsed.of_hidden.parameters(), *collapsed.of_features.parameters())
    beside = (*network.encoder.linear.parameters(), *network.regressor.parameters())
    assert 10 * sum(map(torch.numel, maps)) < sum(map(torch.numel, beside))
