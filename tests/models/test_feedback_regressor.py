"""The feedback regressor: what is fed back is the true residual, and all ways through it are one."""

import pytest
import torch

from realtime_vibe.backends.graph_folder import engine_folder
from realtime_vibe.body.model_file import load_body
from realtime_vibe.features.landmark_features import (
    CROP_CENTER,
    CROP_POINTS,
    CROP_SIDE,
    FEATURE_SIZE,
    VISIBILITY,
    WORLD_POINTS,
)
from realtime_vibe.models.feedback_regressor import FeedbackRegressor, Observed
from realtime_vibe.models.landmark_skeleton import LandmarkSkeleton, skeleton_arrays
from realtime_vibe.models.regressor import MeanParams
from realtime_vibe.training.losses import image_points

ENCODED = 12
"""Of one side; a person has two."""
WEAK_CAMERA = torch.tensor([[0.8, 0.1, -0.2]])
VIEW = torch.tensor([[350.0, 200.0, 300.0, 320.0, 240.0, 800.0, 0.03]])
"""Crop centre, side, principal point, focal length [px]; time step [s]."""


@pytest.fixture(scope="module")
def skeleton():
    return LandmarkSkeleton(skeleton_arrays(load_body(engine_folder("blazepose-gru") / "body.npz")))


@pytest.fixture(scope="module")
def landmarks(skeleton):
    """(1, 33, 3) of the rest pose."""
    return skeleton(torch.eye(3).expand(1, 24, 3, 3), torch.zeros(1, 10)).landmarks


@pytest.fixture
def regressor(skeleton):
    torch.manual_seed(0)
    upright = torch.eye(3)[:, :2].flatten().repeat(24)
    mean = MeanParams(upright, torch.zeros(10), torch.tensor([0.9, 0.0, 0.0]))
    made = FeedbackRegressor(mean, skeleton, ENCODED, 16)
    torch.nn.init.normal_(made.head.weight, std=0.1)
    return made


def _features(landmarks):
    """A perfect tracker's features (1, F) of landmarks (1, 33, 3) seen through `WEAK_CAMERA`."""
    features = torch.zeros(1, FEATURE_SIZE)
    features[:, CROP_POINTS] = image_points(landmarks, WEAK_CAMERA, VIEW).flatten(-2)
    middle = landmarks[:, 23:25].mean(1, keepdim=True)
    features[:, WORLD_POINTS] = (landmarks - middle).flatten(-2)
    features[:, VISIBILITY] = 1.0
    features[:, CROP_CENTER] = (VIEW[:, :2] - VIEW[:, 3:5]) / VIEW[:, 5:6]
    features[:, CROP_SIDE] = VIEW[:, 2:3] / VIEW[:, 5:6]
    return features


def test_the_truth_has_no_residual_and_an_error_has_its_own(landmarks):
    observed = Observed(_features(landmarks))
    assert observed.residual(WEAK_CAMERA, landmarks).abs().max() < 1e-4
    moved = landmarks.clone()
    moved[:, 15, 0] += 0.1  # the left wrist is posed 10 cm too far to the right
    residual = observed.residual(WEAK_CAMERA, moved)
    image, world = residual[:, :66].unflatten(-1, (33, 2)), residual[:, 66:].unflatten(-1, (33, 3))
    assert image[0, 15, 0].item() == pytest.approx(-5 * 0.1 * 0.8, rel=0.1)
    assert world[0, 15, 0].item() == pytest.approx(-0.5, abs=1e-4)
    others = [landmark for landmark in range(33) if landmark != 15]
    assert image[0, others].abs().max() < 1e-4


def test_without_world_landmarks_there_is_no_residual_of_them(landmarks):
    features = _features(landmarks)
    features[:, WORLD_POINTS] = 0.0
    residual = Observed(features).residual(WEAK_CAMERA, landmarks + 0.1)
    assert residual[:, 66:].abs().max() == 0.0


@pytest.mark.parametrize("batch", [(3,), (2, 4)])
def test_training_and_running_give_the_same(regressor, batch):
    torch.manual_seed(1)
    encoded, features = torch.randn(*batch, 2 * ENCODED), torch.rand(*batch, FEATURE_SIZE)
    estimates = regressor.train().iterations(encoded, features)
    alone = regressor.eval()(encoded, features)
    assert len(estimates.early) == 2
    for trained, run in zip(estimates.last, alone, strict=True):
        torch.testing.assert_close(trained, run, atol=1e-4, rtol=1e-4)
    assert estimates.posed.landmarks.shape == (*batch, 33, 3)


def test_the_loss_of_the_last_iteration_reaches_all_layers(regressor):
    encoded = torch.randn(5, 2 * ENCODED, requires_grad=True)
    estimates = regressor.train().iterations(encoded, torch.rand(5, FEATURE_SIZE))
    estimates.posed.landmarks.square().sum().backward()
    for name, parameter in regressor.named_parameters():
        assert parameter.grad.abs().max() > 0, name
    assert encoded.grad.abs().max() > 0
