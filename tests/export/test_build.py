"""Covers `python -m export.build`: what it writes, what it refuses, and that a failed build leaves nothing."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from export.build import main
from export.build_attempts import Comparison, first_within
from export.build_source import opened, read_source
from export.built_folder import check_replaceable, written_aside
from export.calibration import record_clips
from export.clip_replay import replayed_joints
from export.graphs import graph_entry, write_graph
from export.int8_graphs import in_int8
from export.parity_report import JointError, compare_joints
from realtime_vibe.backends.graph_folder import Engine
from realtime_vibe.backends.onnxruntime_session import OnnxRuntimeSession
from realtime_vibe.errors import ExportError
from realtime_vibe.features.resnet_features import CROP_LAYOUT, CROP_LAYOUT_VERSION, CROP_SIZE
from realtime_vibe.geometry.camera import CROP_SCALE
from realtime_vibe.sources.video_file import demo_clip_path
from realtime_vibe.temporal.motion_model import STEP_OUTPUTS
from realtime_vibe.tracking.blazepose_models import BlazePoseFolder

ENGINES = Path(__file__).resolve().parents[2] / "engines"
ENGINE = str(ENGINES / "blazepose-gru")
TRACKER = str(ENGINES / "blazepose")
FEW = ("--frames", "6", "--calibrate", str(demo_clip_path()))


def build(engine, target, precision, out, *more):
    arguments = [engine, "--target", target, "--precision", precision, "--out", str(out)]
    return main([*arguments, *FEW, *more])


@pytest.fixture(scope="module")
def half_engine(tmp_path_factory):
    out = tmp_path_factory.mktemp("built") / "half"
    assert build(ENGINE, "onnx", "fp16", out) == 0
    return out


def test_a_built_engine_opens_with_its_tracker(half_engine):
    engine = Engine(half_engine, "onnxruntime")
    assert (engine.target, engine.precision) == ("onnx", "fp16")
    with engine.session("step") as session:
        feeds = {
            spec.name: np.zeros(
                [size if isinstance(size, int) else 1 for size in spec.shape], np.float32
            )
            for spec in session.inputs
        }
        assert session.run(feeds)["rotmat"].shape == (1, 24, 3, 3)
    tracker = BlazePoseFolder(half_engine / "tracker", "onnxruntime")
    for name in ("detector", "landmarks", "landmarks_heat"):
        tracker.session(name).close()


def test_the_manifest_says_how_well_it_agrees(half_engine):
    content = json.loads((half_engine / "engine.json").read_text())
    parity = content["measured"]["parity_build"]
    assert parity["parity_on_target"] == "run"
    assert parity["joints"]["mean_mm"] < parity["joints"]["limit_mean_mm"] == 2.0
    assert parity["joints"]["frames"] == 6
    assert 0 < parity["graphs"]["step"]["outputs"]["rotmat"]["max_absolute"] < 1e-2
    assert content["built"]["from"]["step"] == Engine(ENGINE).graph("step").sha256
    assert "latency" not in content["measured"], "the source's latency is not that of these files"


def test_a_graph_can_be_kept_in_single(tmp_path):
    assert build(TRACKER, "onnx", "fp16", tmp_path / "out", "--keep", "landmarks", "detector") == 0
    graphs = json.loads((tmp_path / "out/blazepose.json").read_text())["graphs"]
    assert {name: entry["precision"] for name, entry in graphs.items()} == {
        "detector": "fp32",
        "landmarks": "fp32",
        "landmarks_heat": "fp16",
    }


def test_openvino_in_bf16_leaves_the_tracker_in_single(tmp_path):
    pytest.importorskip("openvino", reason="OpenVINO is not installed")
    from realtime_vibe.backends.openvino_session import has_precision

    if not has_precision("bf16"):
        pytest.skip("this CPU does not compute in bf16")
    out = tmp_path / "ov"
    assert build(ENGINE, "openvino", "bf16", out) == 0
    with Engine(out, "openvino").session("step") as session:
        assert session.backend == "openvino:CPU:bf16"
    assert json.loads((out / "tracker/blazepose.json").read_text())["precision"] == "fp32"
    (out / "step.bin").write_bytes(b"other weights")
    with pytest.raises(Exception, match="sha256"):
        Engine(out)


def test_a_precision_that_errs_too_much_is_refused_and_leaves_nothing(tmp_path, capsys):
    out, kept = tmp_path / "int8", ("--keep", "landmarks_heat", "detector")
    assert build(TRACKER, "onnx", "int8", out, "--frames", "4", *kept) == 2
    said = capsys.readouterr().err
    # Which limit is passed first depends on the processor: without VNNI eight-bit sums saturate.
    assert "in int8 differs by" in said or "moves joints by" in said
    assert "expected at most" in said
    assert "nothing was written" in said
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_what_was_there_stays_when_a_build_fails(tmp_path):
    out = tmp_path / "engine"
    out.mkdir()
    (out / "engine.json").write_text('{"built": {}}')
    assert build(TRACKER, "onnx", "fp16", out, "--limit-mm", "0") == 2
    assert [path.name for path in out.iterdir()] == ["engine.json"]
    assert [path.name for path in tmp_path.iterdir()] == ["engine"]


def test_what_cannot_be_built_is_refused_in_one_line(tmp_path, capsys, subtests):
    for arguments, said in [
        (
            (ENGINE, "onnx", "bf16"),
            "no bf16 for target onnx: ONNX Runtime's CPU provider has no kernels",
        ),
        ((ENGINE, "tensorrt-rtx", "int8"), "no int8 for target tensorrt-rtx"),
        ((ENGINE, "onnx", "int8"), "eight bits are for convolutions"),
        (("nowhere", "onnx", "fp16"), "nowhere has no engine.json and no blazepose.json"),
    ]:
        with subtests.test(said=said, arguments=arguments):
            assert build(*arguments, tmp_path / "out") == 2
            message = capsys.readouterr().err
            assert said in message
            assert message.count("\n") == 1
            assert not (tmp_path / "out").exists()


def test_a_built_engine_is_not_built_again(half_engine, tmp_path, capsys):
    assert build(str(half_engine), "onnx", "fp16", tmp_path / "out") == 2
    assert "expected the single precision ONNX engine" in capsys.readouterr().err


def test_an_exported_engine_and_foreign_folders_are_never_replaced(tmp_path):
    with pytest.raises(ExportError, match="was exported, not built"):
        check_replaceable(ENGINES / "blazepose-gru")
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(ExportError, match="something else than an engine"):
        check_replaceable(tmp_path)
    check_replaceable(tmp_path / "not there yet")


def test_a_folder_is_there_whole_or_not_at_all(tmp_path):
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        _interrupted(out)
    assert list(tmp_path.iterdir()) == []
    for content in ("old", "new"):
        with written_aside(out) as aside:
            (aside / "engine.json").write_text(json.dumps({"built": {}, "is": content}))
            (aside / content).write_text(content)
    assert sorted(path.name for path in out.iterdir()) == ["engine.json", "new"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


class SmallFusedStep(torch.nn.Module):
    """From crop to parameters, as the published network's one graph, of one product."""

    def __init__(self):
        super().__init__()
        self.head = torch.nn.Linear(4 * 4 * 3, 24 * 9 + 10 + 3)

    def forward(self, crop, hidden):
        means = crop.float().reshape(-1, 4, 56, 4, 56, 3).mean((2, 4)) / 255
        rotmat, betas, camera = self.head(means.flatten(1)).split([24 * 9, 10, 3], -1)
        rotmat = torch.eye(3) + 0.01 * rotmat.reshape(-1, 24, 3, 3)  # near enough to rotations
        return rotmat, betas, camera + 1.0, 0.5 * hidden


def test_a_graph_that_the_app_does_not_run_is_compared_as_well(tmp_path):
    single, out = tmp_path / "single", tmp_path / "half"
    single.mkdir()
    shutil.copy(ENGINES / "blazepose-gru" / "body.npz", single)
    crop, hidden = torch.zeros(2, 224, 224, 3, dtype=torch.uint8), torch.zeros(2, 2, 8)
    path = single / "fused.onnx"
    write_graph(SmallFusedStep(), {"crop": crop, "hidden": hidden}, STEP_OUTPUTS, path)
    with OnnxRuntimeSession(path, num_threads=1) as session:
        entry = graph_entry(path, session)
    content = json.loads((ENGINES / "blazepose-gru" / "engine.json").read_text())
    content["family"] = "vibe-resnet50"
    content["graphs"] = {"fused": entry, "frame": entry}  # takes the same, gives less
    layout = {"layout": CROP_LAYOUT, "version": CROP_LAYOUT_VERSION, "size": CROP_SIZE**2 * 3}
    content["features"] = {**layout, "crop_scale": CROP_SCALE}
    (single / "engine.json").write_text(json.dumps(content))
    assert build(str(single), "onnx", "fp16", out, "--frames", "3") == 0
    graphs = json.loads((out / "engine.json").read_text())["measured"]["parity_build"]["graphs"]
    assert set(graphs) == {"frame", "fused"}
    assert graphs["frame"]["runs"] == 3
    assert 0 < graphs["frame"]["outputs"]["rotmat"]["max_absolute"] < 0.1


def test_check_only_states_what_is_allowed(tmp_path, capsys):
    engine = tmp_path / "engine"
    shutil.copytree(ENGINE, engine)
    before = json.loads((engine / "engine.json").read_text())
    tracker = (ENGINES / "blazepose/blazepose.json").read_bytes()
    arguments = [str(engine), "--target", "onnx", "--precision", "fp16", "--check-only", *FEW]
    assert main(arguments) == 0
    assert (ENGINES / "blazepose/blazepose.json").read_bytes() == tracker
    after = json.loads((engine / "engine.json").read_text())
    assert after.pop("allowed_precisions") == ["fp32", "fp16"]
    before.pop("allowed_precisions", None)
    assert after == before
    assert Engine(engine).graph("step").allowed_precisions == ("fp32", "fp16")


def test_nothing_is_allowed_that_needs_other_files(capsys):
    assert main([ENGINE, "--target", "onnx", "--precision", "int8", "--check-only", *FEW]) == 2
    assert "needs files of its own" in capsys.readouterr().err


def test_replaying_a_clip_gives_the_recorded_joints():
    source = read_source(Path(ENGINE))
    with opened(source.all_graphs) as sessions:
        recording = record_clips(source.engine, sessions, [demo_clip_path()], 6)
        joints = replayed_joints(source.engine, sessions, recording.seen)
        again = replayed_joints(source.engine, sessions, recording.seen)
        marks = [
            np.abs(
                seen.person.landmarks.image_px[:, :2]
                - _replayed(seen, sessions["landmarks"]).landmarks.image_px[:, :2]
            ).max()
            for seen in recording.seen
        ]
    assert len(recording.feeds["landmarks"]) == len(recording.feeds["step"]) == 6
    assert compare_joints(joints, again).max_mm == 0.0
    assert max(marks) < 1e-2, "the place of the crop was not found again"


def test_eight_bits_compute_nearly_the_same_and_take_a_quarter(tmp_path):
    rng = np.random.default_rng(0)
    weights = [
        rng.normal(0, 0.1, shape).astype(np.float32) for shape in ((64, 3, 3, 3), (64, 64, 3, 3))
    ]
    nodes = [
        onnx.helper.make_node("Conv", ["x", "w0"], ["a"], name="first"),
        onnx.helper.make_node("Relu", ["a"], ["b"], name="relu"),
        onnx.helper.make_node("Conv", ["b", "w1"], ["y"], name="second"),
    ]
    graph = onnx.helper.make_graph(
        nodes,
        "two",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 3, 12, 12])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 64, 8, 8])],
        [onnx.numpy_helper.from_array(value, f"w{place}") for place, value in enumerate(weights)],
    )
    opset = [onnx.helper.make_opsetid("", 17)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=8)
    feeds = [{"x": rng.normal(size=(1, 3, 12, 12)).astype(np.float32)} for _ in range(8)]
    small, mixed = in_int8(model, feeds), in_int8(model, feeds, 1)
    results = []
    for place, candidate in enumerate((model, small, mixed)):
        onnx.save(candidate, str(tmp_path / f"{place}.onnx"))
        with OnnxRuntimeSession(tmp_path / f"{place}.onnx", num_threads=1) as session:
            results.append(session.run(feeds[0])["y"])
    all_off, some_off = (np.abs(result - results[0]).mean() for result in results[1:])
    assert 0 < some_off < all_off < 0.02 * np.abs(results[0]).max()
    assert len(small.SerializeToString()) < 0.4 * len(model.SerializeToString())


def test_no_more_convolutions_stay_single_than_the_limit_demands():
    tried = []

    def attempt(share):
        tried.append(share)
        moved = JointError(
            mean_mm=10 * (1 - share), max_mm=30 * (1 - share), frames=9, unpaired_frames=0
        )
        return Comparison(graphs={}, seconds={}, entries={}, joints=moved, on_target="run")

    assert first_within(attempt, (0.0, 0.5, 0.9), 6.0, "int8").joints.mean_mm == 5.0
    assert tried == [0.0, 0.5]
    with pytest.raises(
        ExportError, match=r"int8, the first 90% of the .* moves joints by 1\.00 mm"
    ):
        first_within(attempt, (0.0, 0.9), 0.5, "int8")
    with pytest.raises(ExportError, match=r"the engine in bf16 moves joints by 10\.00 mm"):
        first_within(attempt, (0.0,), 2.0, "bf16")


def _interrupted(out):
    with written_aside(out) as aside:
        (aside / "half.onnx").write_text("half")
        raise KeyboardInterrupt


def _replayed(seen, session):
    from export.clip_replay import ReplayTracker

    tracker = ReplayTracker(session)
    tracker.seen = seen
    return tracker.update(seen.frame)[0]


def test_a_tracker_model_is_built_beside_the_detector_of_full():
    lite = ENGINES / "blazepose-lite"
    source = read_source(lite)
    assert source.built_graphs.keys() == {"landmarks", "landmarks_heat"}
    assert source.all_graphs["detector"].path.parent == ENGINES / "blazepose"
    assert source.all_graphs["landmarks"].path.parent == lite
