"""Motion pools: clips spliced without jumps; the folder loader behind them."""

import numpy as np
import pytest

from realtime_vibe.errors import DatasetError
from realtime_vibe.geometry.rotation import quat_product_wxyz, rotmat_from_quat_wxyz
from realtime_vibe.training.samples.motion import (
    TEST_EVERY,
    MotionClip,
    MotionPool,
    MotionShares,
    load_clips,
    part_of,
    rarity_weights,
)
from realtime_vibe.training.samples.posture import Posture, postures
from tests.training.samples.still_people import sitting, standing, walking

NAMES = [f"clip_{number}" for number in range(1200)]


def _write(path, frames=120, rate=30.0):
    time_s = np.arange(frames) / rate
    poses = np.zeros((frames, 156), np.float32)
    poses[:, 0] = np.pi / 2
    poses[:, 3] = 0.5 * np.sin(2 * time_s)
    trans = np.stack([time_s, 0 * time_s, 0.9 + 0 * time_s], -1).astype(np.float32)
    np.savez(path, poses=poses, trans=trans, mocap_framerate=rate)
    return path


def test_clips_come_in_the_order_of_their_names(tmp_path):
    for name in "bca":
        _write(tmp_path / f"{name}.npz")
    clips = load_clips(tmp_path)
    assert [clip.name for clip in clips] == ["a", "b", "c"]
    assert all(isinstance(clip, MotionClip) for clip in clips)
    raised = load_clips(tmp_path, up_axis="y")[0]
    np.testing.assert_allclose(raised.trans[0], [0.0, -0.9, 0.0], atol=1e-6)


def test_a_bad_file_is_named_or_skipped(tmp_path):
    _write(tmp_path / "a.npz")
    (tmp_path / "bad.npz").write_bytes(b"PK")
    with pytest.raises(DatasetError, match=r"bad\.npz"):
        load_clips(tmp_path)
    assert len(load_clips(tmp_path, skip_bad=True)) == 1


def test_an_empty_folder_is_said(tmp_path):
    with pytest.raises(DatasetError, match="no motion clips"):
        load_clips(tmp_path)


def test_the_pool_is_full_and_never_jumps(tmp_path):
    for name in "abc":
        _write(tmp_path / f"{name}.npz")
    pool = MotionPool(load_clips(tmp_path), 6, 400, np.random.default_rng(0))
    assert pool.quats.shape == (6, 400, 24, 4)
    neighbours = np.sum(pool.quats[:, 1:] * pool.quats[:, :-1], axis=-1)
    assert neighbours.min() > 0.99
    assert np.abs(np.diff(pool.trans, axis=1)).max() < 0.1


def test_rare_poses_get_more_weight_and_longer_clips_too():
    usual = np.zeros((600, 24, 4), np.float32)
    usual[..., 0] = 1.0
    rare = usual.copy()
    rare[:, 1:] = [np.sqrt(0.5), np.sqrt(0.5), 0, 0]
    clips = [
        MotionClip(name=name, quats=quats, trans=np.zeros((len(quats), 3), np.float32))
        for name, quats in (("long", usual), ("short", usual[:150]), ("rare", rare[:150]))
    ]
    long, short, odd = rarity_weights(clips)
    assert long == pytest.approx(2 * short)
    assert odd > 2 * short


def _posture_shares(pool):
    seen = np.stack([postures(*row) for row in zip(pool.quats, pool.trans, strict=True)])
    return np.bincount(seen.ravel(), minlength=len(Posture)) / seen.size


def test_pieces_join_without_a_spin():
    """Clips that face opposite ways go on in one direction."""
    clips = [standing(), standing()]
    half_turn = np.array([0, 0, 0, 1], np.float32)
    clips[1].quats[:, 0] = quat_product_wxyz(half_turn, clips[1].quats[:, 0])
    pool = MotionPool(
        clips, 4, 1500, np.random.default_rng(0), shares=MotionShares(lying=0.0, crouching=0.0)
    )
    forward = rotmat_from_quat_wxyz(pool.quats[:, :, 0])[..., 2]
    np.testing.assert_allclose(np.sum(forward * forward[:, :1], axis=-1), 1.0, atol=1e-4)


def test_standing_and_sitting_fill_their_shares_of_a_pool():
    clips = [standing(), sitting(), *[walking() for _ in range(10)]]
    shares = MotionShares(
        standing=0.4, sitting=0.3, lying=0.0, gestures=0.0, looking=0.0, crouching=0.0
    )
    seen = _posture_shares(MotionPool(clips, 100, 300, np.random.default_rng(1), shares=shares))
    assert seen[Posture.STANDING] == pytest.approx(0.4, abs=0.12)
    assert seen[Posture.SITTING] == pytest.approx(0.3, abs=0.12)


def test_a_pool_of_real_motion_has_its_shares_and_depends_on_the_seed_alone(shared_data, tmp_path):
    for path in sorted((shared_data / "motion").glob("*.npz"))[::12]:
        (tmp_path / path.name).symlink_to(path)
    clips = load_clips(tmp_path)
    first, again = (MotionPool(clips, 50, 300, np.random.default_rng(0)) for _ in range(2))
    np.testing.assert_array_equal(first.quats, again.quats)
    np.testing.assert_array_equal(first.trans, again.trans)
    np.testing.assert_allclose(np.linalg.norm(first.quats, axis=-1), 1.0, atol=1e-5)
    assert np.sum(first.quats[:, 1:] * first.quats[:, :-1], axis=-1).min() > 0.0
    wanted, seen = MotionShares(), _posture_shares(first)
    assert seen[Posture.STANDING] == pytest.approx(wanted.standing, abs=0.15)
    assert seen[Posture.SITTING] == pytest.approx(wanted.sitting, abs=0.15)


def test_the_parts_of_known_names_stay_what_they_are():
    # Networks were trained on one part and scored on the other: a change would mix them.
    assert part_of("cmu_14_04") == part_of("dm_crawl") == part_of("m2m_base_Idle_Loop") == "test"
    assert part_of("cmu_01_08_part0") == part_of("cmu_02_01") == "train"


def test_one_in_twelve_is_a_test_clip():
    parts = [part_of(name) for name in NAMES]
    assert set(parts) == {"train", "test"}
    assert parts.count("test") == pytest.approx(len(NAMES) / TEST_EVERY, rel=0.3)


def test_parts_make_up_all_and_an_empty_one_is_an_error(motion_folder):
    train, test = load_clips(motion_folder, "train"), load_clips(motion_folder, "test")
    assert {clip.name for clip in train} == {"cmu_02_01", "cmu_02_02"}
    assert len(train) + len(test) == len(load_clips(motion_folder))
    for clip in test:
        (motion_folder / f"{clip.name}.npz").unlink()
    with pytest.raises(DatasetError, match=r"none of 2 motion clips is in the part 'test'"):
        load_clips(motion_folder, "test")
