"""The command line: recipes from options, a whole tiny run, Ctrl-C and resuming, errors in one line."""

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from realtime_vibe.errors import ConfigError
from realtime_vibe.training import train_landmarks
from realtime_vibe.training.losses import PAPER_WEIGHTS
from realtime_vibe.training.network import read_network
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
    settings = _settings(
        "--discriminator", "max", "--encoder", "reset16", "--losses", "paper", "--seed", "3"
    )  # fmt: skip
    assert settings.discriminator.pooling == "max"
    assert (settings.encoder, settings.seed) == ("reset16", 3)
    assert settings.objective.weights == PAPER_WEIGHTS
    assert settings.objective.form == "paper"
    assert _settings("--discriminator", "none").discriminator is None
    assert _settings("--discriminator-from", "f").discriminator == RELEASED_DISCRIMINATOR
    with pytest.raises(ConfigError, match="expected attention"):
        _settings("--discriminator-from", "f", "--discriminator", "max")
    assert _settings("--adversarial-weight", "2").objective.weights.adversarial == 2.0


def _main(monkeypatch, *options):
    monkeypatch.setattr(sys, "argv", ["train_landmarks", *map(str, options)])
    monkeypatch.chdir(ROOT)
    return train_landmarks.main()


def test_a_run_from_a_folder_to_a_network(motion, tmp_path, monkeypatch, caplog):
    out = tmp_path / "out"
    options = ["--motion", motion, "--out", out, *SMALL]
    assert _main(monkeypatch, *options) == 0
    network, _, provenance = read_network(out / "network.pt")
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


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_sigterm_saves_and_resuming_finishes(motion, tmp_path, monkeypatch):
    out = tmp_path / "out"
    options = ["--motion", str(motion), "--out", str(out), *SMALL, "--per-frame-share", "0"]
    command = [sys.executable, "-m", "realtime_vibe.training.train_landmarks", *options]
    process = subprocess.Popen(
        [*command, "--steps", "9999"],
        cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    curve = out / "curve.csv"
    try:
        while process.poll() is None and not (
            curve.is_file() and curve.read_text().count("\n") > 1
        ):
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate()
    finally:
        process.kill()
    assert process.returncode == 3
    assert "--resume goes on" in errors
    checkpoint = torch.load(out / "checkpoint.pt", weights_only=True)
    assert 0 < checkpoint["step"] < 9999
    # As if the run had been to end two steps later.
    checkpoint["settings"]["steps"] = last = checkpoint["step"] + 2
    torch.save(checkpoint, out / "checkpoint.pt")
    assert _main(monkeypatch, *options, "--steps", last, "--resume") == 0
    assert torch.load(out / "checkpoint.pt", weights_only=True)["step"] == last
