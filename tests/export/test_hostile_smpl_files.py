"""Files that pose as SMPL models: they run nothing, take no memory, and are refused in one line."""

import os
import pickle
import subprocess
import tracemalloc
import zipfile

import numpy as np
import pytest

from export.smpl_source import read_smpl
from realtime_vibe.errors import BodyModelError
from tests import official_smpl, python2_pickle
from tests.official_smpl import partial_pickle

pytestmark = pytest.mark.fault

pytest.importorskip("open3d", reason="open3d, which simplifies the test body, is not installed")


class _Hostile:
    def __init__(self, function, *arguments):
        self._made_by = function, arguments

    def __reduce__(self):
        return self._made_by


def test_a_hostile_pickle_runs_nothing(tmp_path, subtests):
    for function, arguments in [
        (os.system, ("touch {canary}",)),
        (eval, ("open({canary!r}, 'w')",)),
        (__import__, ("os",)),
        (np.load, ("{canary}",)),
        (subprocess.call, (["touch", "{canary}"],)),
        (np.ndarray, ((10**12,),)),
    ]:
        with subtests.test(arguments=arguments, function=function):
            canary = tmp_path / "canary"
            texts = [
                text.format(canary=str(canary)) if isinstance(text, str) else text
                for text in arguments
            ]
            path = tmp_path / "SMPL_NEUTRAL.pkl"
            path.write_bytes(pickle.dumps({"v_template": _Hostile(function, *texts)}, 2))
            with pytest.raises(BodyModelError, match=r"SMPL_NEUTRAL\.pkl"):
                read_smpl(path)
            assert not canary.exists()


def test_neighbours_of_allowed_names_stay_out(tmp_path, subtests):
    for module, name in [
        ("chumpy.ch", "MatVecMult"),
        ("chumpy", "__builtins__"),
        ("scipy.sparse", "load_npz"),
        ("numpy.core.multiarray", "fromfile"),
        ("numpy.lib.npyio", "DataSource"),
    ]:
        with subtests.test(name=name, module=module):
            path = partial_pickle(
                tmp_path / "a.pkl", v_template=python2_pickle.instance(module, name, {})
            )
            with pytest.raises(
                BodyModelError, match=rf"asks for {module}\.{name}.*nothing was run"
            ):
                read_smpl(path)


def endless_selection():
    """Selections in one another, deeper than any file needs."""
    value = official_smpl.chumpy(np.zeros(1))
    for _ in range(50):
        value = official_smpl.chumpy_select(value, np.zeros(1, np.int64), (1,))
    return value


def test_a_sparse_matrix_that_lies_is_refused_before_memory_is_taken(tmp_path, subtests):
    others = dict.fromkeys(official_smpl.MODEL_ARRAYS, np.zeros(1))
    regressor = official_smpl.official_arrays()["J_regressor"]
    for changes, complaint in [
        ({"_shape": (24, np.int64(2**40))}, "sparse matrix of shape"),
        ({"_shape": (2**20, 2**20)}, "sparse matrix of shape"),
        ({"indptr": np.zeros(3, np.int32)}, "do not add up"),
        ({"indptr": np.full(6891, 2**31 - 1, np.int32)}, "do not add up"),
        ({"indices": np.zeros((2, 2), np.int32)}, "no rows of numbers"),
        ({"data": np.zeros(4, np.float64)}, "do not add up"),
        ({"data": "text"}, "a str in place of an array"),
        ({"indices": np.zeros(4)}, "sparse indices of float64"),
    ]:
        with subtests.test(complaint=complaint, changes=changes):
            matrix = official_smpl.sparse_columns(regressor, **changes)
            path = partial_pickle(tmp_path / "a.pkl", **{**others, "J_regressor": matrix})
            tracemalloc.start()
            try:
                with pytest.raises(BodyModelError, match=rf"J_regressor .*{complaint}"):
                    read_smpl(path)
                assert (
                    tracemalloc.get_traced_memory()[1] < 1e7
                )  # a dense matrix of the claimed sizes has 8e12
            finally:
                tracemalloc.stop()


def test_chumpy_objects_that_make_no_sense_are_refused(tmp_path, subtests):
    for value, complaint in [
        (endless_selection(), "without end"),
        (official_smpl.chumpy("text"), "a str in place"),
        (
            python2_pickle.instance("scipy.sparse.csr", "csr_matrix", {}),
            "OtherSparse in place",
        ),
        (python2_pickle.instance("chumpy.ch", "Ch", {}), "lacks x"),
        (official_smpl.chumpy_select(np.zeros(3), np.array([7]), (1,)), "out of bounds"),
        (official_smpl.chumpy_select(np.zeros(3), np.array([0.5]), (1,)), "indices of float64"),
        (official_smpl.chumpy_select(np.zeros(3), np.array([1]), (2**31 - 1,)), "reshape"),
        (official_smpl.sparse_columns(np.eye(3)), "sparse matrix of shape"),
    ]:
        with subtests.test(complaint=complaint, value=value):
            path = partial_pickle(tmp_path / "a.pkl", v_template=value)
            with pytest.raises(BodyModelError, match=complaint) as caught:
                read_smpl(path)
            assert "a.pkl: " in str(caught.value)


def test_no_dictionary_and_no_file_are_said(tmp_path):
    path = tmp_path / "list.pkl"
    path.write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(BodyModelError, match=r"list\.pkl: a pickled list, expected the dictionary"):
        read_smpl(path)
    with pytest.raises(BodyModelError, match=r"gone\.pkl: cannot be read"):
        read_smpl(tmp_path / "gone.pkl")


def test_a_file_of_absurd_size_is_not_read(tmp_path):
    path = tmp_path / "huge.pkl"
    with path.open("wb") as file:
        file.truncate(3 << 30)  # a hole: takes no room on the disk
    with pytest.raises(BodyModelError, match=r"3,221 MB, expected at most 1,074"):
        read_smpl(path)


def header_claiming(shape):
    """The first bytes of an .npy of doubles of `shape`, without its values."""
    text = str({"descr": "<f8", "fortran_order": False, "shape": shape}) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def assert_refused_without_memory(path, complaint):
    tracemalloc.start()
    try:
        with pytest.raises(BodyModelError, match=complaint):
            read_smpl(path)
        assert tracemalloc.get_traced_memory()[1] < 1e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("shape", [(10**12, 3), (-1, 3), (6890, 3)])
def test_an_npz_whose_header_lies_takes_no_memory(tmp_path, shape):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("v_template.npy", header_claiming(shape) + b"1234")
    assert_refused_without_memory(path, r"v_template claims")


def test_a_small_npz_does_not_unpack_to_gigabytes(tmp_path):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("v_template.npy", header_claiming((8_000_000, 3)) + bytes(192_000_000))
    assert path.stat().st_size < 2e6
    assert_refused_without_memory(path, r"claims to unpack to 192,")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"nonsense"])
def test_a_damaged_npz_is_said(tmp_path, content):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(BodyModelError, match=r"a\.npz"):
        read_smpl(path)


def test_pickled_objects_in_an_npz_are_never_opened(tmp_path):
    path = tmp_path / "a.npz"
    canary = tmp_path / "canary"
    hostile = np.array([_Hostile(os.system, f"touch {canary}")], dtype=object)
    arrays = {name: official_smpl.official_arrays()[name] for name in official_smpl.MODEL_ARRAYS}
    np.savez(path, **{**arrays, "J_regressor": hostile}, allow_pickle=True)
    with pytest.raises(BodyModelError, match=r"J_regressor holds pickled objects"):
        read_smpl(path)
    assert not canary.exists()
