"""BlazePose's export: unpacking, making sparse weights dense, translating operators to ONNX."""

import io
import json
import tarfile
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("tflite")
onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

from export.blazepose import RECIPES, main  # noqa: E402
from export.blazepose_check import TOLERANCES, sample_images  # noqa: E402
from export.blazepose_npm import NPM_TFLITE_SHA256, fetch_landmarks, member_name  # noqa: E402
from export.blazepose_source import TFLITE_SHA256, fetch_blazepose  # noqa: E402
from export.heat_windows import add_heat_windows  # noqa: E402
from export.tflite_reader import TfliteGraph, TfliteOperator, densify  # noqa: E402
from export.tflite_to_onnx import Normalisation, convert  # noqa: E402
from realtime_vibe.errors import ExportError  # noqa: E402

ENGINE = Path(__file__).resolve().parents[2] / "engines" / "blazepose"
LITE = ENGINE.with_name("blazepose-lite")
RAW = Normalisation(mean=0.0, scale=1.0)


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 9))
def test_densify_undoes_row_compression(seed: int, rows: int, columns: int) -> None:
    rng = np.random.default_rng(seed)
    dense = rng.normal(size=(rows, 1, 1, columns)).astype(np.float16)
    dense[rng.random(dense.shape) < 0.6] = 0
    flat = dense.reshape(rows, columns)
    segments = [0, *np.cumsum((flat != 0).sum(axis=1)).tolist()]
    found = densify(flat[flat != 0], segments, np.nonzero(flat)[1], dense.shape)
    np.testing.assert_array_equal(found, dense)


def _options(**values: int) -> Any:
    return SimpleNamespace(**{name: (lambda value=value: value) for name, value in values.items()})


def _graph(
    kind: str,
    in_shape: tuple[int, ...],
    out_shape: tuple[int, ...],
    constants: dict[int, Any],
    options: Any,
) -> TfliteGraph:
    operator = TfliteOperator(kind=kind, inputs=(0, *constants), output=9, options=options)
    return TfliteGraph(
        operators=(operator,),
        shapes={0: in_shape, 9: out_shape},
        constants=constants,
        input_index=0,
        outputs={"out": 9},
    )


def _run(graph: TfliteGraph, image: np.ndarray, normalisation: Normalisation = RAW) -> np.ndarray:
    model = convert(graph, outputs={"out": "y"}, normalisation=normalisation, name="test")
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["y"], {"image_bgr": image})[0])


def _image(size: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (1, size, size, 3), np.uint8)


@pytest.mark.parametrize("size", [6, 7])
def test_a_strided_convolution_pads_like_tensorflow_and_reads_bgr(size: int) -> None:
    weights = np.random.default_rng(4).normal(size=(2, 3, 3, 3)).astype(np.float32) / 20
    bias = np.array([0.5, -0.25], np.float32)
    options = _options(StrideH=2, StrideW=2, Padding=0, FusedActivationFunction=3)
    side = -(-size // 2)
    graph = _graph(
        "CONV_2D", (1, size, size, 3), (1, side, side, 2), {1: weights, 2: bias}, options
    )
    image = _image(size)
    found = _run(graph, image, Normalisation(mean=127.5, scale=127.5))
    rgb = (image[0, ..., ::-1].astype(np.float64) - 127.5) / 127.5
    total = (side - 1) * 2 + 3 - size
    padded = np.pad(rgb, ((total // 2, total - total // 2),) * 2 + ((0, 0),))
    expected = np.empty((2, side, side))
    for row in range(side):
        for column in range(side):
            window = padded[2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
            expected[:, row, column] = np.tensordot(weights, window, axes=3) + bias
    np.testing.assert_allclose(found[0], np.clip(expected, 0, 6), atol=1e-5)


def test_depth_to_space_keeps_tensorflows_order_of_channels() -> None:
    weights = np.zeros((12, 1, 1, 3), np.float32)
    weights[np.arange(12), 0, 0, np.arange(12) % 3] = np.arange(1, 13) / 255
    operators = (
        TfliteOperator(
            kind="CONV_2D",
            inputs=(0, 1, 2),
            output=8,
            options=_options(StrideH=1, StrideW=1, Padding=0, FusedActivationFunction=0),
        ),
        TfliteOperator(kind="DEPTH_TO_SPACE", inputs=(8,), output=9, options=_options(BlockSize=2)),
    )
    graph = TfliteGraph(
        operators=operators,
        shapes={0: (1, 2, 2, 3), 8: (1, 2, 2, 12), 9: (1, 4, 4, 3)},
        constants={1: weights, 2: np.zeros(12, np.float32)},
        input_index=0,
        outputs={"out": 9},
    )
    image = _image(2)
    channels = np.tile(image[0, ..., ::-1].astype(np.float64), 4) * np.arange(1, 13) / 255
    blocks = channels.reshape(2, 2, 2, 2, 3)  # row, column, row in block, column in block
    expected = blocks.transpose(0, 2, 1, 3, 4).reshape(4, 4, 3).transpose(2, 0, 1)
    np.testing.assert_allclose(_run(graph, image)[0], expected, rtol=1e-5)


def test_flattening_runs_channels_last() -> None:
    graph = _graph("RESHAPE", (1, 4, 4, 3), (1, 16, 3), {1: np.array([1, 16, 3])}, None)
    image = _image(4)
    np.testing.assert_array_equal(_run(graph, image), image.reshape(1, 16, 3))


def test_bilinear_enlargement_uses_half_pixel_centres() -> None:
    options = _options(AlignCorners=0, HalfPixelCenters=1)
    graph = _graph("RESIZE_BILINEAR", (1, 2, 2, 3), (1, 4, 4, 3), {1: np.array([4, 4])}, options)
    image = np.zeros((1, 2, 2, 3), np.uint8)
    image[0, :, 1] = 100
    np.testing.assert_allclose(_run(graph, image)[0, 0, 0], [0, 25, 75, 100])


def test_what_is_not_understood_is_refused() -> None:
    with pytest.raises(ExportError, match="SOFTMAX is not supported"):
        _run(_graph("SOFTMAX", (1, 4, 4, 3), (1, 4, 4, 3), {}, None), _image(4))
    options = _options(AlignCorners=1, HalfPixelCenters=0)
    with pytest.raises(ExportError, match="half-pixel"):
        _run(_graph("RESIZE_BILINEAR", (1, 4, 4, 3), (1, 8, 8, 3), {}, options), _image(4))
    graph = _graph("RESHAPE", (1, 4, 4, 3), (1, 16, 3), {1: np.array([1, 16, 3])}, None)
    with pytest.raises(ExportError, match=r"no outputs \['other'\]"):
        convert(graph, outputs={"other": "y"}, normalisation=RAW, name="test")


def test_heat_windows_are_the_cells_around_each_point() -> None:
    points = np.random.default_rng(5).uniform(-60, 320, (39, 5)).astype(np.float32)
    maps = np.random.default_rng(6).normal(size=(1, 39, 64, 64)).astype(np.float32)
    nodes = [
        onnx.helper.make_node("Identity", ["a"], ["landmarks"]),
        onnx.helper.make_node("Identity", ["b"], ["heatmaps"]),
    ]
    values = {
        name: onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in {
            "a": [1, 195],
            "b": [1, 39, 64, 64],
            "landmarks": [1, 195],
            "heatmaps": [1, 39, 64, 64],
        }.items()
    }
    graph = onnx.helper.make_graph(
        nodes, "g", [values["a"], values["b"]], [values["landmarks"], values["heatmaps"]]
    )
    opset = onnx.helper.make_opsetid("", 17)
    model = add_heat_windows(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8))
    assert [output.name for output in model.graph.output] == ["landmarks", "heat"]
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    heat = session.run(["heat"], {"a": points.reshape(1, 195), "b": maps})[0]
    middles = np.floor(points[:, :2] / 4).clip(3, 60).astype(int)
    for index, (x, y) in enumerate(middles.tolist()):
        window = maps[0, index, y - 3 : y + 4, x - 3 : x + 4]
        np.testing.assert_array_equal(heat[index], window.reshape(-1))


@pytest.mark.parametrize("folder", [ENGINE, LITE])
def test_the_committed_graphs_follow_their_recipes(folder: Path) -> None:
    names = json.loads((folder / "blazepose.json").read_text())["graphs"]
    assert {"landmarks", "landmarks_heat"} <= names.keys()
    for name in names:
        recipe = RECIPES[name]
        graph = onnx.load(folder / f"{name}.onnx").graph
        found = {output.name for output in graph.output}
        wanted = {new.replace("heatmaps", "heat") for new in recipe.outputs.values()}
        assert found == wanted, name
        used = {value for node in graph.node for value in node.input} | found
        assert all(set(node.output) & used for node in graph.node), name


def test_what_ships_comes_from_pinned_files_and_agrees_with_them() -> None:
    full, lite = (json.loads((it / "blazepose.json").read_text()) for it in (ENGINE, LITE))
    assert full["source"]["sha256"] == TFLITE_SHA256
    assert NPM_TFLITE_SHA256["full"] in TFLITE_SHA256.values()
    assert lite["model"] == "lite"
    assert lite["source"]["sha256"] == {member_name("lite"): NPM_TFLITE_SHA256["lite"]}
    for graph in (*full["graphs"].values(), *lite["graphs"].values()):
        for output, error in graph["max_abs_error_to_tflite"].items():
            assert 0 < error <= TOLERANCES[output]


def test_lite_is_a_smaller_network_with_the_same_inputs_and_outputs() -> None:
    full, lite = (
        json.loads((it / "blazepose.json").read_text())["graphs"] for it in (ENGINE, LITE)
    )
    for name in ("landmarks", "landmarks_heat"):
        assert lite[name]["inputs"] == full[name]["inputs"]
        assert lite[name]["outputs"] == full[name]["outputs"]
        sizes = [(it / f"{name}.onnx").stat().st_size for it in (LITE, ENGINE)]
        assert sizes[0] < 0.5 * sizes[1]


def test_a_package_with_other_models_is_refused(tmp_path: Path) -> None:
    package = tmp_path / "pose.tgz"
    with tarfile.open(package, "w:gz") as archive:
        member = tarfile.TarInfo(member_name("lite"))
        member.size = 5
        archive.addfile(member, io.BytesIO(b"other"))
    with pytest.raises(ExportError, match=r"pose_landmark_lite\.tflite has sha256"):
        fetch_landmarks("lite", tmp_path, package)
    with pytest.raises(ExportError, match=r"is not a package of @mediapipe/pose@"):
        fetch_landmarks("heavy", tmp_path, package)


@pytest.mark.parametrize("content", [None, b"", b"not an archive"])
def test_the_command_refuses_what_is_no_package_in_one_line(
    tmp_path: Path, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    package = tmp_path / "x.tgz"
    if content is not None:
        package.write_bytes(content)
    out = tmp_path / "out"
    assert main(["--model", "heavy", "--package", str(package), "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert not out.exists()


def test_without_npm_the_package_can_be_brought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ExportError, match=r"npm cannot download .*pass it with --package"):
        fetch_landmarks("heavy", tmp_path)


def test_without_heat_maps_the_decoder_is_gone() -> None:
    plain, heat = (onnx.load(ENGINE / f"{name}.onnx") for name in ("landmarks", "landmarks_heat"))
    kept, all_nodes = ({node.name for node in model.graph.node} for model in (plain, heat))
    assert kept < all_nodes
    convolutions = [
        sum(node.op_type == "Conv" for node in model.graph.node) for model in (plain, heat)
    ]
    assert convolutions[1] - convolutions[0] >= 3
    assert plain.ByteSize() < heat.ByteSize()


def test_a_wheel_with_other_models_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "mediapipe.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("mediapipe/modules/pose_detection/pose_detection.tflite", b"other")
    with pytest.raises(ExportError, match="sha256"):
        fetch_blazepose(tmp_path, wheel)


@pytest.mark.parametrize("content", [None, b"", b"not a zip"])
def test_the_command_refuses_what_is_no_wheel_in_one_line(
    tmp_path: Path, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    wheel = tmp_path / "x.whl"
    if content is not None:
        wheel.write_bytes(content)
    assert main(["--wheel", str(wheel), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_without_clips_the_check_still_has_images(tmp_path: Path) -> None:
    images = sample_images(tmp_path / "absent")
    assert images
    assert all(image.dtype == np.uint8 and image.ndim == 3 for image in images)
