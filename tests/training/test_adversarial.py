"""Generator and discriminator steps: who learns, who does not, and that real is distinguished from made up."""

import copy

import pytest
import torch

from realtime_vibe.models.motion_discriminator import MotionDiscriminator
from realtime_vibe.models.regressor import MeanParams
from realtime_vibe.models.rotation import rotmat_from_rot6d
from realtime_vibe.training.adversarial import (
    PAIR_EVERY,
    Adversary,
    FramePlan,
    Generator,
    GeneratorPass,
    discriminator_step,
    frame_pairs,
    generator_step,
)
from realtime_vibe.training.learner import Learner, Precision
from realtime_vibe.training.losses import LossWeights, Objective
from realtime_vibe.training.network import FeatureStatistics, NetworkSize, build_network
from realtime_vibe.training.samples.sequences import (
    SequenceBatch,
    SequenceSampler,
    SequenceSettings,
)
from realtime_vibe.training.samples.streams import RealMotion, StreamSettings
from realtime_vibe.training.samples.tracker_noise import NoiseLevels

CPU = Precision(device=torch.device("cpu"))
NOTHING = LossWeights(joints=0, image=0, pose=0, shape=0, camera=0, velocity=0)


@pytest.fixture(scope="module")
def batch(waving_pool, skeleton):
    torch.manual_seed(0)
    settings = SequenceSettings(num_frames=20, num_streams=6)
    return SequenceSampler(waving_pool, skeleton, settings, NoiseLevels(), seed=0).sample()


def _network(batch, skeleton_parts):
    torch.manual_seed(1)
    mean = MeanParams(torch.randn(144), torch.zeros(10), torch.tensor([0.9, 0.0, 0.0]))
    size = NetworkSize(embedded=32, hidden=32, regressor=32, dropout=0.0)
    features = batch.features.shape[-1]
    statistics = FeatureStatistics(torch.zeros(features), torch.ones(features))
    network = build_network(size, statistics, mean, skeleton_parts)
    # A recurrent branch that already speaks: it starts silent, which would hide its gradient.
    torch.nn.init.normal_(network.encoder.linear.weight, std=0.1)
    return network.train()


def _generator(network, weights=None, precision=CPU):
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    return Generator(
        passes=GeneratorPass(network),
        learner=Learner(network.parameters(), optimizer, precision),
        objective=Objective(weights=weights or LossWeights()),
    )


def _adversary(rate=2e-3, precision=CPU):
    torch.manual_seed(2)
    network = MotionDiscriminator(276, 24, 1).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    learner = Learner(network.parameters(), optimizer, precision, None)
    return Adversary(
        network=network, wrapped=network, learner=learner, representation="rot6d_change", weight=0.5
    )


def _snapshot(network):
    return copy.deepcopy(network.state_dict())


def _total(result):
    weights = LossWeights()
    return sum(value * getattr(weights, name) for name, value in result.terms.items())


def _same(network, before):
    return {
        name for name, value in network.state_dict().items() if torch.equal(value, before[name])
    }


WINDOW = FramePlan(0, (slice(2, 18), torch.tensor([4, 1])))


def test_a_generator_step_changes_the_network_alone(batch, skeleton_parts):
    network, adversary = _network(batch, skeleton_parts), _adversary()
    generator = _generator(network)
    before, judge = _snapshot(network), _snapshot(adversary.network)
    result = generator_step(
        generator, batch, network.initial_hidden(6), WINDOW, adversary, adversarial_weight=0.5
    )
    assert _same(adversary.network, judge) == judge.keys()
    assert all(parameter.grad is None for parameter in adversary.network.parameters())
    assert all(parameter.requires_grad for parameter in adversary.network.parameters())
    fixed = {name for name, _ in network.named_buffers() if name in before}
    assert _same(network, before) == fixed
    assert result.terms["adversarial"] > 0
    assert result.window_rotmat.shape == (16, 2, 24, 3, 3)
    assert not result.window_rotmat.requires_grad
    assert not result.hidden.requires_grad


def test_a_discriminator_step_changes_the_discriminator_alone(batch, skeleton_parts):
    network, adversary = _network(batch, skeleton_parts), _adversary()
    generated = GeneratorPass(network)(batch.features, network.initial_hidden(6), WINDOW)
    before, judge = _snapshot(network), _snapshot(adversary.network)
    discriminator_step(adversary, batch.rotmat[:16], generated.window_rotmat)
    assert _same(network, before) == before.keys()
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not _same(adversary.network, judge)


def test_the_adversarial_gradient_reaches_the_recurrent_encoder(batch, skeleton_parts):
    """All other terms weigh nothing, so whatever moves is moved by L_adv."""
    network, adversary = _network(batch, skeleton_parts), _adversary()
    generator = _generator(network, NOTHING)
    generator_step(generator, batch, network.initial_hidden(6), WINDOW, adversary, 1.0)
    for name in ("weight_ih_l0", "weight_hh_l0", "weight_ih_l1", "weight_hh_l1"):
        assert getattr(network.encoder.gru, name).grad.abs().max() > 0, name
    assert network.embedding.fc1.weight.grad.abs().max() > 0


def test_without_weight_or_window_the_adversary_says_nothing(batch, skeleton_parts):
    network, adversary = _network(batch, skeleton_parts), _adversary()
    generator = _generator(network, NOTHING)
    generator_step(generator, batch, network.initial_hidden(6), WINDOW, adversary, 0.0)
    assert network.encoder.gru.weight_hh_l0.grad.abs().max() == 0
    result = generator_step(generator, batch, network.initial_hidden(6), FramePlan(0), adversary, 1)
    assert "adversarial" not in result.terms
    assert result.window_rotmat is None


def test_the_judged_window_is_what_the_whole_network_says(batch, skeleton_parts):
    network = _network(batch, skeleton_parts).eval()
    generated = GeneratorPass(network)(batch.features, network.initial_hidden(6), WINDOW)
    whole = network(batch.features, network.initial_hidden(6))
    torch.testing.assert_close(generated.window_rotmat, whole.params.rotmat[2:18, [4, 1]])
    torch.testing.assert_close(generated.iterations.last.betas, frame_pairs(whole.params.betas, 0))
    torch.testing.assert_close(generated.hidden, whole.hidden)


def test_noisy_motion_is_distinguished_from_real_motion(waving_pool):
    """Same poses, but every frame shaken by 0.2 rad: a second of training tells them apart."""
    torch.manual_seed(3)
    adversary = _adversary(rate=3e-3)
    real_motion = RealMotion(waving_pool, StreamSettings(), seed=0)
    dt_s = torch.full((16, 16), 1 / 30)

    def draw():
        real, other = real_motion.sample(dt_s), real_motion.sample(dt_s)
        shaken = other[..., :2].flatten(-2) + 0.2 * torch.randn(*other.shape[:-2], 6)
        return real, rotmat_from_rot6d(shaken)

    first = discriminator_step(adversary, *draw())
    for _ in range(80):
        last = discriminator_step(adversary, *draw())
    assert float(first["score_real"] - first["score_fake"]) < 0.3
    assert float(last["score_real"] - last["score_fake"]) > 0.7


def test_the_generator_learns_to_please_a_fixed_judge(batch, skeleton_parts):
    network, adversary = _network(batch, skeleton_parts), _adversary()
    generator = _generator(network, NOTHING)
    losses = [
        float(
            generator_step(
                generator, batch, network.initial_hidden(6), WINDOW, adversary, 1.0
            ).terms["adversarial"]
        )
        for _ in range(25)
    ]
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])


@pytest.mark.parametrize("per_frame", [True, False])
def test_training_lowers_the_loss(batch, per_frame, skeleton_parts):
    network = _network(batch, skeleton_parts)
    generator = _generator(network)
    totals = []
    for _ in range(30):
        piece, hidden, plan = batch, network.initial_hidden(6), FramePlan(0)
        if per_frame:
            piece = SequenceBatch(*(part.flatten(0, 1)[None] for part in batch))
            hidden, plan = None, FramePlan()
        result = generator_step(generator, piece, hidden, plan)
        totals.append(_total(result).item())
    assert totals[-1] < 0.7 * totals[0]


def test_mixed_precision_gives_nearly_the_same(batch, skeleton_parts):
    """bfloat16 works on a CPU too, so the path meant for CUDA runs here: networks short, losses long."""
    short = Precision(device=torch.device("cpu"), dtype=torch.bfloat16)
    losses = []
    for precision in (CPU, short):
        network, adversary = (
            _network(batch, skeleton_parts),
            _adversary(precision=precision),
        )
        generator = _generator(network, precision=precision)
        hidden = network.initial_hidden(6)
        result = generator_step(generator, batch, hidden, WINDOW, adversary, 0.5)
        terms = discriminator_step(adversary, batch.rotmat[:16, :2], result.window_rotmat)
        assert result.hidden.dtype is result.window_rotmat.dtype is torch.float32
        assert result.terms["joints"].dtype is terms["discriminator"].dtype is torch.float32
        assert all(p.dtype is torch.float32 and p.isfinite().all() for p in network.parameters())
        losses.append((_total(result), result.terms["adversarial"], terms["discriminator"]))
    for exact, mixed in zip(*losses, strict=True):
        assert float(exact) != float(mixed)
        assert float(mixed) == pytest.approx(float(exact), rel=0.03)


def test_pairs_are_neighbours():
    values = torch.arange(40.0)[:, None].expand(40, 3) + torch.tensor([0.0, 100.0, 200.0])
    pairs = frame_pairs(values, 2)
    assert pairs.shape == (2, 3 * len(range(2, 39, PAIR_EVERY)))
    torch.testing.assert_close(pairs[1] - pairs[0], torch.ones_like(pairs[0]))
