"""MPI-INF-3DHP's test set: HDF5 in the owner's layout, metres, damage named."""

import h5py
import numpy as np
import pytest

from benchmarks.datasets.mpi_inf_3dhp import load_3dhp_test
from realtime_vibe.errors import DatasetError

FRAMES = 6


def _write_test(folder, seed=0, **changes):
    """Everything turned around, as MATLAB writes it."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    content = {
        "annot2": rng.uniform(0, 2048, (FRAMES, 1, 17, 2)),
        "annot3": rng.normal(0, 1000, (FRAMES, 1, 17, 3)),
        "valid_frame": np.array([[1, 0, 1, 1, 1, 1]], np.float64).T,
        "activity_annotation": np.ones((FRAMES, 1)),
        "bb_crop": np.zeros((FRAMES, 34)),
        **changes,
    }
    with h5py.File(folder / "annot_data.mat", "w", userblock_size=512) as file:
        for key, value in content.items():
            if value is not None:
                file[key] = value
    return content


def test_a_test_sequence_keeps_its_validity(tmp_path):
    content = _write_test(tmp_path / "TS1")
    (sequence,) = load_3dhp_test(tmp_path)
    assert sequence.name == "TS1"
    np.testing.assert_array_equal(sequence.valid, [True, False, True, True, True, True])
    np.testing.assert_allclose(sequence.joints, content["annot3"][:, 0] / 1000, rtol=1e-5)
    np.testing.assert_allclose(sequence.keypoints_px, content["annot2"][:, 0], rtol=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"valid_frame": None}, "a variable is missing.*valid_frame"),
        (
            {"annot3": np.zeros((FRAMES, 17, 3))},
            r"annot3 has shape \(6, 17, 3\), expected \(6, 1, 17, 3\)",
        ),
        ({"annot2": np.array([b"text"])}, "annot2 is no array of numbers"),
    ],
)
def test_a_wrong_test_file_is_named(tmp_path, changes, message):
    _write_test(tmp_path / "TS2", **changes)
    with pytest.raises(DatasetError, match=rf"annot_data\.mat: .*{message}"):
        load_3dhp_test(tmp_path)


def test_a_cut_file_is_named(tmp_path):
    _write_test(tmp_path / "TS1")
    path = tmp_path / "TS1" / "annot_data.mat"
    whole = path.read_bytes()
    for share in (0.0, 0.01, 0.3, 0.6, 0.95):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(DatasetError, match=r"annot_data\.mat"):
            load_3dhp_test(tmp_path)


def test_an_empty_folder_is_said(tmp_path):
    with pytest.raises(DatasetError, match=r"no .*/TS\*/annot_data\.mat"):
        load_3dhp_test(tmp_path)
