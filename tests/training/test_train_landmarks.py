"""The command line: recipes from options, a whole tiny run, Ctrl-C and resuming, errors in one line."""

import logging
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from realtime_vibe.errors import ConfigError
from realtime_vibe.training import train_landmarks
from realtime_vibe.training.csv_logger import CsvLogger
from realtime_vibe.training.losses import PAPER_WEIGHTS
from realtime_vibe.training.network import load_network
from realtime_vibe.training.settings import RELEASED_DISCRIMINATOR, TrainSettings

ROOT = Path(__file__).resolve().parents[2]
SMALL = ["--steps", "3", "--streams", "2", "--frames", "34"]
SMALL += ["--pool-sequences", "2", "--pool-frames", "120", "--device", "cpu"]


@pytest.fixture
def motion(tmp_path):
    """A folder with one AMASS clip."""
    folder = tmp_path / "motion"
    folder.mkdir()
    rng = np.random.default_rng(0)
    poses = 0.3 * rng.standard_normal((90, 156))
    poses[:, :3] = [0.5 * np.pi, 0.0, 0.0]  # upright: the rest pose has y up, the files have z up
    np.savez(
        folder / "clip.npz",
        poses=poses,
        trans=rng.standard_normal((90, 3)),
        betas=np.zeros(16),
        gender="neutral",
        mocap_framerate=60.0,
    )
    return folder


def _settings(*options):
    line = ["--motion", "m", "--out", "o", *options]
    return train_landmarks.settings_from(train_landmarks.parser().parse_args(line))


def test_defaults_are_the_recipe():
    assert _settings() == TrainSettings()


def test_options_reach_the_recipe():
    settings = _settings("--losses", "paper", "--seed", "3")
    assert settings.seed == 3
    assert settings.objective.weights == PAPER_WEIGHTS
    assert settings.objective.form == "paper"
    assert _settings("--discriminator", "none").discriminator is None
    assert _settings("--discriminator-from", "f").discriminator == RELEASED_DISCRIMINATOR
    with pytest.raises(ConfigError, match="give one of them"):
        _settings("--discriminator-from", "f", "--discriminator", "none")
    assert _settings("--adversarial-weight", "2").objective.weights.adversarial == 2.0


def _main(monkeypatch, *options):
    monkeypatch.setattr(sys, "argv", ["train_landmarks", *map(str, options)])
    monkeypatch.chdir(ROOT)
    return train_landmarks.main()


def test_a_run_from_a_folder_to_a_network(motion, tmp_path, monkeypatch, caplog):
    out = tmp_path / "out"
    options = ["--motion", motion, "--out", out, *SMALL]
    assert _main(monkeypatch, *options) == 0
    network, _, provenance = load_network(out / "network.pt")
    assert provenance["clips"] == "1"
    assert provenance["steps"] == "3"
    params = network(
        torch.zeros(2, 1, len(network.embedding.mean)), network.initial_hidden(1)
    ).params
    assert torch.isfinite(params.rotmat).all()
    caplog.clear()
    assert _main(monkeypatch, *options) == 2
    assert "already holds a run" in caplog.text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--resume"], "leave --resume out"),
        (["--start-from", "missing.pt"], "missing.pt: cannot be read"),
        (["--body", "missing.npz"], "missing.npz"),
        (["--steps", "0"], "steps is 0"),
    ],
)
def test_errors_are_one_line_and_status_2(motion, tmp_path, monkeypatch, caplog, options, message):
    with caplog.at_level(logging.ERROR):
        status = _main(monkeypatch, "--motion", motion, "--out", tmp_path / "out", *SMALL, *options)
    assert status == 2
    assert len(caplog.records) == 1
    assert message in caplog.text
    assert "\n" not in caplog.records[0].message


@pytest.fixture
def sigterm():
    """Sends it to this process, whose tests go on where nobody takes it."""

    def nobody(*_):
        raise AssertionError("SIGTERM came through")

    before = signal.signal(signal.SIGTERM, nobody)
    yield lambda: os.kill(os.getpid(), signal.SIGTERM)
    signal.signal(signal.SIGTERM, before)


def test_sigterm_saves_and_resuming_finishes(motion, tmp_path, monkeypatch, caplog, sigterm):
    out = tmp_path / "out"
    options = ["--motion", motion, "--out", out, *SMALL, "--per-frame-share", "0"]
    line = CsvLogger.line

    def line_and_signal(curve, step, *more):
        if step == 2:
            sigterm()
        return line(curve, step, *more)

    with monkeypatch.context() as patch, caplog.at_level(logging.INFO):
        patch.setattr(CsvLogger, "line", line_and_signal)
        assert _main(patch, *options, "--steps", 9999) == 3
    assert "--resume goes on" in caplog.text
    checkpoint = torch.load(out / "checkpoint.pt", weights_only=True)
    assert checkpoint["step"] == 2
    # As if the run had been to end two steps later.
    checkpoint["settings"]["steps"] = last = checkpoint["step"] + 2
    torch.save(checkpoint, out / "checkpoint.pt")
    assert _main(monkeypatch, *options, "--steps", last, "--resume") == 0
    assert torch.load(out / "checkpoint.pt", weights_only=True)["step"] == last
