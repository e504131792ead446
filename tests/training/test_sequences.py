"""Training batches: targets fit the input, noise behaves, losses vanish at the truth."""

from dataclasses import fields

import numpy as np
import pytest
import torch

from realtime_vibe.backends.engine_folder import engine_folder
from realtime_vibe.body.model_file import load_body
from realtime_vibe.features.landmark_features import FEATURE_SIZE
from realtime_vibe.models.regressor import MeanParams, RegressorOutput
from realtime_vibe.models.smpl_layer import SmplLayer
from realtime_vibe.training.losses import LossWeights, supervised_losses
from realtime_vibe.training.motion import MotionClip, MotionPool
from realtime_vibe.training.network import NetworkSize, build_network, load_network, save_network
from realtime_vibe.training.sequences import SequenceSampler, SequenceSettings
from realtime_vibe.training.tracker_noise import NoiseLevels, corrupt
from realtime_vibe.training.train_landmarks import (
    PAIR_EVERY,
    chunks,
    frame_pairs,
    shuffled_frames,
    training_step,
)

SILENT = NoiseLevels(**dict.fromkeys((field.name for field in fields(NoiseLevels)), 0.0))


@pytest.fixture(scope="module")
def body():
    return SmplLayer(load_body(engine_folder("blazepose-gru") / "body.npz"))


@pytest.fixture(scope="module")
def pool():
    """A figure that waves one arm while it walks along x."""
    frames = np.arange(300, dtype=np.float32)
    quats = np.zeros((300, 24, 4), np.float32)
    quats[..., 0] = 1.0
    half = 0.5 * np.sin(frames / 20)
    quats[:, 16, 0], quats[:, 16, 3] = np.cos(half), np.sin(half)
    # AMASS roots stand the rest pose (y up) on the ground (z up): a quarter turn about x.
    quats[:, 0] = [np.sqrt(0.5), np.sqrt(0.5), 0, 0]
    trans = np.stack([frames / 60, 0 * frames, 0.95 + 0 * frames], -1)
    clip = MotionClip(name="wave", quats=quats, trans=trans)
    return MotionPool([clip], 4, 600, np.random.default_rng(0))


def _sampler(pool, body, noise, **settings):
    torch.manual_seed(0)
    return SequenceSampler(
        pool, body, SequenceSettings(num_frames=40, num_streams=6, **settings), noise, seed=0
    )


def test_shapes_and_finiteness(pool, body):
    batch = _sampler(pool, body, NoiseLevels()).sample()
    assert batch.features.shape == (40, 6, FEATURE_SIZE)
    assert batch.crop_points.shape == (40, 6, 57, 2)
    for field in batch:
        assert torch.isfinite(field).all()


def test_people_stand_upright_in_the_camera(pool, body):
    """y points down: the head is above the feet for a level camera."""
    batch = _sampler(pool, body, SILENT, pitch_std_rad=0.0, roll_std_rad=0.0).sample()
    upright = batch.joints[:, :, 15, 1] < batch.joints[:, :, 7, 1] - 1.0
    assert upright.float().mean() > 0.8  # a few cameras are tumbled on purpose


def test_without_noise_the_truth_has_no_loss(pool, body):
    batch = _sampler(pool, body, SILENT).sample()
    truth = RegressorOutput(batch.rotmat, batch.betas, batch.weak_camera)
    joints, landmarks = body.light(batch.rotmat, batch.betas)
    terms = supervised_losses(truth, joints, landmarks, batch)
    for name in ("joints", "pose", "shape", "camera", "velocity"):
        assert float(getattr(terms, name)) < 1e-4, name
    # The nominal focal length is not the true one: perspective differs a little.
    assert float(terms.image) < 0.05


def test_loss_terms_by_hand(pool, body):
    batch = _sampler(pool, body, SILENT).sample()
    wrong = RegressorOutput(batch.rotmat, batch.betas + 2.0, batch.weak_camera + 0.5)
    joints, landmarks = body.light(batch.rotmat, batch.betas)
    offset = torch.tensor([0.0, 0.0, 0.03])
    terms = supervised_losses(wrong, joints, landmarks + offset, batch)
    assert float(terms.shape) == pytest.approx(4.0, rel=1e-4)
    assert float(terms.camera) == pytest.approx(0.5, rel=1e-4)
    assert float(terms.joints) == pytest.approx(0.03 * 33 / 57, rel=1e-2)
    assert float(terms.velocity) < 1e-4
    weights = LossWeights(joints=0, image=0, pose=0, shape=0.5, camera=2.0, velocity=0)
    assert float(terms.total(weights)) == pytest.approx(0.5 * 4.0 + 2.0 * 0.5, rel=1e-4)


def test_noise_keeps_the_middle_of_the_hips_and_stays_bounded(pool, body):
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


def _network():
    mean = MeanParams(torch.randn(144), torch.zeros(10), torch.tensor([0.9, 0.0, 0.0]))
    size = NetworkSize(embedded=32, hidden=32, regressor=32, dropout=0.0)
    return build_network(size, torch.zeros(FEATURE_SIZE), torch.ones(FEATURE_SIZE), mean), size


@pytest.mark.parametrize("per_frame", [True, False])
def test_training_lowers_the_loss(pool, body, per_frame):
    batch = _sampler(pool, body, NoiseLevels()).sample()
    network, _ = _network()
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    totals = []
    for _ in range(20):
        pieces = shuffled_frames(batch, 120) if per_frame else chunks(batch, 20)
        hidden = None if per_frame else network.initial_hidden(6)
        for piece in pieces:
            terms, hidden = training_step(network, body, optimizer, piece, hidden)
        totals.append(terms.total(LossWeights()).item())
    assert totals[-1] < 0.7 * totals[0]


def test_a_checkpoint_gives_the_same_network(tmp_path):
    network, size = _network()
    save_network(tmp_path / "n.pt", network, size, {"steps": "0"})
    loaded, provenance = load_network(tmp_path / "n.pt")
    assert provenance == {"steps": "0"}
    for name, value in network.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value)


def test_pairs_are_neighbours():
    values = torch.arange(40.0)[:, None].expand(40, 3) + torch.tensor([0.0, 100.0, 200.0])
    pairs = frame_pairs(values, 2)
    assert pairs.shape == (2, 3 * len(range(2, 39, PAIR_EVERY)))
    torch.testing.assert_close(pairs[1] - pairs[0], torch.ones_like(pairs[0]))
