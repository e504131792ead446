"""Loss terms against values worked out by hand; what is unknown does not count."""

import math

import pytest
import torch

from realtime_vibe.models.regressor import RegressorOutput
from realtime_vibe.training.losses import (
    LSP_JOINTS,
    PAPER_WEIGHTS,
    LossTerms,
    LossWeights,
    adversarial_loss,
    discriminator_loss,
    hip_centered,
    image_points,
    squared_betas,
    squared_points,
    squared_rotations,
    supervised_losses,
    weighted_mean,
)
from realtime_vibe.training.samples.sequences import SequenceSampler, SequenceSettings
from realtime_vibe.training.samples.tracker_noise import NoiseLevels


@pytest.fixture(scope="module")
def batch(waving_pool, skeleton):
    torch.manual_seed(0)
    settings = SequenceSettings(num_frames=20, num_streams=4)
    return SequenceSampler(waving_pool, skeleton, settings, NoiseLevels(), seed=0).sample()


def _terms(batch, skeleton, form="landmark", *, truth=None, betas=0.0, camera=0.0, landmarks=0.0):
    """Losses of the batch's own parameters, moved by the given amounts."""
    predicted = RegressorOutput(batch.rotmat, batch.betas + betas, batch.weak_camera + camera)
    joints, points = skeleton(batch.rotmat, batch.betas)
    shift = torch.tensor([0.0, 0.0, landmarks])
    return supervised_losses(predicted, joints, points + shift, truth or batch, form)


def test_squared_points_by_hand():
    """Errors (3, 4) and (1, 0) with confidences 0.5 and 1: (0.5 * 25 + 1) / 4 numbers."""
    truth = torch.zeros(1, 2, 2)
    predicted = torch.tensor([[[3.0, 4.0], [1.0, 0.0]]])
    loss = squared_points(predicted, truth, torch.tensor([[0.5, 1.0]]))
    assert loss.item() == pytest.approx(13.5 / 4)


def test_squared_rotations_by_hand():
    """A quarter turn about z changes four of nine entries by 1; the unknown frame does not count."""
    turn = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    truth = torch.eye(3).expand(2, 24, 3, 3)
    predicted = turn.expand(2, 24, 3, 3)
    assert squared_rotations(predicted, truth, torch.ones(2)).item() == pytest.approx(4 / 9)
    assert squared_rotations(predicted, truth, torch.tensor([1.0, 0.0])).item() == pytest.approx(
        4 / 9
    )
    assert squared_rotations(predicted, truth, torch.zeros(2)).item() == 0.0


def test_squared_betas_by_hand():
    predicted = torch.zeros(2, 10)
    predicted[0, 0], predicted[1] = 3.0, 100.0
    loss = squared_betas(predicted, torch.zeros(2, 10), torch.tensor([1.0, 0.0]))
    assert loss.item() == pytest.approx(0.9)


def test_adversarial_losses_by_hand():
    """Least squares: the generator wants 1, the discriminator 1 for real and 0 for made up."""
    fake = torch.tensor([0.0, 3.0])
    assert adversarial_loss(fake).item() == pytest.approx((1 + 4) / 2)
    real = torch.tensor([1.0, 2.0, 0.0])
    assert discriminator_loss(real, fake).item() == pytest.approx(2 / 3 + 9 / 2)
    assert discriminator_loss(torch.ones(4), torch.zeros(2)).item() == 0.0


def test_hips_are_the_origin():
    points = torch.tensor([[[2.0, 0.0, 0.0], [4.0, 2.0, 0.0], [3.0, 5.0, 1.0]]])
    centered = hip_centered(points, 0, 1)
    torch.testing.assert_close(centered[0, 2], torch.tensor([0.0, 4.0, 1.0]))


def test_weighted_mean_by_hand():
    values = torch.tensor([[1.0, 2.0], [5.0, 100.0]])
    assert weighted_mean(values, torch.tensor([[1.0, 1.0], [0.5, 0.0]])).item() == pytest.approx(
        5.5 / 2.5
    )
    assert weighted_mean(values, torch.tensor([[1.0], [0.0]])).item() == pytest.approx(1.5)
    assert weighted_mean(values, torch.zeros(2, 2)).item() == 0.0


def test_paper_weights_are_the_released_ones():
    terms = LossTerms(
        **{
            name: torch.tensor(1.0)
            for name in ("joints", "image", "pose", "shape", "camera", "velocity")
        }
    )
    assert terms.total(PAPER_WEIGHTS).item() == pytest.approx(300 + 300 + 60 + 0.06)
    assert PAPER_WEIGHTS.adversarial == 0.5


def test_a_point_is_projected_to_where_the_camera_sees_it():
    """A crop in the image's middle: 1 m to the right at depth f / (px per m) lands s off its centre."""
    view = torch.tensor([320.0, 240.0, 200.0, 320.0, 240.0, 800.0, 0.03])
    weak = torch.tensor([0.8, 0.1, -0.2])
    point = torch.tensor([[1.0, 0.0, 0.0]])
    torch.testing.assert_close(
        image_points(point, weak, view), torch.tensor([[0.8 * 1.1, 0.8 * -0.2]])
    )


def test_the_truth_has_no_loss(batch, skeleton):
    for form in ("landmark", "paper"):
        terms = _terms(batch, skeleton, form)
        for name in ("joints", "pose", "shape", "camera", "velocity"):
            assert float(getattr(terms, name)) < 1e-4, (form, name)
        # The nominal focal length is not the true one: perspective differs a little.
        assert float(terms.image) < 0.05


def test_our_terms_by_hand(batch, skeleton):
    terms = _terms(batch, skeleton, betas=2.0, camera=0.5, landmarks=0.03)
    assert float(terms.shape) == pytest.approx(4.0, rel=1e-4)
    assert float(terms.camera) == pytest.approx(0.5, rel=1e-4)
    assert float(terms.joints) == pytest.approx(0.03 * 33 / 57, rel=1e-2)
    assert float(terms.velocity) < 1e-4
    weights = LossWeights(joints=0, image=0, pose=0, shape=0.5, camera=2.0, velocity=0)
    assert float(terms.total(weights)) == pytest.approx(0.5 * 4.0 + 2.0 * 0.5, rel=1e-4)


def test_the_paper_form_squares_and_knows_no_camera_term(batch, skeleton):
    """Elbows 0.3 m off in depth: two of the 14 LSP joints, one of three coordinates."""
    joints, landmarks = skeleton(batch.rotmat, batch.betas)
    elbows = [18, 19]
    assert set(elbows) < set(LSP_JOINTS)
    joints[:, :, elbows, 2] += 0.3
    predicted = RegressorOutput(batch.rotmat, batch.betas + 2.0, batch.weak_camera + 0.5)
    terms = supervised_losses(predicted, joints, landmarks, batch, "paper")
    assert float(terms.joints) == pytest.approx(0.09 * 2 / 14 / 3, rel=1e-3)
    assert float(terms.shape) == pytest.approx(4.0, rel=1e-4)
    assert terms.camera == 0.0
    assert terms.velocity == 0.0


@pytest.mark.parametrize("form", ["landmark", "paper"])
def test_streams_with_2d_points_alone_count_in_the_image_only(batch, skeleton, form):
    """The truth of stream 0 is wrong everywhere, but its 3D half is said to be unknown."""
    known = torch.ones_like(batch.body_weight)
    known[:, 0] = 0.0
    spoilt = batch._replace(
        rotmat=batch.rotmat.clone(), joints=batch.joints.clone(), body_weight=known
    )
    spoilt.rotmat[:, 0] = torch.eye(3)
    spoilt.joints[:, 0] *= 5.0
    terms = _terms(batch, skeleton, form, truth=spoilt)
    for name in ("joints", "pose", "velocity"):
        assert float(getattr(terms, name)) < 1e-4, name
    known.fill_(1.0)
    assert float(_terms(batch, skeleton, form, truth=spoilt).joints) > 0.1
    moved = spoilt._replace(crop_points=spoilt.crop_points + 0.5, body_weight=0 * known)
    assert float(_terms(batch, skeleton, form, truth=moved).image) > float(terms.image) + 0.1


def test_points_without_confidence_do_not_count(batch, skeleton):
    trusted = batch.point_weight.clone()
    trusted[:, :, 30:] = 0.0
    moved = batch.crop_points.clone()
    moved[:, :, 30:] += 7.0
    half = batch._replace(point_weight=trusted)
    expected = _terms(batch, skeleton, truth=half).image
    spoilt = half._replace(crop_points=moved)
    torch.testing.assert_close(_terms(batch, skeleton, truth=spoilt).image, expected)
    assert math.isfinite(float(expected))
