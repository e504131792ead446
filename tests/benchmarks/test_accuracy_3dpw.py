"""3DPW as clips: one per person, frames without a camera unknown, images by position, joints regressed, refusals."""

import pickle

import cv2
import numpy as np
import pytest

from benchmarks.accuracy import main
from benchmarks.accuracy_3dpw import find_3dpw_clips
from benchmarks.accuracy_joints import choose_joint_set
from benchmarks.accuracy_mesh import TrueBody
from benchmarks.joint_regressor import ROW_NAMES, load_joint_regressor, regressed_clip
from realtime_vibe.body.joints import SMPL_JOINT_NAMES
from realtime_vibe.errors import DatasetError

FRAMES, FOCAL_PX = 7, 100.0


def _sequence(name, people):
    rng = np.random.default_rng(len(name))
    joints = [rng.normal([0, 0, 4], 0.3, (FRAMES, 24, 3)) for _ in range(people)]
    valid = np.ones(FRAMES, bool)
    valid[2] = False
    return {
        "sequence": name,
        "poses": [rng.normal(0, 0.2, (FRAMES, 72)) for _ in range(people)],
        "trans": [world[:, 0] - [0, -0.22, 0.03] for world in joints],
        "betas": [rng.normal(size=10) for _ in range(people)],
        "jointPositions": [world.reshape(FRAMES, 72) for world in joints],
        "poses2d": [np.zeros((FRAMES, 3, 18)) for _ in range(people)],
        "campose_valid": [valid] * people,
        "genders": ["m", "f"][:people],
        "img_frame_ids": np.arange(FRAMES) * 2,
        "cam_poses": np.tile(np.eye(4), (FRAMES, 1, 1)),
        "cam_intrinsics": np.array([[FOCAL_PX, 0, 64], [0, FOCAL_PX, 48], [0, 0, 1]]),
    }


@pytest.fixture
def dataset(tmp_path):
    for name, people in (("alone_00", 1), ("couple_00", 2)):
        path = tmp_path / "sequenceFiles" / "test" / f"{name}.pkl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps(_sequence(name, people), protocol=2))
        images = tmp_path / "imageFiles" / name
        images.mkdir(parents=True)
        for index in range(FRAMES):
            picture = np.full((96, 128, 3), 20 * index, np.uint8)
            cv2.imwrite(str(images / f"image_{index:05d}.jpg"), picture)
    return tmp_path


def test_every_person_is_a_clip_with_the_owners_joints(dataset):
    clips = find_3dpw_clips(dataset)
    assert [clip.name for clip in clips] == ["alone_00_0", "couple_00_0", "couple_00_1"]
    truth = clips[0].truth
    world = _sequence("alone_00", 1)["jointPositions"][0].reshape(FRAMES, 24, 3)
    assert np.isnan(truth.joints[2]).all()
    np.testing.assert_allclose(truth.joints[[0, 6]], world[[0, 6]], atol=1e-5)
    assert (truth.names, truth.fps, truth.first_frame) == (SMPL_JOINT_NAMES, 30.0, 0)
    assert truth.pose is None
    assert len(choose_joint_set("lsp14", truth.names).joints) == 14


def test_people_in_company_know_where_they_are_in_the_image(dataset):
    alone, couple, _ = find_3dpw_clips(dataset)
    assert alone.truth.joints_px is None
    point, joint = couple.truth.joints_px[0, 5], couple.truth.joints[0, 5]
    np.testing.assert_allclose(point, FOCAL_PX * joint[:2] / joint[2] + [64, 48], rtol=1e-5)


def test_frames_are_the_images_in_order(dataset):
    frames = list(find_3dpw_clips(dataset)[0].open_frames())
    assert [frame.index for frame in frames] == list(range(FRAMES))
    assert [round(float(frame.image_bgr.mean()), -1) for frame in frames] == [
        20 * index for index in range(FRAMES)
    ]
    assert frames[3].captured_at_s == pytest.approx(0.1)


def test_the_command_scores_it(dataset, capsys):
    assert main([str(dataset), "--dataset", "3dpw", "--joints", "lsp14"]) == 0
    table = capsys.readouterr().out
    assert "couple_00_1  ours" in table
    assert "set lsp14, 14 joints" in table
    assert "no BlazePose rows" in table


def test_with_the_papers_regressor_the_truth_is_the_engines_body(dataset, body_model, capsys):
    rng = np.random.default_rng(3)
    matrix = rng.dirichlet(np.full(len(body_model.v_template), 0.01), len(ROW_NAMES))
    path = dataset / "J_regressor_h36m.npy"
    np.save(path, matrix.astype(np.float32))
    (clip, *_) = find_3dpw_clips(dataset)
    regressed = regressed_clip(clip, load_joint_regressor(path, body_model), body_model).truth
    assert (
        np.isnan(regressed.joints).all((1, 2)).tolist()
        == np.isnan(clip.truth.joints).all((1, 2)).tolist()
    )
    mesh = TrueBody(regressed.pose, body_model).posed(5)
    hip = matrix[ROW_NAMES.index("left_hip")] @ mesh.vertices
    np.testing.assert_allclose(
        regressed.joints[5, regressed.names.index("left_hip")], hip, atol=1e-5
    )

    arguments = [str(dataset), "--dataset", "3dpw", "--joints", "lsp14", "--regressor", str(path)]
    assert main(arguments) == 0
    table = capsys.readouterr().out
    assert "regressed with J_regressor_h36m.npy; in the mean every frame counts alike" in table
    for content, fact in (
        (matrix[:, :-1], "vertices"),
        (matrix[:5], "shape (5,"),
        (2 * matrix, "sum to 1"),
        (np.array(["text"]), "expected (17, V)"),
    ):
        np.save(path, content)
        assert main(arguments) == 2
        assert fact in capsys.readouterr().err
    np.save(path, matrix)
    assert main([*arguments[:3], "--joints", "smpl24", *arguments[5:]]) == 2
    assert "smpl24" in capsys.readouterr().err


def test_what_is_missing_is_named(dataset, tmp_path, capsys):
    (dataset / "imageFiles" / "alone_00" / "image_00003.jpg").unlink()
    assert main([str(dataset), "--dataset", "3dpw"]) == 2
    error = capsys.readouterr().err
    assert "image_00003.jpg is missing" in error
    assert error.count("\n") == 1
    with pytest.raises(DatasetError, match="sequenceFiles"):
        find_3dpw_clips(tmp_path / "absent")
    (dataset / "imageFiles" / "couple_00").rename(dataset / "elsewhere")
    with pytest.raises(DatasetError, match="expected the images of couple_00"):
        find_3dpw_clips(dataset)
