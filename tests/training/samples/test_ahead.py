"""Batches drawn ahead: found again after an interruption, errors heard, no process left."""

import multiprocessing

import pytest
import torch

from realtime_vibe.errors import TrainingError
from realtime_vibe.training.samples.ahead import SampledAhead
from realtime_vibe.training.samples.sequences import SequenceSampler, SequenceSettings
from realtime_vibe.training.samples.tracker_noise import NoiseLevels


class Failing:
    def sample(self):
        raise ValueError("no motion left")

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


@pytest.fixture
def source(waving_pool, skeleton):
    settings = SequenceSettings(num_frames=4, num_streams=2)
    sampler = SequenceSampler(waving_pool, skeleton, settings, NoiseLevels(), seed=0)
    ahead = SampledAhead(sampler, seed=1)
    yield ahead
    ahead.close()
    assert not multiprocessing.active_children()


def _same(first, second):
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_state_put_back_draws_the_same_batches_whatever_else_draws(source):
    first = source.sample()
    state = source.state_dict()
    second, third = source.sample(), source.sample()
    torch.rand(7)
    source.load_state_dict(state)
    assert _same(source.sample(), second)
    assert _same(source.sample(), third)
    assert not _same(first, second)


def test_the_trainer_s_generator_is_left_alone(source):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    source.sample()
    assert torch.equal(torch.get_rng_state(), before)


def test_what_fails_in_the_process_is_heard():
    with pytest.raises(TrainingError, match="no motion left"):
        SampledAhead(Failing(), seed=0).sample()
    assert not multiprocessing.active_children()
