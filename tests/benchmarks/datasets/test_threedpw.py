"""3DPW sequences as Python 2 wrote them: camera frame, validity, two people, damage and malice named."""

import os
import pickle

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from benchmarks.datasets.threedpw import (
    KEYPOINT_NAMES,
    load_3dpw,
    load_3dpw_sequence,
)
from realtime_vibe.errors import DatasetError
from tests import python2_pickle

FRAMES = 9
REST_PELVIS = np.array([-0.002, -0.223, 0.028])


def _content(people=2, frames=FRAMES, seed=0, **changes):
    rng = np.random.default_rng(seed)
    cameras = np.tile(np.eye(4), (frames, 1, 1))
    cameras[:, :3, :3] = Rotation.random(frames, random_state=seed).as_matrix()
    cameras[:, :3, 3] = rng.normal(size=(frames, 3))
    trans = [rng.normal(size=(frames, 3)) for _ in range(people)]
    joints = [rng.normal(size=(frames, 24, 3)) for _ in range(people)]
    for world, position in zip(joints, trans, strict=True):
        world[:, 0] = position + REST_PELVIS
    content = {
        "sequence": "courtyard_arguing_00",
        "poses": [rng.normal(size=(frames, 72)) * 0.4 for _ in range(people)],
        "trans": trans,
        "betas": [rng.normal(size=10) for _ in range(people)],
        "betas_clothed": [rng.normal(size=10) for _ in range(people)],
        "v_template_clothed": [rng.normal(size=(20, 3)) for _ in range(people)],
        "poses_60Hz": [np.zeros((2 * frames, 72)) for _ in range(people)],
        "trans_60Hz": [np.zeros((2 * frames, 3)) for _ in range(people)],
        "jointPositions": [world.reshape(frames, 72) for world in joints],
        "poses2d": [rng.uniform(0, 1000, (frames, 3, 18)) for _ in range(people)],
        "campose_valid": [np.ones(frames, bool) for _ in range(people)],
        "genders": ["m", "f"][:people],
        "texture_maps": [],
        "img_frame_ids": np.arange(frames) * 2,
        "cam_poses": cameras,
        "cam_intrinsics": np.array([[1969.0, 0, 540], [0, 1961, 960], [0, 0, 1]]),
        **changes,
    }
    return {key: value for key, value in content.items() if value is not None}


def _write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(python2_pickle.dumps(content))
    return path


def test_everything_comes_out_in_the_camera_frame(tmp_path):
    content = _content()
    people = load_3dpw_sequence(_write(tmp_path / "a.pkl", content))
    assert [(person.person, person.gender) for person in people] == [(0, "male"), (1, "female")]
    cameras = content["cam_poses"]
    for index, person in enumerate(people):
        world = content["jointPositions"][index].reshape(FRAMES, 24, 3)
        root = Rotation.from_rotvec(content["poses"][index][:, :3])
        for frame in range(FRAMES):
            turn, shift = cameras[frame, :3, :3], cameras[frame, :3, 3]
            np.testing.assert_allclose(
                person.joints[frame], world[frame] @ turn.T + shift, atol=1e-5
            )
            expected = turn @ root[frame].as_matrix()
            got = Rotation.from_rotvec(person.poses[frame, 0]).as_matrix()
            np.testing.assert_allclose(got, expected, atol=1e-5)
        np.testing.assert_allclose(
            person.poses[:, 1:].reshape(FRAMES, 69), content["poses"][index][:, 3:], atol=1e-6
        )
        # Posing about the rest pelvis and adding transl puts the pelvis where the joints have it.
        np.testing.assert_allclose(person.transl + REST_PELVIS, person.joints[:, 0], atol=1e-5)
        np.testing.assert_allclose(person.betas, content["betas"][index], atol=1e-6)
        np.testing.assert_allclose(
            person.keypoints_px[:, KEYPOINT_NAMES.index("neck"), 1],
            content["poses2d"][index][:, 1, 1],
            rtol=1e-6,
        )
        assert person.valid.all()
        np.testing.assert_array_equal(person.frame_ids, np.arange(FRAMES) * 2)
        assert person.intrinsics[0, 2] == 540
        assert person.sequence == "courtyard_arguing_00"


def test_frames_without_a_camera_are_not_valid(tmp_path):
    aligned = np.array([1, 1, 0, 1, 1, 1, 1, 1, 1])
    content = _content(people=1, campose_valid=[aligned])
    content["cam_poses"][5] = np.nan
    (person,) = load_3dpw_sequence(_write(tmp_path / "a.pkl", content))
    np.testing.assert_array_equal(np.flatnonzero(~person.valid), [2, 5])
    assert np.isfinite(person.joints[person.valid]).all()


def test_a_read_mes_spelling_of_gender_is_taken_too(tmp_path):
    content = _content(people=1, genders=None, gender=["f"])
    (person,) = load_3dpw_sequence(_write(tmp_path / "a.pkl", content))
    assert person.gender == "female"


def test_a_wrong_file_is_named(tmp_path, subtests):
    for changes, message in [
        ({"sequence": None}, "sequence is None"),
        ({"poses": None}, r"no 'poses', .*found \['betas'"),
        ({"genders": ["m"]}, r"entries per field .*'genders': 1"),
        ({"genders": ["m", "x"]}, "gender 'x', expected 'm' or 'f'"),
        ({"poses": 3}, "poses is a int, expected a list"),
        ({"poses": [np.zeros((FRAMES, 72)), "text"]}, r"poses\[1\] is no array"),
        ({"poses": [np.zeros((FRAMES, 72)), np.zeros((4, 72))]}, r"poses\[1\] has shape \(4, 72\)"),
        ({"cam_poses": np.zeros((FRAMES, 3, 4))}, r"cam_poses has shape \(9, 3, 4\)"),
        ({"cam_intrinsics": None}, "cam_intrinsics"),
        ({"betas": [np.zeros(3), np.zeros(10)]}, r"betas\[0\] has 3 values"),
        ({"poses2d": [np.zeros((FRAMES, 18, 3))] * 2}, r"poses2d\[0\] has shape \(9, 18, 3\)"),
    ]:
        with subtests.test(message=message, changes=changes):
            path = _write(tmp_path / "bad.pkl", _content(**changes))
            with pytest.raises(DatasetError, match=rf"bad\.pkl: .*{message}"):
                load_3dpw_sequence(path)


def test_something_else_than_a_dictionary_is_named(tmp_path):
    path = _write(tmp_path / "bad.pkl", [1, 2])
    with pytest.raises(DatasetError, match=r"bad\.pkl: a list, expected a dictionary"):
        load_3dpw_sequence(path)


class _Hostile:
    def __init__(self, command):
        self._command = command

    def __reduce__(self):
        return os.system, (self._command,)


def test_a_hostile_sequence_runs_nothing(tmp_path):
    canary = tmp_path / "canary"
    path = tmp_path / "bad.pkl"
    path.write_bytes(pickle.dumps({"poses": _Hostile(f"touch {canary}")}, 2))
    with pytest.raises(DatasetError, match=r"bad\.pkl: the pickle asks for posix\.system"):
        load_3dpw_sequence(path)
    assert not canary.exists()


@pytest.fixture
def dataset(tmp_path):
    for split, names in (("train", "ab"), ("test", "c")):
        for seed, name in enumerate(names):
            content = _content(seed=seed, sequence=name)
            _write(tmp_path / "sequenceFiles" / split / f"{name}.pkl", content)
    return tmp_path


def test_a_split_holds_everybody_in_it(dataset):
    found = load_3dpw(dataset, "train")
    assert [(person.sequence, person.person) for person in found.people] == [
        ("a", 0),
        ("a", 1),
        ("b", 0),
        ("b", 1),
    ]
    assert found.skipped == ()
    with pytest.raises(DatasetError, match=r"no .*validation/\*\.pkl"):
        load_3dpw(dataset, "validation")


def test_a_bad_sequence_is_named_or_skipped(dataset):
    path = dataset / "sequenceFiles" / "train" / "a.pkl"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DatasetError, match=r"a\.pkl: cannot be read"):
        load_3dpw(dataset, "train")
    found = load_3dpw(dataset, "train", skip_bad=True)
    assert {person.sequence for person in found.people} == {"b"}
    assert [reason.partition(": ")[0] for reason in found.skipped] == [str(path)]
