"""The loop: equal to the bit after an interruption, every variant runs, files are whole, errors are clear."""

import csv
import json
import os
import signal
from dataclasses import replace

import pytest
import torch

from realtime_vibe.errors import ConfigError, DatasetError
from realtime_vibe.models.checkpoint import DISCRIMINATOR_KEY
from realtime_vibe.models.motion_discriminator import MotionDiscriminator
from realtime_vibe.training.distributed import joined_processes
from realtime_vibe.training.losses import PAPER_WEIGHTS, Objective
from realtime_vibe.training.network import NetworkSize, load_network
from realtime_vibe.training.samples.mixed_source import MixedSource
from realtime_vibe.training.samples.sequences import SequenceSampler, SequenceSettings
from realtime_vibe.training.samples.tracker_noise import NoiseLevels
from realtime_vibe.training.settings import (
    RELEASED_DISCRIMINATOR,
    DiscriminatorSettings,
    TrainSettings,
)
from realtime_vibe.training.trainer import Start, TrainingData, train

SETTINGS = TrainSettings(
    steps=6,
    per_frame_share=0.34,
    frames_per_step=60,
    chunk_frames=16,
    warmup_steps=2,
    curve_every=2,
    discriminator=DiscriminatorSettings(hidden=8, num_windows=2, rise_steps=2),
    size=NetworkSize(embedded=16, hidden=16, regressor=16, dropout=0.1),
)


class Signalling:
    """A source that sends this process SIGTERM while it draws its n-th batch."""

    def __init__(self, source, when):
        self._source, self._left = source, when

    def sample(self):
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGTERM)
        return self._source.sample()

    def state_dict(self):
        return self._source.state_dict()

    def load_state_dict(self, state):
        self._source.load_state_dict(state)


@pytest.fixture
def data(waving_pool, skeleton, skeleton_parts):
    """New sources each time it is called: two samplers with different numbers of streams."""

    def made(signal_at=None):
        settings = [SequenceSettings(num_frames=40, num_streams=count) for count in (3, 4)]
        samplers = [
            SequenceSampler(waving_pool, skeleton, one, NoiseLevels(), seed=seed)
            for seed, one in enumerate(settings)
        ]
        source = MixedSource([(samplers[0], 1.0), (samplers[1], 1.0)], seed=3)
        if signal_at is not None:
            source = Signalling(source, signal_at)
        return TrainingData(source=source, pool=waving_pool, skeleton=skeleton_parts)

    return made


def _train(out, data, settings=SETTINGS, **start):
    with joined_processes("cpu") as place:
        return train(settings, data, out, place, Start(**start))


def _curve(out):
    with (out / "curve.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    return [[cell for name, cell in zip(rows[0], row, strict=True) if name != "seconds"] for row in rows]  # fmt: skip


def _weights(out):
    saved = torch.load(out / "checkpoint.pt", weights_only=True)
    parts = {"raw": saved["network"], "average": saved["averaged"]["values"]}
    if "discriminator" in saved:
        parts["discriminator"] = saved["discriminator"]
    return {
        f"{part} {name}": value for part, state in parts.items() for name, value in state.items()
    }


def _equal(first, second):
    assert first.keys() == second.keys()
    return all(torch.equal(first[name], second[name]) for name in first)


# The first four batches measure the features; the fifth feeds both frame steps (2 of 2 pieces and then
# the stage changes), the sixth and seventh two steps each of a sequence, ...
@pytest.mark.parametrize(("signal_at", "steps"), [(5, 1), (6, 3), (7, 5)])
def test_an_interrupted_run_equals_one_that_was_not(tmp_path, data, signal_at, steps):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    _train(whole, data())
    handler = signal.getsignal(signal.SIGTERM)
    stopped = _train(parts, data(signal_at))
    assert (stopped.finished, stopped.steps) == (False, steps)
    assert signal.getsignal(signal.SIGTERM) is handler
    assert not _equal(_weights(parts), _weights(whole))
    resumed = _train(parts, data(), resume=True)
    assert (resumed.finished, resumed.steps) == (True, 6)
    assert _equal(_weights(parts), _weights(whole))
    assert _curve(parts) == _curve(whole)


def test_another_seed_gives_other_weights(tmp_path, data):
    _train(tmp_path / "a", data())
    _train(tmp_path / "b", data(), replace(SETTINGS, seed=8))
    assert not _equal(_weights(tmp_path / "a"), _weights(tmp_path / "b"))


def test_the_curve_has_adversarial_columns_in_sequences_only(tmp_path, data):
    _train(tmp_path, data())
    header, frames, *sequences = _curve(tmp_path)
    row = dict(zip(header, frames, strict=True))
    assert row["step"] == "2"
    assert float(row["joints"]) > 0
    assert row["adversarial"] == row["score_real"] == ""
    for cells in sequences:
        assert all(float(cell) == pytest.approx(float(cell)) for cell in cells)
    assert len(sequences) == 2


def test_without_a_discriminator_there_is_none(tmp_path, data):
    _train(tmp_path, data(), replace(SETTINGS, discriminator=None))
    assert not [name for name in _weights(tmp_path) if name.startswith("discriminator")]
    assert all(row[-1] == "" for row in _curve(tmp_path)[1:])


def test_the_released_recipe_runs(tmp_path, data):
    sizes = DiscriminatorSettings(
        representation="axis_angle", hidden=12, layers=2, num_windows=2, learning_rate=1e-4
    )
    settings = replace(
        SETTINGS,
        discriminator=sizes,
        objective=Objective(form="paper", weights=PAPER_WEIGHTS),
    )
    assert _train(tmp_path, data(), settings).finished


def test_the_released_discriminator_goes_on_learning(tmp_path, data):
    released = {DISCRIMINATOR_KEY: MotionDiscriminator().state_dict()}
    torch.save(released, tmp_path / "vibe.pth.tar")
    # So slow that the weights it begins with are still to be seen.
    slow = replace(RELEASED_DISCRIMINATOR, learning_rate=1e-9, weight_decay=0.0, num_windows=2)
    settings = replace(SETTINGS, steps=3, discriminator=slow)
    source = {"discriminator": tmp_path / "vibe.pth.tar"}
    assert _train(tmp_path / "run", data(), settings, **source).finished
    found, expected = _weights(tmp_path / "run"), released[DISCRIMINATOR_KEY]
    for name in ("gru.weight_ih_l0", "attention.attention.6.weight", "fc.bias"):
        torch.testing.assert_close(found[f"discriminator {name}"], expected[name])
    with pytest.raises(ConfigError, match="other sizes"):
        _train(tmp_path / "other", data(), **source)


def test_the_network_file_holds_the_average_and_where_it_comes_from(tmp_path, data):
    result = _train(tmp_path, data())
    network, size, provenance = load_network(result.network)
    assert size == SETTINGS.size
    weights = _weights(tmp_path)
    assert _equal(
        {f"average {name}": value for name, value in network.state_dict().items()},
        {name: value for name, value in weights.items() if name.startswith("average")},
    )
    assert (provenance["seed"], provenance["steps"], provenance["processes"]) == ("7", "6", "1")
    recipe = json.loads(provenance["recipe"])
    assert recipe["discriminator"]["representation"] == "rot6d_change"
    assert recipe["objective"]["weights"]["adversarial"] == 0.1
    assert float(provenance["hours"]) < 1
    assert {path.name for path in tmp_path.iterdir()} == {
        "network.pt",
        "checkpoint.pt",
        "curve.csv",
    }


def test_a_run_can_begin_with_the_weights_of_another(tmp_path, data):
    first = _train(tmp_path / "a", data())
    one_tiny_step = replace(SETTINGS, steps=1, learning_rate=1e-9, ema_decay=0.0)
    other_size = replace(one_tiny_step, size=NetworkSize())
    second = _train(tmp_path / "b", data(), other_size, network=first.network)
    before, after = load_network(first.network), load_network(second.network)
    assert after.size.hidden == 16
    for name, value in before.network.state_dict().items():
        torch.testing.assert_close(after.network.state_dict()[name], value)
    assert _train(tmp_path / "b", data(), other_size, resume=True).steps == 1


def test_a_network_for_other_features_is_refused(tmp_path, data):
    first = _train(tmp_path / "a", data())
    content = torch.load(first.network, weights_only=True)
    state = content["state_dict"]
    for name in ("embedding.mean", "embedding.std"):
        state[name] = torch.ones(77)
    state["embedding.fc1.weight"] = torch.ones(16, 77)
    torch.save(content, tmp_path / "narrow.pt")
    with pytest.raises(ConfigError, match="features per frame, the network reads 77"):
        _train(tmp_path / "b", data(), network=tmp_path / "narrow.pt")


def test_a_folder_with_a_run_is_not_overwritten(tmp_path, data):
    _train(tmp_path, data())
    with pytest.raises(ConfigError, match="already holds a run"):
        _train(tmp_path, data())
    with pytest.raises(ConfigError, match="steps was 6, is 9"):
        _train(tmp_path, data(), replace(SETTINGS, steps=9), resume=True)
    with pytest.raises(DatasetError, match="leave --resume out"):
        _train(tmp_path / "empty", data(), resume=True)


def test_settings_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="window_chance is 1"):
        TrainSettings(window_chance=1.5)
    with pytest.raises(ConfigError, match="steps is 0"):
        TrainSettings(steps=0)
    with pytest.raises(ConfigError, match="window of 16"):
        TrainSettings(chunk_frames=8)
