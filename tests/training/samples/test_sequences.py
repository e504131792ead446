"""Training batches: targets fit the input, noise behaves, a state put back draws the same again."""

from dataclasses import fields

import torch

from realtime_vibe.features.landmark_features import FEATURE_SIZE
from realtime_vibe.training.samples.sequences import SequenceSampler, SequenceSettings
from realtime_vibe.training.samples.tracker_noise import NoiseLevels, corrupt

SILENT = NoiseLevels(**dict.fromkeys((field.name for field in fields(NoiseLevels)), 0.0))


def _sampler(waving_pool, skeleton, noise, **settings):
    torch.manual_seed(0)
    return SequenceSampler(
        waving_pool,
        skeleton,
        SequenceSettings(num_frames=40, num_streams=6, **settings),
        noise,
        seed=0,
    )


def test_shapes_and_finiteness(waving_pool, skeleton):
    batch = _sampler(waving_pool, skeleton, NoiseLevels()).sample()
    assert batch.features.shape == (40, 6, FEATURE_SIZE)
    assert batch.crop_points.shape == (40, 6, 57, 2)
    for field in batch:
        assert torch.isfinite(field).all()


def test_people_stand_upright_in_the_camera(waving_pool, skeleton):
    """y points down: the head is above the feet for a level camera."""
    batch = _sampler(waving_pool, skeleton, SILENT, pitch_std_rad=0.0, roll_std_rad=0.0).sample()
    upright = batch.joints[:, :, 15, 1] < batch.joints[:, :, 7, 1] - 1.0
    assert upright.float().mean() > 0.8  # a few cameras are tumbled on purpose


def test_noise_keeps_the_middle_of_the_hips_and_stays_bounded(waving_pool, skeleton):
    torch.manual_seed(1)
    landmarks = torch.randn(30, 4, 33, 3) * 0.3 + torch.tensor([0.0, 0.0, 3.0])
    inside = torch.ones(30, 4, 33, dtype=torch.bool)
    dt_s = torch.full((30, 4), 1 / 30)
    noisy = corrupt(landmarks[..., :2], landmarks, inside, dt_s, NoiseLevels())
    assert noisy.world_m[:, :, 23:25].mean(2).abs().max() < 1e-5
    assert (noisy.visibility >= 0).all()
    assert (noisy.visibility <= 1).all()
    assert (noisy.image_m - landmarks[..., :2]).norm(dim=-1).median() < 0.2


def test_landmarks_out_of_view_are_less_visible():
    torch.manual_seed(2)
    landmarks = torch.zeros(60, 8, 33, 3) + torch.tensor([0.0, 0.0, 3.0])
    inside = torch.ones(60, 8, 33, dtype=torch.bool)
    inside[:, :, 31:] = False
    dt_s = torch.full((60, 8), 1 / 30)
    visibility = corrupt(landmarks[..., :2], landmarks, inside, dt_s, SILENT).visibility
    assert visibility[10:, :, 31:].mean() < visibility[10:, :, 11:13].mean() - 0.2


def test_the_same_batch_comes_again_after_the_state_is_put_back(waving_pool, skeleton):
    sampler = _sampler(waving_pool, skeleton, NoiseLevels())
    sampler.sample()
    state, noise = sampler.state_dict(), torch.get_rng_state()
    first = sampler.sample()
    sampler.sample()
    sampler.load_state_dict(state)
    torch.set_rng_state(noise)
    for again, before in zip(sampler.sample(), first, strict=True):
        torch.testing.assert_close(again, before, rtol=0, atol=0)


def test_simulated_truth_is_known_everywhere(waving_pool, skeleton):
    batch = _sampler(waving_pool, skeleton, NoiseLevels()).sample()
    assert (batch.body_weight == 1).all()
    assert batch.body_weight.shape == (40, 6)
    assert batch.point_weight.shape == (40, 6, 57)
