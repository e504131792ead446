"""Body files: what loads, and the one-line refusals of files that do not fit."""

from pathlib import Path

import numpy as np
import pytest

from realtime_vibe.body.joints import PARENTS
from realtime_vibe.body.model_file import load_body
from realtime_vibe.errors import BodyModelError

NUM_VERTICES = 30


def arrays():
    rng = np.random.default_rng(3)
    weights = rng.random((NUM_VERTICES, 24)).astype(np.float32)
    regressor = rng.random((24, NUM_VERTICES)).astype(np.float32)
    landmarks = rng.random((33, NUM_VERTICES)).astype(np.float32)
    parents = np.array([2**32 - 1, *PARENTS[1:]], np.uint32)
    return {
        "v_template": rng.normal(size=(NUM_VERTICES, 3)).astype(np.float32),
        "shapedirs": rng.normal(size=(NUM_VERTICES, 3, 10)).astype(np.float32),
        "posedirs": rng.normal(size=(NUM_VERTICES, 3, 207)).astype(np.float32),
        "J_regressor": regressor / regressor.sum(1, keepdims=True),
        "weights": weights / weights.sum(1, keepdims=True),
        "kintree_table": np.stack([parents, np.arange(24, dtype=np.uint32)]),
        "f": rng.integers(0, NUM_VERTICES, (20, 3)).astype(np.uint32),
        "blazepose_regressor": landmarks / landmarks.sum(1, keepdims=True),
        "metadata": np.array('{"name": "random"}'),
    }


def saved(folder: Path, **changes) -> Path:
    path = folder / "body.npz"
    merged = {**arrays(), **changes}
    np.savez(path, **{name: value for name, value in merged.items() if value is not None})
    return path


def test_every_array_arrives_as_written(tmp_path):
    written = arrays()
    body = load_body(saved(tmp_path))
    for name in ("v_template", "shapedirs", "posedirs", "J_regressor", "weights"):
        np.testing.assert_array_equal(getattr(body, name), written[name])
    np.testing.assert_array_equal(body.blazepose_regressor, written["blazepose_regressor"])
    np.testing.assert_array_equal(body.faces, written["f"])
    assert body.metadata == {"name": "random"}
    assert body.num_vertices == NUM_VERTICES


def test_pose_blend_shapes_landmarks_and_metadata_may_be_absent(tmp_path):
    empty = np.zeros((NUM_VERTICES, 3, 0), np.float32)
    body = load_body(saved(tmp_path, posedirs=empty, blazepose_regressor=None, metadata=None))
    assert body.posedirs.shape == (NUM_VERTICES, 3, 0)
    assert body.blazepose_regressor is None
    assert body.metadata == {}


def test_extra_joints_and_gender_are_read_where_a_file_has_them(tmp_path):
    assert load_body(saved(tmp_path)).J_regressor_extra is None
    assert load_body(saved(tmp_path)).gender == "neutral"
    extra = np.random.default_rng(1).normal(size=(9, NUM_VERTICES))
    metadata = np.array('{"gender": "male"}')
    body = load_body(saved(tmp_path, J_regressor_extra=extra, metadata=metadata))
    np.testing.assert_allclose(body.J_regressor_extra, extra, rtol=1e-6)
    assert body.gender == "male"


def test_doubles_signed_parents_and_more_shape_components_are_taken(tmp_path):
    rng = np.random.default_rng(0)
    shapedirs = rng.normal(size=(NUM_VERTICES, 3, 300))
    tree = np.stack([np.array(PARENTS), np.arange(24)])
    body = load_body(saved(tmp_path, shapedirs=shapedirs, kintree_table=tree))
    assert body.shapedirs.dtype == np.float32
    np.testing.assert_allclose(body.shapedirs, shapedirs[..., :10], rtol=1e-6)


def test_unfit_arrays_are_refused_by_name(tmp_path, subtests):
    for changes, complaint in [
        ({"weights": None}, "no array weights"),
        ({"v_template": np.zeros((4, 3), np.float32)}, "shapedirs has shape"),
        ({"v_template": np.float32(1.0)}, "v_template has shape"),
        ({"posedirs": np.zeros((NUM_VERTICES, 3, 9), np.float32)}, "posedirs has shape"),
        ({"shapedirs": np.zeros((NUM_VERTICES, 3, 4), np.float32)}, "shapedirs has shape"),
        ({"f": np.zeros((2, 4), np.int32)}, "f has shape"),
        ({"f": np.full((1, 3), NUM_VERTICES, np.int32)}, f"names vertex {NUM_VERTICES}"),
        ({"f": np.zeros((1, 3), np.float32)}, "f has dtype float32, expected integer"),
        ({"weights": np.zeros((NUM_VERTICES, 24), np.float32)}, "1 away from 1"),
        ({"J_regressor": np.zeros((17, NUM_VERTICES), np.float32)}, "J_regressor has shape"),
        ({"v_template": np.full((NUM_VERTICES, 3), np.nan, np.float32)}, "not finite"),
        ({"v_template": np.full((NUM_VERTICES, 3), 1e38, np.float32)}, "beyond"),
        ({"f": np.full((1, 3), 1 << 32)}, "no vertex"),
        ({"weights": np.tile([1e6, 1 - 1e6, *[0.0] * 22], (NUM_VERTICES, 1))}, "weights beyond"),
        ({"kintree_table": np.zeros((2, 24), np.uint32)}, "kintree_table has parents"),
        ({"kintree_table": np.zeros((2, 52), np.uint32)}, "kintree_table has shape"),
        ({"J_regressor_extra": np.zeros((8, NUM_VERTICES))}, "J_regressor_extra has shape"),
        ({"metadata": np.array("{")}, "metadata is not JSON"),
        ({"metadata": np.array("[1]")}, "metadata is a list"),
    ]:
        with subtests.test(complaint=complaint, changes=changes):
            path = saved(tmp_path, **changes)
            with pytest.raises(BodyModelError, match=r"body\.npz") as caught:
                load_body(path)
            assert complaint in str(caught.value)
            assert "\n" not in str(caught.value)


def test_pickled_objects_are_never_opened(tmp_path):
    path = saved(tmp_path, J_regressor=np.array([{"a": 1}], dtype=object))
    with pytest.raises(BodyModelError, match="pickled objects"):
        load_body(path)


def test_missing_and_damaged_files_are_refused(tmp_path, subtests):
    for content in [None, b"", b"not a zip", b"PK\x03\x04broken"]:
        with subtests.test(content=content):
            path = tmp_path / "body.npz"
            if content is not None:
                path.write_bytes(content)
            with pytest.raises(BodyModelError, match="expected a body file"):
                load_body(path)


def test_a_single_array_and_a_torn_file_are_refused(tmp_path):
    single = tmp_path / "body.npz"
    with single.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(BodyModelError, match="single array"):
        load_body(single)
    torn = tmp_path / "torn.npz"
    np.savez_compressed(torn, **arrays())
    content = bytearray(torn.read_bytes())
    content[200:400] = bytes(200)
    torn.write_bytes(content)
    with pytest.raises(BodyModelError, match="expected a body file"):
        load_body(torn)
