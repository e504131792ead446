"""Exported engines compute what torch computes, and nothing is replaced when they do not."""

import shutil

import numpy as np
import pytest
import torch

from export import engine as engine_export
from export.parity import random_features, stream_parity
from realtime_vibe.backends.engine_folder import engine_folder
from realtime_vibe.backends.graph_folder import Engine
from realtime_vibe.body.model_file import load_body
from realtime_vibe.errors import ExportError
from realtime_vibe.features.landmark_features import FEATURE_SIZE
from realtime_vibe.models.landmark_skeleton import skeleton_arrays
from realtime_vibe.models.regressor import MeanParams
from realtime_vibe.temporal.motion_model import MotionModel
from realtime_vibe.training.network import (
    FeatureStatistics,
    NetworkSize,
    build_network,
    feature_statistics,
    load_network,
    save_network,
)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    torch.manual_seed(0)
    mean = MeanParams(torch.randn(144), torch.zeros(10), torch.tensor([0.9, 0.0, 0.0]))
    size = NetworkSize(embedded=24, hidden=24, regressor=24, iterations=1)  # of each operator one
    statistics = FeatureStatistics(torch.zeros(FEATURE_SIZE), torch.ones(FEATURE_SIZE))
    body = load_body(engine_folder("blazepose-gru") / "body.npz")
    network = build_network(size, statistics, mean, skeleton_arrays(body))
    torch.nn.init.normal_(network.encoder.linear.weight, std=0.2)
    path = tmp_path_factory.mktemp("checkpoint") / "network.pt"
    save_network(path, network, size, {"steps": "0"})
    return path


@pytest.fixture(scope="module")
def exported(checkpoint, tmp_path_factory):
    folder = tmp_path_factory.mktemp("engines") / "tiny"
    body = engine_folder("blazepose-gru") / "body.npz"
    report = engine_export.export_engine(checkpoint, body, folder, {"note": 1})
    return folder, report


def test_the_graph_agrees_with_torch_over_a_long_stream(exported):
    _, report = exported
    assert report.max_error <= engine_export.PARITY_LIMIT


@pytest.mark.parametrize("people", [1, 2, 5])
def test_any_number_of_people_runs_at_once(exported, checkpoint, people):
    folder, _ = exported
    network, _ = load_network(checkpoint)
    with Engine(folder, "onnxruntime").session("step") as session:
        features = random_features(20, people, *feature_statistics(network))
        assert stream_parity(network, session, features).absolute <= engine_export.PARITY_LIMIT


def test_the_manifest_says_where_it_comes_from(exported):
    content = Engine(exported[0]).content
    assert content["training"]["steps"] == "0"
    assert content["measured"]["note"] == 1
    assert content["measured"]["parity_max_error"] <= engine_export.PARITY_LIMIT
    assert len(content["joint_set"]) == 24


def test_a_graph_that_differs_replaces_nothing(exported, checkpoint, tmp_path, monkeypatch):
    graph = exported[0] / "step.onnx"  # exporting it once more takes half a minute
    monkeypatch.setattr(engine_export, "write_step", lambda *args: shutil.copy(graph, args[-1]))
    monkeypatch.setattr(engine_export, "PARITY_FRAMES", 3)
    monkeypatch.setattr(engine_export, "PARITY_LIMIT", -1.0)
    body = engine_folder("blazepose-gru") / "body.npz"
    with pytest.raises(ExportError, match="nothing was replaced"):
        engine_export.export_engine(checkpoint, body, tmp_path / "bad", {})
    assert list((tmp_path / "bad").iterdir()) == []


def test_the_committed_engine_streams_like_itself():
    """Splitting a stream at any frame and carrying the state changes nothing."""
    model = MotionModel(Engine("blazepose-gru", "onnxruntime").session("step"))
    features = np.random.default_rng(0).standard_normal((12, 1, FEATURE_SIZE)).astype(np.float32)
    hidden = model.initial_hidden(1)
    once = []
    for frame in features:
        out = model.step(frame, hidden)
        hidden = out.hidden
        once.append(out.rotmat)
    together = model.step(np.concatenate([features[0], features[0]]), model.initial_hidden(2))
    np.testing.assert_allclose(together.rotmat[1:], once[0], atol=1e-3)
    model.close()


def test_the_committed_engine_is_small():
    folders = [engine_folder(name) for name in ("blazepose-gru", "blazepose")]
    size = sum(path.stat().st_size for folder in folders for path in folder.iterdir())
    assert size <= 40e6
