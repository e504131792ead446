"""Exported engines compute what torch computes, and nothing is replaced when they do not."""

import shutil

import numpy as np
import pytest

from export import engine as engine_export
from export.parity import random_features, stream_parity
from realtime_vibe.backends.graph_folder import Engine, engine_folder
from realtime_vibe.errors import ExportError
from realtime_vibe.features.landmark_features import FEATURE_SIZE
from realtime_vibe.temporal.motion_model import MotionModel
from realtime_vibe.training.network import load_network

pytestmark = pytest.mark.timeout(600)

BODY = engine_folder("blazepose-gru") / "body.npz"


@pytest.fixture
def checkpoint(quick_recipe):
    return quick_recipe / "out" / "sequences" / "network.pt"


@pytest.fixture
def exported(quick_recipe):
    return quick_recipe / "out" / "engine" / "blazepose-gru"


@pytest.fixture
def copied_graph(exported, monkeypatch):
    """Exporting it once more would take ten seconds."""
    graph = exported / "step.onnx"
    monkeypatch.setattr(engine_export, "write_step", lambda *args: shutil.copy(graph, args[-1]))
    monkeypatch.setattr(engine_export, "PARITY_FRAMES", 3)


@pytest.mark.parametrize("people", [1, 2, 5])
def test_any_number_of_people_runs_at_once(exported, checkpoint, people):
    network = load_network(checkpoint).network
    with Engine(exported, "onnxruntime").session("step") as session:
        seen = network.embedding
        features = random_features(20, people, seen.mean.numpy(), seen.std.numpy())
        assert stream_parity(network, session, features).absolute <= engine_export.PARITY_LIMIT


def test_the_manifest_says_where_it_comes_from(exported, checkpoint, copied_graph, tmp_path):
    content = Engine(exported).content
    assert content["training"]["steps"] == "2"
    assert content["measured"]["parity_max_error"] <= engine_export.PARITY_LIMIT
    assert len(content["joint_set"]) == 24
    report = engine_export.export_engine(checkpoint, BODY, tmp_path / "again", {"note": 1})
    measured = Engine(tmp_path / "again").content["measured"]
    assert measured == {"note": 1, "parity_max_error": report.max_error}


def test_no_graph_says_in_which_folder_it_was_made(exported):
    for graph in (exported / "step.onnx", engine_folder("blazepose-gru") / "step.onnx"):
        assert b"graphs.py" not in graph.read_bytes()


def test_a_graph_that_differs_replaces_nothing(checkpoint, copied_graph, tmp_path, monkeypatch):
    monkeypatch.setattr(engine_export, "PARITY_LIMIT", -1.0)
    with pytest.raises(ExportError, match="nothing was replaced"):
        engine_export.export_engine(checkpoint, BODY, tmp_path / "bad", {})
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
