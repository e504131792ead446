"""Exported YOLOv3 detectors compute what torch computes, and nothing is replaced when they do not."""

import json
import shutil
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from export import yolov3 as yolov3_export
from export.darknet_weights import load_yolov3
from export.yolov3_layers import YOLOV3, Architecture, Route, _residual
from export.yolov3_network import YoloV3
from realtime_vibe.backends.graph_folder import file_sha256
from realtime_vibe.backends.onnxruntime_session import OnnxRuntimeSession
from realtime_vibe.errors import ExportError
from realtime_vibe.packets import Frame
from realtime_vibe.tracking import yolov3_detector
from realtime_vibe.tracking.box_tracker import BoxTracker
from realtime_vibe.tracking.choices import TrackerChoice
from realtime_vibe.tracking.factory import make_tracker
from realtime_vibe.tracking.yolov3_detector import YoloV3Detector

SIZE = 128


def export(weights, out, **settings):
    with warnings.catch_warnings():
        # The exporter warns of its own internals (tree specs, axis names).
        warnings.simplefilter("ignore")
        return yolov3_export.export_yolov3(weights, out, **settings)


@pytest.fixture(scope="module", params=["fp32", "fp16"])
def exported(request, tiny_weights, tmp_path_factory):
    folder = tmp_path_factory.mktemp("engines") / "yolov3"
    return export(tiny_weights, folder, size=SIZE, precision=request.param), request.param


def test_the_graph_agrees_with_torch(exported, tiny_weights):
    """On pictures that the export itself did not look at."""
    report, precision = exported
    assert 0 < report.max_error <= yolov3_export.PARITY_LIMIT[precision]
    rng = np.random.default_rng(7)
    pictures = [np.full((SIZE, SIZE, 3), rng.integers(0, 256, 3), np.uint8) for _ in range(3)]
    pictures.append(np.tile(np.arange(SIZE, dtype=np.uint8)[:, None, None], (1, SIZE, 3)))
    with OnnxRuntimeSession(report.folder / "yolov3.onnx", num_threads=1) as session:
        error = yolov3_export.parity(load_yolov3(tiny_weights), session, pictures)
    assert error <= yolov3_export.PARITY_LIMIT[precision]


def test_the_manifest_describes_what_lies_beside_it(exported, tiny_weights):
    report, precision = exported
    manifest = json.loads((report.folder / "detector.json").read_text())
    assert sorted(path.name for path in report.folder.iterdir()) == ["detector.json", "yolov3.onnx"]
    assert (manifest["format_version"], manifest["family"]) == (1, "yolov3-tiny")
    assert (manifest["precision"], manifest["input_size"]) == (precision, SIZE)
    assert manifest["source"] == {"file": tiny_weights.name, "sha256": file_sha256(tiny_weights)}
    assert manifest["measured"]["parity_max_error"] == report.max_error
    graph = manifest["graphs"]["detector"]
    assert graph["sha256"] == file_sha256(report.folder / graph["file"])
    anchors = 3 * ((SIZE // 32) ** 2 + (SIZE // 16) ** 2)
    assert graph["inputs"] == [{"name": "image_bgr", "shape": [1, SIZE, SIZE, 3], "dtype": "uint8"}]
    assert graph["outputs"] == [
        {"name": "boxes", "shape": [1, anchors, 4], "dtype": "float32"},
        {"name": "scores", "shape": [1, anchors], "dtype": "float32"},
    ]


def test_half_precision_halves_the_file(exported):
    report, precision = exported
    num_bytes = 8_858_734 * (4 if precision == "fp32" else 2)
    assert 0.9 * num_bytes < report.size_bytes < 1.01 * num_bytes


def test_the_detector_runs_it(exported, monkeypatch):
    report, _ = exported
    with OnnxRuntimeSession(report.folder / "yolov3.onnx", num_threads=1) as session:
        detector = YoloV3Detector(session)
        image = np.random.default_rng(0).integers(0, 256, (90, 160, 3), dtype=np.uint8)
        assert detector.detect(image) == ()  # random weights see nobody
        monkeypatch.setattr(yolov3_detector, "MIN_SCORE", 0.03)
        found = detector.detect(image)
        assert found
        assert [person.score for person in found] == sorted(
            (person.score for person in found), reverse=True
        )
    choice = TrackerChoice(detector=str(report.folder), max_people=2)
    with make_tracker(choice, needs_landmarks=False) as tracker:
        assert type(tracker) is BoxTracker
        frame = Frame(image_bgr=image, index=0, captured_at_s=0.0, grabbed_at_s=0.0)
        assert len(tracker.update(frame)) <= 2


def test_a_graph_that_differs_replaces_nothing(exported, tiny_weights, tmp_path, monkeypatch):
    def write_copy(*arguments, **_):
        shutil.copy(exported[0].folder / "yolov3.onnx", arguments[3])

    (tmp_path / "yolov3.onnx").write_text("an older graph")
    for error in (1.0, float("nan")):
        monkeypatch.setattr(yolov3_export, "parity", lambda *_, error=error: error)
        monkeypatch.setattr(yolov3_export, "write_graph", write_copy)
        with pytest.raises(ExportError, match="nothing was replaced"):
            export(tiny_weights, tmp_path, size=32)
    assert (tmp_path / "yolov3.onnx").read_text() == "an older graph"
    assert [path.name for path in tmp_path.iterdir()] == ["yolov3.onnx"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--size", "400"], "expected a multiple of 32"),
        (["--weights", "missing.weights"], "missing.weights: cannot be read"),
    ],
)
def test_the_command_answers_mistakes_with_one_line(
    tiny_weights, tmp_path, capsys, arguments, message
):
    given = ["--weights", str(tiny_weights), "--out", str(tmp_path / "out"), *arguments]
    assert yolov3_export.main(given) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert message in captured.err
    assert captured.out == ""
    assert not (tmp_path / "out").exists()


def full_but_short():
    """YOLOv3 with one residual block where it has up to eight: every kind of layer, a third of the operators."""
    blocks = [layer for filters in (64, 128, 256, 512, 1024) for layer in _residual(filters, 1)]
    moved = {36: 12, 61: 16}  # where the second and third map join the backbone
    heads = [
        replace(layer, sources=tuple(moved.get(source, source) for source in layer.sources))
        if isinstance(layer, Route)
        else layer
        for layer in YOLOV3.layers[75:]
    ]
    torch.manual_seed(0)
    return YoloV3(Architecture(name="yolov3", layers=(YOLOV3.layers[0], *blocks, *heads))).eval()


def test_the_full_network_exports_with_its_three_maps(tiny_weights, tmp_path, monkeypatch):
    assert yolov3_export.DEFAULT_SIZE == 416
    monkeypatch.setattr(yolov3_export, "load_yolov3", lambda _: full_but_short())
    report = export(tiny_weights, tmp_path / "out", size=64)
    assert report.family == "yolov3"
    assert report.max_error <= 1e-4
    with OnnxRuntimeSession(report.folder / "yolov3.onnx", num_threads=2) as session:
        assert session.outputs[0].shape == (1, 3 * (2**2 + 4**2 + 8**2), 4)
