"""MATLAB 5 files: read as SciPy reads them, compressed or not; damage ends in one error, never a crash."""

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from realtime_vibe.errors import DatasetError
from realtime_vibe.training.datasets.mat5_file import read_mat5


def _content():
    rng = np.random.default_rng(0)
    cell = np.empty((2, 3), object)
    for index in np.ndindex(2, 3):
        cell[index] = rng.normal(size=(index[0] + 1, 2))
    return {
        "cell": cell,
        "matrix": rng.normal(size=(4, 3)),
        "single": rng.normal(size=(2, 3)).astype(np.float32),
        "cube": rng.normal(size=(2, 3, 4)),
        "small": np.array([[7]], np.uint8),
        "big": np.arange(6, dtype=np.int64)[None] * 10**12,
        "whole": np.arange(5, dtype=np.float64)[:, None],
        "empty": np.zeros((0, 3)),
        "a_rather_long_variable_name": np.ones((1, 2), np.int16),
    }


@pytest.mark.parametrize("compressed", [False, True])
def test_everything_is_read_as_scipy_reads_it(tmp_path, compressed):
    path = tmp_path / "a.mat"
    content = {**_content(), "text": "left out", "structure": {"a": 1}, "complex": np.array([1j])}
    savemat(path, content, do_compression=compressed)
    theirs, ours = loadmat(path), read_mat5(path)
    assert set(ours) == set(_content())
    for key, value in ours.items():
        assert (value.shape, value.dtype) == (theirs[key].shape, theirs[key].dtype), key
        if value.dtype == object:
            for left, right in zip(value.ravel(), theirs[key].ravel(), strict=True):
                np.testing.assert_array_equal(left, right)
        else:
            np.testing.assert_array_equal(value, theirs[key])


@pytest.mark.parametrize("compressed", [False, True])
def test_every_cut_is_said_or_loses_whole_variables_only(tmp_path, compressed):
    path = tmp_path / "cut.mat"
    savemat(path, _content(), do_compression=compressed)
    whole, refused = path.read_bytes(), 0
    for end in range(0, len(whole), 5):
        path.write_bytes(whole[:end])
        try:
            kept = set(read_mat5(path))
        except DatasetError:
            refused += 1
        else:
            assert kept < set(_content())
    assert refused > 0.9 * len(whole) / 5


@pytest.mark.parametrize("compressed", [False, True])
def test_flipped_bytes_raise_nothing_but_our_error(tmp_path, compressed):
    path = tmp_path / "a.mat"
    savemat(path, _content(), do_compression=compressed)
    whole, rng, refused = path.read_bytes(), np.random.default_rng(0), 0
    for _ in range(500):
        damaged = bytearray(whole)
        for at in rng.integers(100, len(whole), 3):
            damaged[at] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            read_mat5(path)
        except DatasetError:
            refused += 1
    assert refused > 50


def test_another_format_is_said(tmp_path):
    path = tmp_path / "a.mat"
    path.write_bytes(b"MATLAB 7.3 MAT-file" + b" " * 105 + b"\x00\x02IM" + b"\x89HDF")
    with pytest.raises(DatasetError, match=r"a\.mat: not a MATLAB 5 file"):
        read_mat5(path)
    with pytest.raises(DatasetError, match=r"none\.mat: cannot be read"):
        read_mat5(tmp_path / "none.mat")
