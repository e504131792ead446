"""AMASS files of both generations: what is read, what is distinguished, what is refused by name."""

import numpy as np
import pytest

from realtime_vibe.errors import DatasetError
from realtime_vibe.training.datasets.amass import is_side_file, load_amass
from realtime_vibe.training.samples.motion import POOL_RATE_HZ

SMPLH_PELVIS = np.array([0.0, -0.22, 0.03])
SMPLX_PELVIS = np.array([0.0, -0.35, 0.01])


def test_a_smplh_motion_is_resampled_and_keeps_shape_and_gender(tmp_path, write_smplh):
    clip = load_amass(write_smplh(tmp_path / "walk_poses.npz", frames=241, rate=120.0))
    assert (clip.name, clip.gender, clip.recorded_hz) == ("walk_poses", "female", 120.0)
    np.testing.assert_allclose(clip.betas, np.linspace(-1, 1, 16), atol=1e-6)
    assert len(clip.trans) == 121
    time_s = np.arange(121) / POOL_RATE_HZ
    np.testing.assert_allclose(clip.trans[:, 0], time_s, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(clip.quats, axis=-1), 1, atol=1e-5)
    half = 0.25 * np.sin(2 * time_s)
    np.testing.assert_allclose(clip.quats[:, 1, 1], np.sin(half), atol=1e-5)
    np.testing.assert_allclose(clip.quats[:, 22:, 0], 1, atol=1e-6)  # no fingers in SMPL's hands


def test_both_generations_give_the_same_motion(tmp_path, write_smplh, write_smplx):
    old = load_amass(write_smplh(tmp_path / "a.npz"))
    new = load_amass(write_smplx(tmp_path / "b.npz"))
    split = load_amass(write_smplx(tmp_path / "c.npz", poses=None))
    np.testing.assert_allclose(old.quats, new.quats, atol=1e-6)
    np.testing.assert_allclose(split.quats, new.quats, atol=1e-6)
    np.testing.assert_allclose(split.trans, new.trans, atol=1e-6)
    np.testing.assert_allclose(
        new.trans - old.trans, np.tile(SMPLX_PELVIS - SMPLH_PELVIS, (len(old.trans), 1)), atol=1e-6
    )


@pytest.mark.parametrize("betas", [None, np.zeros(16)])
def test_without_a_fitted_body_trans_is_the_pelvis(tmp_path, write_smplh, betas):
    clip = load_amass(write_smplh(tmp_path / "a.npz", betas=betas))
    np.testing.assert_allclose(clip.trans[0], [0.0, 0.0, 0.9], atol=1e-6)


def test_a_y_up_world_is_turned_with_its_pelvis(tmp_path, write_smplx):
    frames = 40
    poses = np.zeros((frames, 165))  # the rest pose stands in a world with y up
    trans = np.tile([1.0, 1.3, 2.0], (frames, 1))
    path = write_smplx(tmp_path / "a.npz", frames=frames, poses=poses, trans=trans)
    clip = load_amass(path, up_axis="y")
    half_turn = np.sqrt(0.5)
    np.testing.assert_allclose(clip.quats[:, 0], [[half_turn, half_turn, 0, 0]] * 20, atol=1e-6)
    np.testing.assert_allclose(clip.trans[0], [1.0, -2.01, 0.95], atol=1e-6)


@pytest.mark.parametrize("width", [66, 72, 156])
def test_every_pose_width_gives_the_same_body(tmp_path, write_smplh, width):
    whole = load_amass(write_smplh(tmp_path / "a.npz"))
    with np.load(tmp_path / "a.npz") as archive:
        poses = archive["poses"][:, :width]
    cut = load_amass(write_smplh(tmp_path / "b.npz", poses=poses))
    np.testing.assert_array_equal(cut.quats, whole.quats)


def test_every_spelling_of_gender_is_understood(tmp_path, write_smplh, subtests):
    for text, gender in [
        ("male", "male"),
        (b"female", "female"),
        ("b'male'", "male"),
        ("Neutral", "neutral"),
        (None,) * 2,
    ]:
        with subtests.test(gender=gender, text=text):
            value = None if text is None else np.array(text)
            clip = load_amass(write_smplh(tmp_path / "a.npz", gender=value))
            assert clip.gender == (gender or "neutral")


NO_NUMBER = np.full((120, 3), np.nan)


def test_a_wrong_file_is_named(tmp_path, write_smplh, subtests):
    for changes, message in [
        ({"poses": None}, "no poses"),
        ({"trans": None}, "no trans"),
        ({"mocap_framerate": None}, "no mocap_framerate or mocap_frame_rate"),
        ({"mocap_framerate": np.array([30.0, 60.0])}, r"mocap_framerate is float64 \(2,\)"),
        ({"mocap_framerate": np.array(0.0)}, "rate of 0.0"),
        ({"mocap_framerate": np.array("fast")}, "mocap_framerate is <U4"),
        ({"trans": np.zeros((3, 3))}, r"trans \(3, 3\)"),
        ({"trans": NO_NUMBER}, "trans holds values that are not finite"),
        ({"poses": np.zeros((120, 10))}, r"poses \(120, 10\)"),
        ({"poses": np.zeros((0, 156)), "trans": np.zeros((0, 3))}, "no frames"),
        ({"poses": np.array("text")}, "poses is <U4"),
        ({"betas": np.zeros((2, 16))}, r"betas \(2, 16\)"),
        ({"gender": np.array("robot")}, "gender 'robot'"),
        ({"gender": np.array({"a": 1}, object)}, "cannot be read"),
    ]:
        with subtests.test(message=message, changes=changes):
            path = write_smplh(tmp_path / "bad.npz", **changes)
            with pytest.raises(DatasetError, match=rf"bad\.npz: .*{message}"):
                load_amass(path)


def test_every_cut_and_every_stranger_is_named(tmp_path, write_smplh):
    whole = write_smplh(tmp_path / "a.npz").read_bytes()
    path = tmp_path / "cut.npz"
    for end in range(0, len(whole) - 1, len(whole) // 20):
        path.write_bytes(whole[:end])
        with pytest.raises(DatasetError, match=r"cut\.npz"):
            load_amass(path)
    np.save(tmp_path / "x.npy", np.zeros(3))
    path.write_bytes((tmp_path / "x.npy").read_bytes())
    with pytest.raises(DatasetError, match=r"cut\.npz: .*a single array"):
        load_amass(path)
    with pytest.raises(DatasetError, match=r"none\.npz"):
        load_amass(tmp_path / "none.npz")


def test_flipped_bytes_raise_nothing_but_our_error(tmp_path, write_smplh):
    path = write_smplh(tmp_path / "a.npz", frames=20)
    with np.load(path) as archive:
        np.savez_compressed(path, **archive)
    whole, rng, refused = path.read_bytes(), np.random.default_rng(0), 0
    for _ in range(200):
        damaged = bytearray(whole)
        for at in rng.integers(0, len(whole), 4):
            damaged[at] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            load_amass(path)
        except DatasetError:
            refused += 1
    assert refused > 100


def test_side_files_are_known_by_what_they_hold(tmp_path, write_smplh):
    betas, gender = np.zeros(16), np.array("male")
    np.savez(tmp_path / "shape.npz", betas=betas, gender=gender)
    np.savez(
        tmp_path / "male_stagei.npz", betas=betas, poses=np.zeros((12, 165)), trans=np.zeros(3)
    )
    np.savez(tmp_path / "body.npz", betas=betas)
    assert all(is_side_file(tmp_path / f"{name}.npz") for name in ("shape", "male_stagei", "body"))
    assert not is_side_file(write_smplh(tmp_path / "walk_stageii.npz"))
    # A motion that lost its rate is a bad file, not a side file; so is anything else.
    assert not is_side_file(write_smplh(tmp_path / "lost.npz", mocap_framerate=None))
    np.savez(tmp_path / "other.npz", images=np.zeros(3))
    assert not is_side_file(tmp_path / "other.npz")
    (tmp_path / "damaged.npz").write_bytes(b"PK")
    assert not is_side_file(tmp_path / "damaged.npz")
