"""Opening trackers and detectors: which one it is, what is refused, and with which advice."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from realtime_vibe.backends.graph_folder import file_sha256
from realtime_vibe.errors import ConfigError, EngineError
from realtime_vibe.packets import Frame
from realtime_vibe.tracking.base import PersonTracker, TrackerAround
from realtime_vibe.tracking.blazepose_models import BlazePoseFolder
from realtime_vibe.tracking.blazepose_tracker import BlazePoseTracker
from realtime_vibe.tracking.box_tracker import BoxTracker
from realtime_vibe.tracking.choices import TrackerChoice
from realtime_vibe.tracking.factory import (
    DetectorFolder,
    make_blazepose_tracker,
    make_tracker,
    open_detector,
)

ENGINE = Path(__file__).resolve().parents[2] / "engines" / "blazepose"
MANIFEST = BlazePoseFolder.manifest
pytest.importorskip("onnxruntime")


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ENGINE, tmp_path / "blazepose"))


def _kind(made: PersonTracker) -> type:
    """Of what follows people, apart from what mends their landmarks."""
    while isinstance(made, TrackerAround):
        made = made.tracker
    return type(made)


def _edit(engine: Path, **changes: Any) -> None:
    manifest = json.loads((engine / MANIFEST).read_text())
    manifest["graphs"]["landmarks_heat"].update(changes)
    (engine / MANIFEST).write_text(json.dumps(manifest))


@pytest.mark.parametrize("refine", [False, True])
def test_each_choice_needs_its_own_graph_only(engine: Path, refine: bool) -> None:
    used, unused = "landmarks.onnx", "landmarks_heat.onnx"
    if refine:
        used, unused = unused, used
    (engine / unused).unlink()
    choice = TrackerChoice(refine=refine)
    make_blazepose_tracker(engine, choice).close()
    (engine / used).unlink()
    with pytest.raises(EngineError, match=rf"lacks {used}: rebuild"):
        make_blazepose_tracker(engine, choice)


def test_only_the_larger_graph_makes_heat() -> None:
    graphs = json.loads((ENGINE / MANIFEST).read_text())["graphs"]
    names = {
        graph: [output["name"] for output in graphs[graph]["outputs"]]
        for graph in ("landmarks", "landmarks_heat")
    }
    assert names["landmarks"] == ["landmarks", "presence", "world_landmarks"]
    assert names["landmarks_heat"] == [*names["landmarks"], "heat"]


def test_a_model_that_is_not_there_is_refused_with_the_command_that_makes_it(
    engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime_vibe.backends.graph_folder._SHELVES", (engine.parent,))
    choice = TrackerChoice(tracker_model="heavy")
    with pytest.raises(
        EngineError,
        match=r"no tracker model heavy here .*python -m export\.blazepose --model heavy",
    ):
        make_tracker(choice, needs_landmarks=True)


def test_a_built_engine_keeps_its_models_beside_its_tracker(engine: Path) -> None:
    choice = TrackerChoice(tracker_model="lite", backend="onnxruntime")
    with pytest.raises(EngineError, match=r"no tracker model lite .*export\.build.*blazepose-lite"):
        make_tracker(choice, needs_landmarks=True, blazepose_folder=engine)
    shutil.copytree(ENGINE.with_name("blazepose-lite"), engine.with_name("blazepose-lite"))
    for full in ("landmarks.onnx", "landmarks_heat.onnx"):
        (engine / full).unlink()
    made = make_tracker(choice, needs_landmarks=True, blazepose_folder=engine)
    made.close()
    assert _kind(made) is BlazePoseTracker


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"blazepose\.json: cannot be read .*export\.blazepose"):
        make_blazepose_tracker(tmp_path)


def test_a_damaged_manifest_is_refused(engine: Path) -> None:
    (engine / MANIFEST).write_text('{"format_version": 1, "graphs": ')
    with pytest.raises(EngineError, match=r"blazepose\.json: cannot be read .*export\.blazepose"):
        make_blazepose_tracker(engine)


def test_another_format_is_refused(engine: Path) -> None:
    (engine / MANIFEST).write_text('{"format_version": 99, "graphs": {}}')
    with pytest.raises(EngineError, match="format version 99, expected 1"):
        make_blazepose_tracker(engine)


def test_a_changed_graph_is_refused(engine: Path) -> None:
    with (engine / "detector.onnx").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(EngineError, match=r"detector\.onnx has sha256 .*, it says .*rebuild"):
        make_blazepose_tracker(engine)


def test_wrong_shapes_in_the_manifest_are_refused(engine: Path) -> None:
    _edit(engine, outputs=[{"name": "landmarks", "shape": [1, 7], "dtype": "float32"}])
    with pytest.raises(
        EngineError, match=r"landmarks_heat\.onnx: outputs are .*, blazepose\.json says .*\(1, 7\)"
    ):
        make_blazepose_tracker(engine)


def test_a_manifest_without_a_graph_is_refused(engine: Path) -> None:
    (engine / MANIFEST).write_text('{"format_version": 1, "graphs": {}}')
    with pytest.raises(EngineError, match="describes no graph 'detector'"):
        make_blazepose_tracker(engine)


@pytest.fixture
def boxes_folder(tmp_path: Path) -> Path:
    """A detector that sees one upright person in the middle of every picture."""
    folder = tmp_path / "detector"
    folder.mkdir()
    tensors = {
        "boxes": np.array([[[0.4, 0.2, 0.6, 0.8]]], np.float32),
        "scores": np.array([[0.9]], np.float32),
    }
    nodes = [
        helper.make_node("Constant", [], [name], value=onnx.numpy_helper.from_array(array))
        for name, array in tensors.items()
    ]
    picture = helper.make_tensor_value_info("image_bgr", TensorProto.UINT8, [1, 64, 64, 3])
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, array.shape)
        for name, array in tensors.items()
    ]
    graph = helper.make_graph(nodes, "one_person", [picture], outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.save(model, folder / "yolov3.onnx")
    entry = {
        "file": "yolov3.onnx",
        "sha256": file_sha256(folder / "yolov3.onnx"),
        "inputs": [{"name": "image_bgr", "shape": [1, 64, 64, 3], "dtype": "uint8"}],
        "outputs": [
            {"name": name, "shape": list(array.shape), "dtype": "float32"}
            for name, array in tensors.items()
        ],
    }
    manifest = {"format_version": 1, "graphs": {"detector": entry}}
    (folder / DetectorFolder.manifest).write_text(json.dumps(manifest))
    return folder


def _frame(time_s: float) -> Frame:
    image = np.full((480, 640, 3), 60, np.uint8)
    return Frame(image_bgr=image, index=0, captured_at_s=time_s, grabbed_at_s=time_s)


def test_blazepose_as_detector_starts_either_tracker(subtests: pytest.Subtests) -> None:
    for tracker, needs_landmarks, expected in [
        ("auto", True, BlazePoseTracker),
        ("auto", False, BlazePoseTracker),
        ("blazepose", True, BlazePoseTracker),
        ("blazepose", False, BlazePoseTracker),
        ("boxes", False, BoxTracker),
    ]:
        with subtests.test(tracker=tracker, needs_landmarks=needs_landmarks, expected=expected):
            choice = TrackerChoice(tracker=tracker, max_people=2)
            with make_tracker(choice, needs_landmarks=needs_landmarks) as made:
                assert _kind(made) is expected
                assert made.update(_frame(0.0)) == ()


def test_another_detector_gives_boxes_to_engines_of_crops(boxes_folder: Path) -> None:
    choice = TrackerChoice(detector=str(boxes_folder))
    with make_tracker(choice, needs_landmarks=False) as made:
        assert type(made) is BoxTracker
        (person,) = made.update(_frame(0.0))
    np.testing.assert_allclose(person.bbox_xyxy, [256, 48, 384, 432], atol=1)
    assert person.landmarks is None


def test_another_detector_starts_the_landmark_tracker_where_landmarks_are_needed(
    boxes_folder: Path, shared_data: Path
) -> None:
    from benchmarks.clips import read_clip

    clip = read_clip(shared_data / "real3d" / "pose2sim_cam3" / "video.mp4", 1)
    choice = TrackerChoice(detector=str(boxes_folder))
    with make_tracker(choice, needs_landmarks=True) as made:
        assert _kind(made) is BlazePoseTracker
        assert made.update(_frame(0.0)) == ()
        (person,) = made.update(clip.frame(0))
    assert person.landmarks is not None
    assert person.score > 0.9


def test_a_missing_detector_says_how_to_make_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        EngineError, match=r"no detector 'none': expected blazepose .*export\.yolov3"
    ):
        open_detector("none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        EngineError, match=r"detector\.json: cannot be read.*export\.yolov3 --weights"
    ):
        open_detector("empty")


def test_a_changed_detector_is_refused(boxes_folder: Path) -> None:
    with (boxes_folder / "yolov3.onnx").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(EngineError, match=r"yolov3\.onnx has sha256 .*yolov3"):
        open_detector(str(boxes_folder))


def test_parts_that_do_not_go_together_are_refused(subtests: pytest.Subtests) -> None:
    for choice, message in [
        (TrackerChoice(tracker="boxes"), "needs landmarks: expected auto, blazepose or mediapipe"),
        (TrackerChoice(tracker="mediapipe", detector="yolov3"), "mediapipe has its own"),
        (TrackerChoice(tracker="mediapipe", max_people=2), "mediapipe follows one person"),
        (TrackerChoice(tracker="sort"), "expected one of auto, blazepose, mediapipe, boxes"),
    ]:
        with subtests.test(choice=choice, message=message):
            with pytest.raises(ConfigError, match=message) as caught:
                make_tracker(choice, needs_landmarks=True)
            assert "\n" not in str(caught.value)


def test_boxes_have_no_landmark_model(boxes_folder: Path) -> None:
    choice = TrackerChoice(detector=str(boxes_folder), tracker_model="lite")
    with pytest.raises(ConfigError, match="tracker-model is lite, but the tracker is boxes"):
        make_tracker(choice, needs_landmarks=False)
