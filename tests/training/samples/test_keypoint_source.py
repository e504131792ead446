"""Videos with 2D keypoints as batches: only points in the picture weigh, time is the video's own."""

import numpy as np
import pytest
import torch

from realtime_vibe.errors import DatasetError
from realtime_vibe.features.landmark_features import landmark_features
from realtime_vibe.training.datasets.keypoint_video import load_keypoint_videos
from realtime_vibe.training.samples.keypoint_source import KeypointVideoSource


@pytest.fixture
def video():
    """Two people: one for 20 frames, one too shortly to learn from."""
    rng = np.random.default_rng(0)
    count = 25
    points = rng.uniform(20, 200, (count, 33, 3)).astype(np.float32)
    dt_s = rng.uniform(0.03, 0.2, count).astype(np.float32)
    dt_s[[0, 20]] = 0.0
    return {
        "size": np.array([320, 240]),
        "fps": np.array(15.0),
        "frame_index": np.arange(count),
        "time_s": np.cumsum(dt_s).astype(np.float64),
        "dt_s": dt_s,
        "track_id": np.array([4] * 20 + [9] * 5),
        "bbox_xyxy": np.concatenate([points[..., :2].min(1), points[..., :2].max(1)], -1),
        "image_px": points,
        "visibility": rng.uniform(0, 1, (count, 33)).astype(np.float32),
        "presence": np.ones(count, np.float32),
        "world_m": rng.normal(size=(count, 33, 3)).astype(np.float32),
    }


def source_of(video, **options):
    return KeypointVideoSource([video], **{"num_frames": 28, "num_streams": 3, **options})


def test_only_points_in_the_picture_weigh(video):
    batch = source_of(video, half_rate_chance=0.0).sample()
    assert (batch.body_weight == 0).all()
    assert batch.point_weight.shape == (28, 3, 57)
    assert (batch.point_weight[..., :24] == 0).all()
    expected = torch.from_numpy(video["visibility"][:20])
    for stream in range(3):
        assert torch.equal(batch.point_weight[:20, stream, 24:], expected)
    assert (batch.point_weight[20:] == 0).all()
    assert all(torch.isfinite(part).all() for part in batch)


def test_features_are_those_of_the_live_app(video):
    batch = source_of(video, half_rate_chance=0.0).sample()
    rows = np.arange(20)
    view = batch.view[:20, 0].numpy()
    np.testing.assert_allclose(view[:, 6], video["dt_s"][rows], atol=1e-6)
    assert (view[:, 3:5] == [160, 120]).all()
    assert view[:, 5] == pytest.approx(300.0)
    expected = landmark_features(
        video["image_px"][rows], video["world_m"][rows], video["visibility"][rows], view
    )
    np.testing.assert_allclose(batch.features[:20, 0].numpy(), expected, atol=1e-5)
    in_crop = batch.features[:20, :, :66].reshape(20, 3, 33, 2)
    torch.testing.assert_close(batch.crop_points[:20, :, 24:], in_crop)


def test_shapes_are_those_of_every_other_source(video):
    batch = source_of(video).sample()
    shapes = {name: tuple(part.shape[2:]) for name, part in batch._asdict().items()}
    assert shapes == {
        "features": (202,), "rotmat": (24, 3, 3), "betas": (10,), "weak_camera": (3,),
        "joints": (24, 3), "landmarks": (33, 3), "crop_points": (57, 2), "view": (7,),
        "body_weight": (), "point_weight": (57,),
    }  # fmt: skip
    assert {part.shape[:2] for part in batch} == {(28, 3)}
    assert {part.dtype for part in batch} == {torch.float32}


def test_the_state_decides_all_that_follows(video):
    long = {**video, "track_id": np.zeros(25, np.int64)}
    source = source_of(long, num_frames=6)
    source.sample()
    state = source.state_dict()
    first = source.sample()
    other = source_of(long, num_frames=6, seed=5)
    assert not torch.equal(other.sample().features, first.features)
    other.load_state_dict(state)
    assert all(torch.equal(a, b) for a, b in zip(other.sample(), first, strict=True))


def test_a_stored_video_is_as_good(video, tmp_path):
    np.savez(tmp_path / "street.npz", **video)
    loaded = load_keypoint_videos(tmp_path)
    batch = KeypointVideoSource(loaded, num_frames=28, num_streams=3).sample()
    expected = source_of(video).sample()
    assert all(torch.equal(a, b) for a, b in zip(batch, expected, strict=True))


def test_what_cannot_be_used_is_refused(video):
    with pytest.raises(DatasetError, match="no person is followed for 16 frames in 1 labelled"):
        source_of({**video, "track_id": np.arange(25)})
