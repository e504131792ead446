"""Pieces of batches: every frame once, in order or shuffled, and the place in a batch is found again."""

import numpy as np
import pytest
import torch

from realtime_vibe.errors import ConfigError
from realtime_vibe.training.samples.feeding import Feeder
from realtime_vibe.training.samples.sequences import SequenceBatch


class NumberedFrames:
    """Every frame of every stream has a number of its own; a batch has 20 frames of 3 streams."""

    def __init__(self, num_frames=20):
        self._rng = np.random.default_rng(0)
        self._num_frames = num_frames

    def sample(self):
        first = int(self._rng.integers(1000)) * 1000
        numbers = first + torch.arange(3.0 * self._num_frames).reshape(self._num_frames, 3)
        noise = torch.randn(())
        return SequenceBatch(*(numbers[..., None] for _ in range(len(SequenceBatch._fields) - 1)), noise.expand_as(numbers))  # fmt: skip

    def state_dict(self):
        return {"rng": self._rng.bit_generator.state}

    def load_state_dict(self, state):
        self._rng.bit_generator.state = state["rng"]


def _feeder(**sizes):
    torch.manual_seed(0)
    numbers = {"frames_per_step": 12, "chunk_frames": 8, "min_frames": 4} | sizes
    return Feeder(NumberedFrames(), **numbers)


def test_sequences_come_in_order_and_new_streams_are_announced():
    feeder = _feeder()
    pieces = [feeder.next("sequence") for _ in range(4)]
    assert [piece.starts_streams for piece in pieces] == [True, False, False, True]
    whole = torch.cat([piece.batch.features for piece in pieces[:3]])
    assert whole.shape == (20, 3, 1)
    assert (whole[1:] - whole[:-1] == 3).all()


def test_a_short_rest_is_left_out():
    feeder = _feeder(min_frames=5)
    assert [feeder.next("sequence").starts_streams for _ in range(3)] == [True, False, True]


def test_single_frames_come_once_each():
    feeder = _feeder()
    frames = torch.cat([feeder.next("frames").batch.features.flatten() for _ in range(5)])
    assert len(frames.unique()) == 60
    assert not torch.equal(frames, frames.sort().values)
    assert feeder.next("frames").batch.features.shape == (1, 12, 1)


def test_another_stage_begins_with_a_new_batch():
    feeder = _feeder()
    frames = feeder.next("frames").batch.features
    piece = feeder.next("sequence")
    assert piece.starts_streams
    assert abs(float(piece.batch.features[0, 0] - frames.min())) >= 100


def test_a_source_of_too_short_sequences_is_refused():
    feeder = _feeder(min_frames=21)
    with pytest.raises(ConfigError, match="20 frames, expected 21"):
        feeder.next("sequence")


def test_a_restored_feeder_goes_on_where_it_was(subtests):
    for taken in [0, 1, 2, 5]:
        for stage in ["frames", "sequence"]:
            with subtests.test(taken=taken, stage=stage):
                feeder = _feeder()
                for _ in range(taken):
                    feeder.next(stage)
                state, noise = feeder.state_dict(), torch.get_rng_state()
                expected = [feeder.next(stage) for _ in range(7)]
                restored = Feeder(NumberedFrames(), 12, 8, 4)
                torch.manual_seed(99)
                restored.load_state_dict(state)
                torch.set_rng_state(noise)
                for piece in expected:
                    again = restored.next(stage)
                    assert again.starts_streams == piece.starts_streams
                    for part, before in zip(again.batch, piece.batch, strict=True):
                        torch.testing.assert_close(part, before, rtol=0, atol=0)
