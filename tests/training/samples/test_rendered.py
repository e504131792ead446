"""Rendered shards as batches: padding, lost frames, wrong people, resuming and damaged files."""

import numpy as np
import pytest
import torch

from realtime_vibe.body.joints import BLAZEPOSE_MIRROR, SMPL_MIRROR
from realtime_vibe.body.model_file import BodyModel
from realtime_vibe.errors import DatasetError, OutputError
from realtime_vibe.models.landmark_skeleton import LandmarkSkeleton, skeleton_arrays
from realtime_vibe.models.rotation import rotmat_from_rot6d
from realtime_vibe.training.samples.rendered import RenderedSource, Variety, load_streams, mirrored
from realtime_vibe.training.samples.sequences import (
    Observation,
    SequenceTruth,
    posed_points,
    projected,
)
from realtime_vibe.training.samples.shards import load_shard, save_shard, shard_path

FRAMES, STREAMS = 20, 2


@pytest.fixture
def arrays(skeleton):
    """Two people who stand four metres away; the tracker is right about the first one."""
    rng = np.random.default_rng(0)
    rotmat = np.broadcast_to(np.eye(3, dtype=np.float32), (FRAMES, STREAMS, 24, 3, 3)).copy()
    rotmat[:, :, 0] = np.diag([1.0, -1.0, -1.0])
    truth = SequenceTruth(
        rotmat=torch.from_numpy(rotmat),
        betas=torch.from_numpy(rng.normal(size=(STREAMS, 10)).astype(np.float32)),
        transl=torch.tensor([0.0, 0.0, 4.0]).expand(FRAMES, STREAMS, 3),
        dt_s=torch.from_numpy(rng.uniform(0.02, 0.1, (FRAMES, STREAMS)).astype(np.float32)),
        principal=torch.tensor([[320.0, 240.0]]).expand(STREAMS, 2),
        true_focal=torch.full((STREAMS,), 800.0),
        nominal_focal=torch.full((STREAMS,), 800.0),
    )
    _, landmarks = posed_points(truth, skeleton)
    return {
        **{name: getattr(truth, name).numpy() for name in truth._fields},
        "rotmat": rotmat.astype(np.float16),
        "found": np.ones((FRAMES, STREAMS), bool),
        "image_px": projected(landmarks, truth).numpy(),
        "world_m": rng.normal(size=(FRAMES, STREAMS, 33, 3)).astype(np.float32),
        "visibility": np.ones((FRAMES, STREAMS, 33), np.float16),
    }


def source_of(folder, arrays, skeleton, **options):
    save_shard(shard_path(folder, 1, 0), arrays)
    sizes = {"num_frames": 32, "num_streams": 6, **options}
    return RenderedSource(load_streams(folder), skeleton, **sizes)


def test_a_shard_comes_back_as_it_was_written(tmp_path, arrays):
    path = shard_path(tmp_path, 3, 14)
    save_shard(path, arrays)
    assert [each.name for each in tmp_path.iterdir()] == ["shard-003-00014.npz"]
    loaded = load_shard(path)
    assert loaded.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(loaded[name], array)


def test_padding_has_no_weight_and_no_time(tmp_path, arrays, skeleton):
    batch = source_of(tmp_path, arrays, skeleton).sample()
    assert batch.features.shape == (32, 6, 202)
    assert (batch.body_weight[:FRAMES] == 1).all()
    assert (batch.body_weight[FRAMES:] == 0).all()
    assert (batch.point_weight[:FRAMES] == 1).all()
    assert (batch.point_weight[FRAMES:] == 0).all()
    assert (batch.view[0, :, 6] == 0).all()
    assert (batch.view[1:FRAMES, :, 6] > 0).all()
    assert (batch.view[FRAMES:, :, 6] == 0).all()


def test_time_goes_on_while_the_person_is_lost(tmp_path, arrays, skeleton):
    arrays["found"][[0, 5, 6], 0] = False
    arrays["found"][:, 1] = False
    batch = source_of(tmp_path, arrays, skeleton, num_streams=1).sample()
    dt_s = arrays["dt_s"][:, 0]
    expected = np.concatenate([[0], dt_s[2:5], [dt_s[5:8].sum()], dt_s[8:]])
    np.testing.assert_allclose(batch.view[: len(expected), 0, 6].numpy(), expected, atol=1e-6)
    assert batch.body_weight.sum() == FRAMES - 3


def test_frames_in_which_the_tracker_saw_something_else_have_no_weight(tmp_path, arrays, skeleton):
    arrays["image_px"][4:7, 0] += 500.0
    arrays["found"][:, 1] = False
    batch = source_of(tmp_path, arrays, skeleton, num_streams=1).sample()
    assert np.flatnonzero(batch.body_weight[:FRAMES, 0].numpy() == 0).tolist() == [4, 5, 6]
    assert (batch.point_weight.amax(-1) == batch.body_weight).all()


def test_truth_points_lie_where_an_exact_tracker_saw_them(tmp_path, arrays, skeleton):
    batch = source_of(
        tmp_path,
        arrays,
        skeleton,
        variety=Variety(half_rate_chance=0.0, mirror_chance=0.0, shift_m=0.0),
    ).sample()
    in_crop = batch.features[..., :66].reshape(32, 6, 33, 2)
    torch.testing.assert_close(batch.crop_points[:, :, 24:], in_crop, atol=2e-3, rtol=0.0)


def test_the_state_decides_all_that_follows(tmp_path, arrays, skeleton):
    source = source_of(
        tmp_path, arrays, skeleton, num_frames=8, variety=Variety(half_rate_chance=0.5)
    )
    source.sample()
    state = source.state_dict()
    first = source.sample()
    source.load_state_dict(state)
    again = source.sample()
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    options = {
        "num_frames": 8,
        "num_streams": 6,
        "variety": Variety(half_rate_chance=0.5),
        "seed": 9,
    }
    resumed = RenderedSource(load_streams(tmp_path), skeleton, **options)
    assert not torch.equal(resumed.sample().features, first.features)
    resumed.load_state_dict(state)
    assert torch.equal(resumed.sample().features, first.features)


def test_people_hardly_found_are_left_out_and_nobody_is_an_error(tmp_path, arrays):
    arrays["found"][8:, 0] = False
    save_shard(shard_path(tmp_path, 1, 0), arrays)
    assert [len(stream) for stream in load_streams(tmp_path)] == [FRAMES]
    with pytest.raises(DatasetError, match="no rendered streams in"):
        load_streams(tmp_path / "elsewhere")


def test_a_damaged_shard_is_named(tmp_path, arrays):
    path = shard_path(tmp_path, 1, 0)
    save_shard(path, arrays)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DatasetError, match=r"shard-001-00000\.npz: .*delete it and render again"):
        load_streams(tmp_path)
    save_shard(path, {**arrays, "image_px": arrays["image_px"][:5]})
    with pytest.raises(
        DatasetError, match=r"shard-001-00000\.npz: .*image_px has shape \(5, 2, 33"
    ):
        load_streams(tmp_path)
    np.savez(path, format_version=2, **arrays)
    with pytest.raises(DatasetError, match=r"shard-001-00000\.npz: .*format 2, expected 1"):
        load_streams(tmp_path)


def test_unfinished_shards_are_not_read_and_a_bad_folder_is_an_error(tmp_path, arrays):
    save_shard(shard_path(tmp_path, 1, 0), arrays)
    (tmp_path / "shard-001-00001.part").write_bytes(b"half of it")
    assert len(load_streams(tmp_path)) == STREAMS
    with pytest.raises(OutputError, match="cannot write"):
        save_shard(shard_path(tmp_path / "absent", 1, 0), arrays)


@pytest.fixture
def stream() -> tuple[SequenceTruth, Observation]:
    torch.manual_seed(4)
    truth = SequenceTruth(
        rotmat=rotmat_from_rot6d(torch.randn(3, 2, 24, 6)),
        betas=torch.randn(2, 10),
        transl=torch.randn(3, 2, 3),
        dt_s=torch.full((3, 2), 0.03),
        principal=torch.full((2, 2), 200.0),
        true_focal=torch.full((2,), 400.0),
        nominal_focal=torch.full((2,), 400.0),
    )
    seen = Observation(
        image_px=torch.randn(3, 2, 33, 2),
        world_m=torch.randn(3, 2, 33, 3),
        visibility=torch.rand(3, 2, 33),
        dt_s=truth.dt_s,
    )
    return truth, seen


def test_body_and_landmarks_become_their_mirror_image(
    stream: tuple[SequenceTruth, Observation], body_model: BodyModel
) -> None:
    truth, seen = stream
    layer = LandmarkSkeleton(skeleton_arrays(body_model))
    flipped, seen_flipped = mirrored(truth, seen, torch.tensor([True, False]))
    across = torch.tensor([-1.0, 1.0, 1.0])
    before, after = posed_points(truth, layer), posed_points(flipped, layer)
    for old, new, order in zip(before, after, (SMPL_MIRROR, BLAZEPOSE_MIRROR), strict=True):
        torch.testing.assert_close(new[:, 0], old[:, 0, list(order)] * across, atol=1e-4, rtol=0)
        torch.testing.assert_close(new[:, 1], old[:, 1])
    expected = seen.world_m[:, 0, list(BLAZEPOSE_MIRROR)] * across
    torch.testing.assert_close(seen_flipped.world_m[:, 0], expected)


def test_twice_is_nothing(stream: tuple[SequenceTruth, Observation]) -> None:
    truth, seen = stream
    everywhere = torch.tensor([True, True])
    back = mirrored(*mirrored(truth, seen, everywhere), everywhere)
    for old, new in zip((*truth, *seen), (*back[0], *back[1]), strict=True):
        torch.testing.assert_close(new, old)
