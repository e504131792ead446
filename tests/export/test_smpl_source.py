"""Official SMPL files: what comes out, and equality with smplx."""

import json
import pickle
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from export.body import (
    SHIPPED_FOLDER,
    extra_beside,
    gender_of,
    import_smpl,
    is_our_body,
    main,
    write_npz,
)
from export.smpl_source import read_extra_regressor, read_smpl
from realtime_vibe.body.model_file import body_from_arrays, load_body
from realtime_vibe.body.smpl import SmplBody
from realtime_vibe.errors import BodyModelError
from realtime_vibe.geometry.rotation import rotmat_from_axis_angle
from tests import official_smpl
from tests.official_smpl import partial_pickle

pytest.importorskip("open3d", reason="open3d, which simplifies the test body, is not installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("official")


@pytest.fixture(scope="module")
def pickled(folder):
    return official_smpl.write_smpl_pickle(folder / "SMPL_NEUTRAL.pkl")


def test_a_pickle_of_chumpy_objects_gives_the_arrays_it_was_made_of(pickled):
    expected = official_smpl.official_arrays()
    arrays = read_smpl(pickled)
    assert tuple(arrays) == official_smpl.MODEL_ARRAYS
    for name, array in arrays.items():
        assert type(array) is np.ndarray
        np.testing.assert_array_equal(array, expected[name], err_msg=name)
    assert "chumpy" not in sys.modules


def test_a_sparse_regressor_of_any_age_is_read(tmp_path, subtests):
    arrays = official_smpl.official_arrays()
    for module in ["scipy.sparse.csc", "scipy.sparse._csc"]:
        with subtests.test(module=module):
            regressor = official_smpl.sparse_columns(arrays["J_regressor"], module)
            path = partial_pickle(tmp_path / "a.pkl", **{**arrays, "J_regressor": regressor})
            np.testing.assert_array_equal(read_smpl(path)["J_regressor"], arrays["J_regressor"])
    with subtests.test("as scipy writes it"):
        scipy_sparse = pytest.importorskip("scipy.sparse", reason="scipy is not installed")
        made = scipy_sparse.csc_matrix(arrays["J_regressor"])
        path = tmp_path / "b.pkl"
        path.write_bytes(pickle.dumps({**arrays, "J_regressor": made}))
        np.testing.assert_array_equal(read_smpl(path)["J_regressor"], arrays["J_regressor"])


def test_plain_arrays_of_300_components_keep_the_first_ten(folder):
    path = official_smpl.write_smpl_npz(folder / "SMPL_FEMALE.npz")
    arrays = import_smpl(path)
    expected = official_smpl.official_arrays(0, 300)["shapedirs"]
    np.testing.assert_array_equal(arrays["shapedirs"], expected[..., :10].astype(np.float32))
    metadata = json.loads(str(arrays["metadata"]))
    assert metadata["shape_components_in_source"] == 300
    assert metadata["gender"] == "female"
    path.unlink()


def test_the_body_file_loads_and_states_source_and_licence(folder, pickled):
    extra = official_smpl.write_extra_regressor(folder / "regressor.npy")
    arrays = import_smpl(pickled, extra)
    out = folder / "body.npz"
    write_npz(out, arrays)
    body = load_body(out)
    expected = official_smpl.official_arrays()
    for name in official_smpl.MODEL_ARRAYS[:5]:
        np.testing.assert_allclose(getattr(body, name), expected[name], rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(body.faces, expected["f"])
    np.testing.assert_allclose(body.J_regressor_extra, official_smpl.extra_regressor(), rtol=1e-6)
    assert body.metadata["source"] == "SMPL_NEUTRAL.pkl"
    assert len(body.metadata["source_sha256"]) == len(body.metadata["extra_joints_sha256"]) == 64
    assert "Max Planck" in body.metadata["licence"]
    assert body.metadata["redistributable"] is False
    assert body.gender == "neutral"
    assert is_our_body(out)
    assert not is_our_body(pickled)


def test_the_imported_body_moves_as_smplx_moves_the_same_file(folder, pickled):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        smplx = pytest.importorskip("smplx", reason="smplx, the oracle, is not installed")
        plain = official_smpl.write_plain_pickle(folder / "SMPL_plain.pkl")
        oracle = smplx.create(str(plain), model_type="smpl", batch_size=4)
    from realtime_vibe.models.smpl_layer import SmplLayer

    model = body_from_arrays(import_smpl(pickled))
    rng = np.random.default_rng(0)
    turns = (rng.normal(size=(4, 24, 3)) * 0.7).astype(np.float32)
    betas = (rng.normal(size=(4, 10)) * 1.5).astype(np.float32)
    transl = rng.normal(size=(4, 3)).astype(np.float32)
    answer = oracle(
        global_orient=torch.from_numpy(turns[:, 0]),
        body_pose=torch.from_numpy(turns[:, 1:].reshape(4, 69)),
        betas=torch.from_numpy(betas),
        transl=torch.from_numpy(transl),
    )
    rotmats = rotmat_from_axis_angle(turns)
    vertices, joints = SmplLayer(model)(torch.from_numpy(rotmats), torch.from_numpy(betas))
    moved = torch.from_numpy(transl)[:, None]
    torch.testing.assert_close(vertices + moved, answer.vertices, atol=1e-5, rtol=0)
    torch.testing.assert_close(joints + moved, answer.joints[:, :24], atol=1e-5, rtol=0)
    body = SmplBody(model)
    for index in range(4):
        pose = rotmats[index]
        mesh = body.forward(pose[0], pose[1:], betas[index], transl[index])
        expected = answer.vertices[index].detach().numpy()
        np.testing.assert_allclose(mesh.vertices, expected, atol=1e-5, rtol=0)
        expected = answer.joints[index, :24].detach().numpy()
        np.testing.assert_allclose(mesh.joints, expected, atol=1e-5, rtol=0)
    plain.unlink()


def test_extra_joints_beside_the_model_are_found(tmp_path):
    model = tmp_path / "SMPL_NEUTRAL.pkl"
    assert extra_beside(model) is None
    found = official_smpl.write_extra_regressor(tmp_path / "J_regressor_extra.npy")
    assert extra_beside(model) == found


def test_the_name_states_the_gender(subtests):
    for name, gender in [
        ("SMPL_NEUTRAL.pkl", "neutral"),
        ("SMPL_MALE.pkl", "male"),
        ("SMPL_FEMALE.npz", "female"),
        ("basicModel_f_lbs_10_207_0_v1.0.0.pkl", "female"),
        ("basicmodel_m_lbs_10_207_0_v1.0.0.pkl", "male"),
        ("model.pkl", "neutral"),
    ]:
        with subtests.test(gender=gender, name=name):
            assert gender_of(Path(name)) == gender


def test_what_is_missing_is_named(tmp_path, subtests):
    for name in official_smpl.MODEL_ARRAYS:
        with subtests.test(name=name):
            rest = dict.fromkeys(official_smpl.MODEL_ARRAYS, np.zeros(1))
            del rest[name]
            path = partial_pickle(tmp_path / "a.pkl", **rest)
            with pytest.raises(
                BodyModelError, match=rf"a\.pkl: no {name}; got .*smpl\.is\.tue\.mpg\.de"
            ):
                read_smpl(path)


def test_what_does_not_fit_is_named(tmp_path, subtests):
    for changes, complaint in [
        ({"v_template": np.zeros((10475, 3))}, r"shape \(10475, 3\), expected \(6890, 3\).*SMPL-X"),
        ({"shapedirs": np.zeros((6890, 3, 9))}, "9 components, expected 10"),
        ({"posedirs": np.zeros((6890, 3, 93))}, r"posedirs has shape .*expected \(6890, 3, 207\)"),
        ({"J_regressor": np.zeros((52, 6890))}, r"J_regressor has shape \(52, 6890\)"),
        ({"f": np.zeros((13776, 3))}, "f has dtype float64, expected integers"),
        ({"v_template": np.full((6890, 3), np.nan)}, "not finite"),
        ({"kintree_table": np.zeros((2, 24), np.uint32)}, "kintree_table has parents"),
        ({"J_regressor": "text"}, "a str in place of an array"),
        ({"weights": np.zeros((6890, 24))}, "weights has a row whose sum"),
    ]:
        with subtests.test(complaint=complaint, changes=changes):
            path = tmp_path / "a.pkl"
            path.write_bytes(pickle.dumps({**official_smpl.official_arrays(), **changes}))
            with pytest.raises(BodyModelError, match=complaint) as caught:
                import_smpl(path)
            assert str(path) in str(caught.value)
            assert "\n" not in str(caught.value)


def test_an_npz_without_an_array_names_it(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, v_template=np.zeros((6890, 3)))
    with pytest.raises(BodyModelError, match="no shapedirs; got v_template"):
        read_smpl(path)


@pytest.mark.parametrize(
    ("array", "complaint"),
    [
        (np.zeros((17, 6890)), r"shape \(17, 6890\), expected \(9, 6890\)"),
        (np.zeros((9, 6890), np.int64), "dtype int64"),
        (np.array([{}], object), "pickled objects"),
    ],
)
def test_other_regressors_are_refused(tmp_path, array, complaint):
    path = tmp_path / "J_regressor_extra.npy"
    np.save(path, array, allow_pickle=True)
    with pytest.raises(BodyModelError, match=complaint):
        read_extra_regressor(path)


def test_the_command_writes_the_file_and_says_the_terms(folder, pickled, monkeypatch, capsys):
    out = folder / "own" / "body.npz"
    extra = official_smpl.write_extra_regressor(folder / "J_regressor_extra.npy")
    monkeypatch.setattr(
        sys, "argv", ["export.body", "--smpl", str(pickled), "--out", str(out), "--gender", "male"]
    )
    assert main() == 0
    said = capsys.readouterr().out
    assert "non-commercial" in said
    assert str(extra) in said
    assert load_body(out).gender == "male"
    extra.unlink()


def test_the_official_file_is_never_overwritten(tmp_path, monkeypatch, capsys):
    path = tmp_path / "SMPL_NEUTRAL.npz"
    path.write_bytes(b"precious")
    monkeypatch.setattr(sys, "argv", ["export.body", "--smpl", str(path), "--out", str(path)])
    assert main() == 2
    assert "the SMPL file itself" in capsys.readouterr().err
    assert path.read_bytes() == b"precious"


def test_a_licensed_body_never_replaces_the_shipped_one(pickled, monkeypatch, capsys):
    shipped = (SHIPPED_FOLDER / "body.npz").read_bytes()
    monkeypatch.setattr(sys, "argv", ["export.body", "--smpl", str(pickled)])
    assert main() == 2
    assert "published" in capsys.readouterr().err
    assert (SHIPPED_FOLDER / "body.npz").read_bytes() == shipped
