"""The published model as an engine: the same function as torch, in every way of running it."""

import copy
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from export.backbone import CropFeatures, FusedStep, folded
from export.collapsed import CollapsedMotionNetwork
from export.parity import compared
from export.vibe import VibeOptions, export_vibe, main, random_crops
from realtime_vibe.backends.graph_folder import Engine
from realtime_vibe.body.model_file import load_body
from realtime_vibe.body.smpl import SmplBody
from realtime_vibe.errors import BodyModelError, CheckpointError, ExportError
from realtime_vibe.features.factory import make_features
from realtime_vibe.models.checkpoint import load_official_vibe
from realtime_vibe.models.resnet import normalised
from realtime_vibe.packets import TrackedPerson
from realtime_vibe.temporal.motion_model import MotionModel
from realtime_vibe.temporal.stage import WINDOW_FRAMES, TemporalStage
from tests.official_vibe import short_backbone

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module", autouse=True)
def _short_backbone():
    with short_backbone():
        yield


@pytest.fixture(scope="module")
def network(official_files):
    return load_official_vibe(official_files.vibe, official_files.spin)


@pytest.fixture(scope="module")
def engine(official_engine):
    return Engine(official_engine, "onnxruntime")


@pytest.fixture
def stage(engine):
    """A temporal stage on the engine's graph, in the wanted mode, without smoothing."""
    stages = []

    def make(mode):
        graph = engine.session("step")
        stages.append(TemporalStage(MotionModel(graph), mode=mode))
        return stages[-1]

    yield make
    for made in stages:
        made.close()


def _features(num_frames, people=1, seed=0):
    return np.random.default_rng(seed).random((num_frames, people, 2048), np.float32) * 2


def _streamed(stage, features):
    """The root and body rotations and camera of every frame of one person, (T, 24, 3, 3) and (T, 3)."""
    rotmats, cameras = [], []
    box = np.array([0, 0, 9, 9], np.float32)
    for index, row in enumerate(features):
        person = TrackedPerson(track_id=0, bbox_xyxy=box, score=1.0, dt_s=1 / 30)
        (params,) = stage.step((person,), row, index / 30)
        stage.place(0, np.zeros(3, np.float32), index / 30)
        rotmats.append(np.concatenate([params.global_orient[None], params.body_pose]))
        cameras.append(params.weak_camera)
    return np.stack(rotmats), np.stack(cameras)


def _assert_close(got, expected, limit=1e-4):
    np.testing.assert_allclose(got[0], expected.rotmat[0], atol=limit)
    np.testing.assert_allclose(got[1], expected.weak_camera[0], atol=limit)


@torch.no_grad()
def test_stream_mode_is_the_whole_sequence(network, stage):
    features = _features(30)
    whole = network.regress(torch.from_numpy(features).transpose(0, 1))
    _assert_close(_streamed(stage("stream"), features), whole)


@torch.no_grad()
def test_window_mode_is_the_paper_s_run_over_the_last_sixteen_frames(network, stage):
    features = _features(24, seed=1)
    rotmat, camera = _streamed(stage("window"), features)
    for frame in (0, 7, 15, 16, 23):
        window = torch.from_numpy(features[max(0, frame + 1 - WINDOW_FRAMES) : frame + 1])
        expected = network.regress(window.transpose(0, 1))
        np.testing.assert_allclose(rotmat[frame], expected.rotmat[0, -1], atol=1e-4)
        np.testing.assert_allclose(camera[frame], expected.weak_camera[0, -1], atol=1e-4)


@pytest.mark.parametrize("people", [1, 3])
@torch.no_grad()
def test_the_features_graph_is_the_backbone_on_normalised_rgb(network, engine, people):
    crops = random_crops(people, seed=5)
    expected = network.backbone(normalised(torch.from_numpy(crops))).numpy()
    with engine.session("features") as session:
        got = session.run({"crop": crops})["features"]
    assert np.abs(got - expected).max() <= 1e-4 * np.abs(expected).max()
    assert np.abs(expected[0] - expected[-1]).max() > 0.1 or people == 1


def test_the_manifest_names_its_sources_and_forbids_passing_on(engine, official_files):
    assert engine.content["family"] == "vibe-resnet50"
    assert engine.crop_scale == 1.1
    assert "non-commercial" in engine.content["licence"]
    assert engine.content["training"]["spin"]["file"] == official_files.spin.name
    assert make_features(engine).square(
        TrackedPerson(track_id=0, bbox_xyxy=np.array([0, 0, 50, 100], np.float32), score=1, dt_s=0)
    ).side == pytest.approx(110)


@torch.no_grad()
def test_one_graph_is_both_halves_one_after_the_other(network):
    exported = copy.deepcopy(network)
    features = CropFeatures(folded(exported.backbone))
    fused = FusedStep(features, CollapsedMotionNetwork(exported.motion))
    crops, hidden = torch.from_numpy(random_crops(2)), torch.rand(2, 2, 1024)
    params, state = network.motion.step(network.backbone(normalised(crops)), hidden)
    for got, expected in zip(fused(crops, hidden), (*params, state), strict=True):
        torch.testing.assert_close(got, expected, atol=1e-4, rtol=0)


def test_one_graph_from_crop_to_parameters(official_fused_engine, official_engine):
    fused, split = (
        Engine(folder, "onnxruntime") for folder in (official_fused_engine, official_engine)
    )
    assert set(fused.graph_names) == {"fused", "frame"}
    assert fused.crop_scale == 1.2
    crops, hidden = random_crops(2), np.zeros((2, 2, 1024), np.float32)
    with (
        fused.session("fused") as one,
        split.session("features") as first,
        split.session("step") as second,
    ):
        got = one.run({"crop": crops, "hidden": hidden})
        features = first.run({"crop": crops})["features"]
        expected = second.run({"features": features, "hidden": hidden})
    for name, values in expected.items():
        error = np.abs(got[name] - values).max() / np.abs(values).max()
        # Half precision; the state holds smaller numbers than what is read from it.
        assert error <= (0.1 if name == "next_hidden" else 1e-2), name


def test_one_graph_from_crop_to_mesh_in_half_precision(official_fused_engine):
    engine = Engine(official_fused_engine, "onnxruntime")
    parity = engine.content["measured"]["parity"]
    assert set(parity) == {"frame", "fused"}
    assert 1e-5 < max(graph["relative"] for graph in parity.values()) <= 1e-2
    assert engine.precision == "fp16"
    graphs = engine.graphs()
    assert graphs["fused"].path.stat().st_size < 52e6  # in single precision 97 MB
    assert {spec.dtype for graph in graphs.values() for spec in graph.outputs} == {"float32"}
    shapes = {spec.name: spec.shape[1:] for spec in graphs["frame"].outputs}
    assert shapes["joints"] == (24, 3)
    assert shapes["vertices"] == (6890, 3)
    crops, hidden = random_crops(3), np.zeros((2, 3, 1024), np.float32)
    with engine.session("frame") as session:
        out = session.run({"crop": crops, "hidden": hidden})
    body = SmplBody(load_body(engine.body))
    for person in range(3):
        rotmat, betas = out["rotmat"][person], out["betas"][person]
        mesh = body.forward(rotmat[0], rotmat[1:], betas, np.zeros(3, np.float32))
        np.testing.assert_allclose(out["vertices"][person], mesh.vertices, atol=5e-5)
        np.testing.assert_allclose(out["joints"][person], mesh.joints, atol=5e-5)


def test_a_graph_that_differs_replaces_nothing(official_files, tmp_path, monkeypatch):
    def off_by_a_tenth(network, folder, options):
        (folder / "step.onnx").write_bytes(b"new")
        return {}, {"step": compared(np.ones(3, np.float32), np.full(3, 1.1, np.float32))}

    monkeypatch.setattr("export.vibe._write_graphs", off_by_a_tenth)
    (tmp_path / "step.onnx").write_bytes(b"old")
    with pytest.raises(ExportError, match=r"step graph in fp32 differs .*nothing was replaced"):
        export_vibe(official_files, tmp_path, VibeOptions())
    assert [path.name for path in tmp_path.iterdir()] == ["step.onnx"]
    assert (tmp_path / "step.onnx").read_bytes() == b"old"


def test_wrong_files_give_one_line_and_status_2(official_files, tmp_path, monkeypatch, capsys):
    swapped = ["--vibe", str(official_files.spin), "--spin", str(official_files.vibe)]
    given = ["export.vibe", *swapped, "--body", str(official_files.body), "--out", str(tmp_path)]
    monkeypatch.setattr("sys.argv", given)
    assert main() == 2
    error = capsys.readouterr().err
    assert error.startswith("export.vibe: error: ")
    assert error.count("\n") == 1
    with pytest.raises(CheckpointError):
        export_vibe(replace(official_files, spin=tmp_path / "none"), tmp_path, VibeOptions())
    with pytest.raises(BodyModelError):
        export_vibe(replace(official_files, body=tmp_path / "none.pkl"), tmp_path, VibeOptions())
    assert list(tmp_path.iterdir()) == []


def test_the_manifest_keeps_the_measured_difference(official_engine):
    content = json.loads((official_engine / "engine.json").read_text())
    parity = content["measured"]["parity"]
    assert set(parity) == {"features", "step"}
    assert all(0 <= entry["relative"] <= 1e-4 for entry in parity.values())
