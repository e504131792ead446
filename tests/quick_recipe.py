"""The recipe from motion to a running engine, at its smallest and in this process, which has imported torch."""

import importlib
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from realtime_vibe.body.model_file import load_body
from realtime_vibe.features.landmark_features import FEATURE_SIZE
from realtime_vibe.models.landmark_skeleton import skeleton_arrays
from realtime_vibe.models.regressor import MeanParams
from realtime_vibe.training import recipe
from realtime_vibe.training.network import (
    FeatureStatistics,
    NetworkSize,
    build_network,
    save_network,
)

ROOT = Path(__file__).resolve().parents[1]
BODY = ROOT / "engines" / "blazepose-gru" / "body.npz"
LEAST = ("--streams", "2", "--frames", "34", "--pool-sequences", "2", "--pool-frames", "120")


def write_motion(folder, count):
    """AMASS files of people who wave and turn."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(3)
    for index in range(count):
        times = np.arange(240) / 60
        poses = np.zeros((240, 156))
        poses[:, 0] = np.pi / 2  # AMASS bodies stand along z
        poses[:, 48:54] = np.sin(times[:, None] * rng.uniform(1, 4, 6)) * 0.7
        poses[:, 3:12] += np.sin(times[:, None] * rng.uniform(1, 3, 9)) * 0.4
        trans = np.stack([0.3 * np.sin(times), 0.2 * times, np.full(240, 0.95)], axis=1)
        np.savez(folder / f"wave_{index}.npz", poses=poses, trans=trans, mocap_framerate=60.0)


def write_small_network(path):
    """A network with each operator once, as exporting takes the longer the more there are; its memory matters."""
    torch.manual_seed(0)
    mean = MeanParams(torch.randn(144), torch.zeros(10), torch.tensor([0.9, 0.0, 0.0]))
    size = NetworkSize(embedded=24, hidden=24, regressor=24, iterations=1)
    statistics = FeatureStatistics(torch.zeros(FEATURE_SIZE), torch.ones(FEATURE_SIZE))
    network = build_network(size, statistics, mean, skeleton_arrays(load_body(BODY)))
    torch.nn.init.normal_(network.encoder.linear.weight, std=0.2)
    save_network(path, network, size, {"steps": "0"})


def run_here(command, **_):
    """A stage in this process."""
    _, _, module, *arguments = command
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", [module, *arguments])
        return subprocess.CompletedProcess(command, importlib.import_module(module).main())


def run_recipe(folder):
    """The command with `--quick`, with even less to do; its exit code. Results are in `folder/out`."""
    if not (folder / "motion").exists():
        write_motion(folder / "motion", 2)
        write_small_network(folder / "network.pt")
    train = (*LEAST, "--start-from", str(folder / "network.pt"))
    quick = replace(recipe.QUICK, frame_steps=2, sequence_steps=2, train=train)
    words = ["--motion", str(folder / "motion"), "--out", str(folder / "out"), "--body", str(BODY)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipe, "QUICK", quick)
        patch.setattr("sys.argv", ["recipe", "blazepose-gru", "--quick", *words])
        patch.setattr(recipe.subprocess, "run", run_here)
        patch.chdir(ROOT)
        return recipe.main()
