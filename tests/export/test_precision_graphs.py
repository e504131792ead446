"""Covers graphs in half: what is computed in half, what stays single, and that the function stays the same."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from export.precision_graphs import (
    fold_constants,
    in_half,
    single_first,
    sums_for_small_products,
)
from realtime_vibe.backends.onnxruntime_session import OnnxRuntimeSession

ENGINES = Path(__file__).resolve().parents[2] / "engines"
GRAPHS = (
    "blazepose-gru/step",
    "blazepose/detector",
    "blazepose/landmarks",
    "blazepose/landmarks_heat",
)


def load(name):
    return onnx.load(str(ENGINES / f"{name}.onnx"))


def feeds_of(session, seed=0):
    rng = np.random.default_rng(seed)
    feeds = {}
    for spec in session.inputs:
        shape = [size if isinstance(size, int) else 2 for size in spec.shape]
        if spec.dtype == "uint8":
            feeds[spec.name] = rng.integers(0, 256, shape).astype(np.uint8)
        else:
            feeds[spec.name] = rng.normal(0, 0.3, shape).astype(np.float32)
    return feeds


def run(model, folder, feeds=None):
    path = folder / "graph.onnx"
    onnx.save(model, str(path))
    with OnnxRuntimeSession(path, num_threads=1) as session:
        return session.run(feeds_of(session) if feeds is None else feeds)


def largest_difference(found, expected):
    """Of the outputs' largest magnitudes."""
    return max(
        np.abs(found[name] - value).max() / max(np.abs(value).max(), 1e-3)
        for name, value in expected.items()
    )


def test_rewriting_without_rounding_changes_nothing(tmp_path, subtests):
    for name in GRAPHS:
        with subtests.test(name=name):
            model = load(name)
            expected = run(model, tmp_path)
            rewritten = sums_for_small_products(single_first(fold_constants(model)))
            assert largest_difference(run(rewritten, tmp_path), expected) < 1e-4


def test_half_graphs_take_and_give_the_same_and_nearly_agree(tmp_path, subtests):
    for name in GRAPHS:
        with subtests.test(name=name):
            model = load(name)
            half = in_half(model)
            assert [value.name for value in half.graph.input] == [
                value.name for value in model.graph.input
            ]
            for ours, theirs in zip(
                (*half.graph.input, *half.graph.output),
                (*model.graph.input, *model.graph.output),
                strict=True,
            ):
                assert ours.type == theirs.type
            # Noise is a harder picture than any camera's.
            assert largest_difference(run(half, tmp_path), run(model, tmp_path)) < 0.05


def test_all_big_products_are_in_half_but_the_last_convolutions(subtests):
    for name in GRAPHS:
        with subtests.test(name=name):
            half = in_half(load(name))
            products = [
                node for node in half.graph.node if node.op_type in ("Conv", "Gemm", "MatMul")
            ]
            weights = {value.name: value for value in half.graph.initializer}
            products = [node for node in products if node.input[1] in weights]
            in_single = [
                node for node in products if weights[node.input[1]].data_type != TensorProto.FLOAT16
            ]
            single = [node for node in in_single if int(np.prod(weights[node.input[1]].dims)) > 10]
            assert len(in_single) < 0.1 * len(products)
            assert all(node.op_type == "Conv" for node in single), "a matrix product stayed single"


def test_state_rotations_and_camera_are_computed_in_single():
    half = in_half(load("blazepose-gru/step"))
    typed = onnx.shape_inference.infer_shapes(half, strict_mode=True)
    types = {value.name: value.type.tensor_type.elem_type for value in typed.graph.value_info}
    sensitive = ("Sigmoid", "Tanh", "Mul", "Sub", "Div", "ReduceL2", "ReduceSum")
    results = [
        name for node in half.graph.node if node.op_type in sensitive for name in node.output
    ]
    assert len(results) > 20
    assert {types.get(name, TensorProto.FLOAT) for name in results} == {TensorProto.FLOAT}


def test_half_weights_halve_the_file():
    """All but the skeleton's constants, whose sums stay single."""
    model = load("blazepose-gru/step")
    assert len(in_half(model).SerializeToString()) < 0.56 * len(model.SerializeToString())


def test_bytes_become_numbers_first():
    for name in GRAPHS[1:]:
        nodes = single_first(load(name)).graph.node
        readers = [node.op_type for node in nodes if "image_bgr" in node.input]
        assert readers == ["Cast"], name


def test_a_product_with_one_column_becomes_a_sum(tmp_path):
    weights = numpy_helper.from_array(np.array([[2.0], [3.0]], np.float32), "weights")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "weights"], ["y"])],
        "column",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4, 1])],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    changed = sums_for_small_products(model)
    assert [node.op_type for node in changed.graph.node] == ["Mul", "ReduceSum"]
    x = np.arange(8, dtype=np.float32).reshape(4, 2)
    np.testing.assert_allclose(run(changed, tmp_path, {"x": x})["y"], x @ [[2.0], [3.0]])
