"""Motion pools: clips spliced without jumps; the folder loader behind them."""

import numpy as np
import pytest

from realtime_vibe.errors import DatasetError
from realtime_vibe.training.samples.motion import MotionClip, MotionPool, load_clips, rarity_weights


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
