"""The network: streaming equals the whole sequence, people do not mix, layers match the formats."""

import torch

from realtime_vibe.models.motion_network import MotionNetwork
from realtime_vibe.models.regressor import MeanParams, Regressor
from realtime_vibe.models.temporal_encoder import TemporalEncoder


def _network(
    feature_size: int = 20, hidden: int = 12, layers: int = 2, **options: float
) -> MotionNetwork:
    torch.manual_seed(0)
    mean = MeanParams(torch.randn(144), torch.randn(10), torch.tensor([0.9, 0.0, 0.0]))
    encoder = TemporalEncoder(feature_size, hidden, layers, **options)
    return MotionNetwork(encoder, Regressor(mean, feature_size, 16)).eval()


@torch.no_grad()
def test_frame_by_frame_equals_the_whole_sequence(subtests):
    for retention in [1.0, 0.9]:
        for layers in [1, 2, 3]:
            with subtests.test(retention=retention, layers=layers):
                network = _network(layers=layers, retention=retention)
                features = torch.randn(40, 3, 20)
                whole = network(features, network.initial_hidden(3))
                hidden = network.initial_hidden(3)
                for frame in range(40):
                    out = network.step(features[frame], hidden)
                    hidden = out.hidden
                    for streamed, expected in zip(out.params, whole.params, strict=True):
                        torch.testing.assert_close(streamed, expected[frame], atol=1e-5, rtol=1e-5)
                torch.testing.assert_close(hidden, whole.hidden, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_a_sequence_may_be_cut_anywhere():
    network = _network()
    features = torch.randn(30, 2, 20)
    whole = network(features, network.initial_hidden(2))
    first = network(features[:11], network.initial_hidden(2))
    second = network(features[11:], first.hidden)
    joined = torch.cat([first.params.rotmat, second.params.rotmat])
    torch.testing.assert_close(joined, whole.params.rotmat, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_the_past_never_depends_on_the_future():
    network = _network()
    features = torch.randn(20, 1, 20)
    changed = features.clone()
    changed[10:] += 1.0
    before = network(features, network.initial_hidden(1)).params.rotmat[:10]
    after = network(changed, network.initial_hidden(1)).params.rotmat[:10]
    torch.testing.assert_close(before, after)


@torch.no_grad()
def test_people_do_not_mix():
    network = _network()
    features, hidden = torch.randn(4, 20), torch.randn(2, 4, 12)
    together = network.step(features, hidden)
    alone = network.step(features[2:3], hidden[:, 2:3])
    torch.testing.assert_close(together.params.rotmat[2:3], alone.params.rotmat)
    torch.testing.assert_close(together.hidden[:, 2:3], alone.hidden)


@torch.no_grad()
def test_rotations_are_rotations():
    network = _network()
    rotmat = network.step(torch.randn(5, 20), network.initial_hidden(5)).params.rotmat
    identity = torch.eye(3).expand_as(rotmat)
    torch.testing.assert_close(rotmat @ rotmat.mT, identity, atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.linalg.det(rotmat), torch.ones(5, 24), atol=1e-5, rtol=0)


@torch.no_grad()
def test_paper_sizes_have_the_released_names_and_shapes():
    mean = MeanParams(torch.zeros(144), torch.zeros(10), torch.zeros(3))
    state = MotionNetwork(TemporalEncoder(), Regressor(mean)).state_dict()
    assert state["encoder.gru.weight_ih_l0"].shape == (3072, 2048)
    assert state["encoder.gru.weight_hh_l1"].shape == (3072, 1024)
    assert state["encoder.linear.weight"].shape == (2048, 1024)
    assert state["regressor.fc1.weight"].shape == (1024, 2205)
    assert state["regressor.decpose.weight"].shape == (144, 1024)
    assert state["regressor.init_pose"].shape == (1, 144)


@torch.no_grad()
def test_without_corrections_the_regressor_returns_the_mean():
    mean = MeanParams(torch.randn(144), torch.randn(10), torch.tensor([0.9, 0.1, -0.1]))
    regressor = Regressor(mean, 8, 16).eval()
    for head in (regressor.decpose, regressor.decshape, regressor.deccam):
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.zeros_(head.bias)
    out = regressor(torch.randn(2, 5, 8))
    torch.testing.assert_close(out.betas, mean.shape.expand(2, 5, 10))
    torch.testing.assert_close(out.weak_camera, mean.camera.expand(2, 5, 3))


@torch.no_grad()
def test_the_regressor_equals_its_definition():
    """Kanazawa et al. 2018: concatenate, fc1, fc2, add each head's correction; three times."""
    torch.manual_seed(3)
    mean = MeanParams(torch.randn(144), torch.randn(10), torch.randn(3))
    regressor = Regressor(mean, 20, 16).eval()
    features = torch.randn(6, 20)
    pose, shape, camera = (part.expand(6, -1) for part in mean)
    for _ in range(3):
        x = torch.cat([features, pose, shape, camera], dim=-1)
        x = regressor.fc2(regressor.fc1(x))
        pose = pose + regressor.decpose(x)
        shape = shape + regressor.decshape(x)
        camera = camera + regressor.deccam(x)
    out = regressor(features)
    torch.testing.assert_close(out.betas, shape, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(out.weak_camera, camera, atol=1e-5, rtol=1e-5)
    assert out.rotmat.shape == (6, 24, 3, 3)
