"""Motion clips: read, resampled, spliced without jumps; damaged files are named."""

import numpy as np
import pytest

from realtime_vibe.errors import DatasetError
from realtime_vibe.training.motion import MotionPool, load_clip, load_clips


def _write(path, frames=120, rate=30.0, **changes):
    time_s = np.arange(frames) / rate
    poses = np.zeros((frames, 156), np.float32)
    poses[:, 3] = 0.5 * np.sin(2 * time_s)
    trans = np.stack([time_s, 0 * time_s, 0.9 + 0 * time_s], -1).astype(np.float32)
    content = {"poses": poses, "trans": trans, "mocap_framerate": rate, **changes}
    np.savez(path, **{key: value for key, value in content.items() if value is not None})
    return path


def test_a_clip_is_resampled_to_sixty_hertz(tmp_path):
    clip = load_clip(_write(tmp_path / "a.npz", frames=61, rate=30.0))
    assert len(clip.trans) == pytest.approx(121, abs=1)
    np.testing.assert_allclose(np.diff(clip.trans[:, 0]), 1 / 60, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(clip.quats, axis=-1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"poses": None}, "no poses"),
        ({"trans": np.zeros((3, 3))}, r"trans \(3, 3\)"),
        ({"poses": np.zeros((120, 10))}, r"poses \(120, 10\)"),
    ],
)
def test_a_wrong_file_is_named(tmp_path, changes, message):
    path = _write(tmp_path / "bad.npz", **changes)
    with pytest.raises(DatasetError, match=rf"bad\.npz.*{message}"):
        load_clip(path)


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "cut.npz"
    path.write_bytes(_write(tmp_path / "a.npz").read_bytes()[:100])
    with pytest.raises(DatasetError, match=r"cut\.npz"):
        load_clip(path)


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
