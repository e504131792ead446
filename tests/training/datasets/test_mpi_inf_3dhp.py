"""MPI-INF-3DHP: training cells and test HDF5 in the owner's layout, joints by name, metres."""

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from realtime_vibe.errors import DatasetError
from realtime_vibe.training.datasets.mpi_inf_3dhp import (
    COMMON_JOINT_NAMES,
    JOINT_NAMES,
    TRAINING_JOINT_NAMES,
    joint_indices,
    load_3dhp_sequence,
    load_3dhp_test,
    load_3dhp_training,
    read_calibration,
)

FRAMES, CAMERAS = 6, 14

CALIBRATION = """name          {number}
  sensor      10 10
  size        2048 2048
  animated    0
  intrinsic   1497.693 0 1024.704 0 0 1497.103 1051.394 0 0 0 1 0 0 0 0 1
  extrinsic   0.9650164 0.0048 0.262144 -562.8666 -0.0044 0.9999877 -0.0020 1398.138 -0.2621 0.0008 0.965026 3852.623 0 0 0 1
  radial      0
"""  # fmt: skip


def _cell(arrays):
    cell = np.empty((len(arrays), 1), object)
    for index, array in enumerate(arrays):
        cell[index, 0] = array
    return cell


def _training_arrays(seed=0, **changes):
    rng = np.random.default_rng(seed)
    content = {
        "annot2": _cell([rng.uniform(0, 2048, (FRAMES, 56)) for _ in range(CAMERAS)]),
        "annot3": _cell([rng.normal(0, 1000, (FRAMES, 84)) for _ in range(CAMERAS)]),
        "univ_annot3": _cell([rng.normal(0, 1000, (FRAMES, 84)) for _ in range(CAMERAS)]),
        "cameras": np.arange(CAMERAS, dtype=np.uint8)[None],
        "frames": np.arange(FRAMES, dtype=np.float64)[:, None],
        **changes,
    }
    return {key: value for key, value in content.items() if value is not None}


def _write_training(folder, **changes):
    folder.mkdir(parents=True)
    content = _training_arrays(**changes)
    savemat(folder / "annot.mat", content, do_compression=True)
    text = "".join(CALIBRATION.format(number=number) for number in range(CAMERAS))
    (folder / "camera.calibration").write_text("Skeletool Camera Calibration File V1.0\n" + text)
    return content


def _write_test(folder, seed=0, **changes):
    """Everything turned around, as MATLAB writes it."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    content = {
        "annot2": rng.uniform(0, 2048, (FRAMES, 1, 17, 2)),
        "annot3": rng.normal(0, 1000, (FRAMES, 1, 17, 3)),
        "univ_annot3": rng.normal(0, 1000, (FRAMES, 1, 17, 3)),
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


def test_a_training_sequence_gives_every_camera_by_joint_name(tmp_path):
    content = _write_training(tmp_path / "S1" / "Seq2")
    views = load_3dhp_sequence(tmp_path / "S1" / "Seq2" / "annot.mat")
    assert [view.camera for view in views] == list(range(CAMERAS))
    assert {view.sequence for view in views} == {"S1/Seq2"}
    for position in (0, 13):
        view = views[position]
        for name in ("left_wrist", "pelvis", "head_top"):
            column = TRAINING_JOINT_NAMES.index(name)
            row = JOINT_NAMES.index(name)
            theirs = content["annot3"][position, 0][:, 3 * column : 3 * column + 3]
            np.testing.assert_allclose(view.joints[:, row], theirs / 1000, rtol=1e-5)
            theirs = content["univ_annot3"][position, 0][:, 3 * column : 3 * column + 3]
            np.testing.assert_allclose(view.universal_joints[:, row], theirs / 1000, rtol=1e-5)
            theirs = content["annot2"][position, 0][:, 2 * column : 2 * column + 2]
            np.testing.assert_allclose(view.keypoints_px[:, row], theirs, rtol=1e-5)
        assert view.valid.all()
        np.testing.assert_array_equal(view.frame_ids, np.arange(FRAMES))
        assert view.calibration.intrinsics[1, 2] == pytest.approx(1051.394)
        np.testing.assert_allclose(
            view.calibration.T_camera_world[:3, 3], [-0.5628666, 1.398138, 3.852623], rtol=1e-6
        )
        assert (view.calibration.width_px, view.calibration.height_px) == (2048, 2048)


def test_cameras_can_be_chosen_over_a_whole_folder(tmp_path):
    for name in ("S1/Seq1", "S2/Seq1"):
        _write_training(tmp_path / name)
    found = load_3dhp_training(tmp_path, cameras=[0, 8])
    assert [(view.sequence, view.camera) for view in found.views] == [
        ("S1/Seq1", 0),
        ("S1/Seq1", 8),
        ("S2/Seq1", 0),
        ("S2/Seq1", 8),
    ]


def test_a_test_sequence_keeps_its_validity(tmp_path):
    content = _write_test(tmp_path / "TS1")
    (view,) = load_3dhp_test(tmp_path).views
    assert (view.sequence, view.camera, view.calibration) == ("TS1", 0, None)
    np.testing.assert_array_equal(view.valid, [True, False, True, True, True, True])
    np.testing.assert_allclose(view.joints, content["annot3"][:, 0] / 1000, rtol=1e-5)
    np.testing.assert_allclose(view.keypoints_px, content["annot2"][:, 0], rtol=1e-6)


def test_the_common_joints_are_found_by_name_in_both_sets():
    for source in (JOINT_NAMES, TRAINING_JOINT_NAMES):
        found = [source[index] for index in joint_indices(COMMON_JOINT_NAMES, source)]
        assert tuple(found) == COMMON_JOINT_NAMES
    assert (len(JOINT_NAMES), len(set(TRAINING_JOINT_NAMES)), len(COMMON_JOINT_NAMES)) == (
        17,
        28,
        14,
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frames": None}, "no variable frames"),
        ({"annot2": None}, "annot2 is no cell array"),
        ({"annot3": np.zeros((FRAMES, 84))}, "annot3 is no cell array"),
        ({"annot3": _cell([np.zeros((FRAMES, 84))] * 3)}, "each of 14 cameras"),
        (
            {"annot3": _cell([np.zeros((FRAMES, 56))] * 14)},
            r"annot3\{1\} is \(6, 56\), expected \(6, 84\)",
        ),
        ({"cameras": np.arange(14)[None] + 90}, "camera 90 is not in camera.calibration"),
    ],
)
def test_a_wrong_training_file_is_named(tmp_path, changes, message):
    _write_training(tmp_path / "S1" / "Seq1", **changes)
    with pytest.raises(DatasetError, match=rf"annot\.mat: .*{message}"):
        load_3dhp_training(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"valid_frame": None}, "a variable is missing .*valid_frame"),
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


def test_cut_files_are_named_or_skipped(tmp_path):
    for name in ("S1/Seq1", "S1/Seq2"):
        _write_training(tmp_path / name)
    for name in ("TS1", "TS2"):
        _write_test(tmp_path / name)
    for path, load in (
        (tmp_path / "S1" / "Seq1" / "annot.mat", load_3dhp_training),
        (tmp_path / "TS1" / "annot_data.mat", load_3dhp_test),
    ):
        whole = path.read_bytes()
        for share in (0.0, 0.01, 0.3, 0.6, 0.95):
            path.write_bytes(whole[: int(share * len(whole))])
            with pytest.raises(DatasetError, match=path.name.replace(".", r"\.")):
                load(tmp_path)
        found = load(tmp_path, skip_bad=True)
        assert [skipped.path for skipped in found.skipped] == [path]
        assert found.views


def test_a_missing_or_damaged_calibration_is_named(tmp_path):
    _write_training(tmp_path / "S1" / "Seq1")
    path = tmp_path / "S1" / "Seq1" / "camera.calibration"
    text = path.read_text()
    path.write_text(text.replace("intrinsic   1497.693 0", "intrinsic   1497.693", 1))
    with pytest.raises(DatasetError, match=r"camera\.calibration: camera '0' is damaged"):
        read_calibration(path)
    path.write_text("hello")
    with pytest.raises(DatasetError, match="expected a Skeletool calibration"):
        read_calibration(path)
    path.unlink()
    with pytest.raises(DatasetError, match=r"camera\.calibration: cannot be read"):
        load_3dhp_training(tmp_path)


def test_empty_folders_are_said(tmp_path):
    with pytest.raises(DatasetError, match=r"no .*/S\*/Seq\*/annot\.mat"):
        load_3dhp_training(tmp_path)
    with pytest.raises(DatasetError, match=r"no .*/TS\*/annot_data\.mat"):
        load_3dhp_test(tmp_path)
