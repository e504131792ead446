"""Mirrored vectors are those of a mirrored person, and the network answers a mirror with a mirror image."""

import pytest
import torch

from realtime_vibe.backends.graph_folder import engine_folder
from realtime_vibe.body.joints import BLAZEPOSE_MIRROR
from realtime_vibe.body.model_file import load_body
from realtime_vibe.features.landmark_features import FEATURE_SIZE, landmark_features
from realtime_vibe.models.feedback_regressor import ESTIMATE_SIZE
from realtime_vibe.models.landmark_skeleton import LandmarkSkeleton, skeleton_arrays
from realtime_vibe.models.mirror import ESTIMATE, LANDMARK_FEATURES, LANDMARK_RESIDUALS, Mirror
from realtime_vibe.models.regressor import MeanParams, parameters
from realtime_vibe.training.network import FeatureStatistics, NetworkSize, build_network

ACROSS = torch.tensor([-1.0, 1.0, 1.0])


@pytest.fixture(scope="module")
def skeleton():
    return skeleton_arrays(load_body(engine_folder("blazepose-gru") / "body.npz"))


@pytest.mark.parametrize("blocks", [LANDMARK_FEATURES, LANDMARK_RESIDUALS, ESTIMATE])
def test_twice_is_as_it_was(blocks):
    mirror = Mirror(blocks)
    x = torch.randn(4, len(mirror.index))
    assert not torch.equal(mirror(x), x)
    torch.testing.assert_close(mirror(mirror(x)), x)


def test_features_of_a_mirrored_picture():
    torch.manual_seed(0)
    width, view = 640.0, torch.tensor([200.0, 260.0, 180.0, 320.0, 240.0, 700.0, 0.04])
    image_px, world_m, seen = torch.rand(33, 2) * 100 + 150, torch.randn(33, 3), torch.rand(33)
    order = list(BLAZEPOSE_MIRROR)
    other_px = torch.stack([width - image_px[order, 0], image_px[order, 1]], 1)
    other_view = torch.cat([width - view[:1], view[1:]])
    expected = _features(other_px, world_m[order] * ACROSS, seen[order], other_view)
    features = _features(image_px, world_m, seen, view)
    torch.testing.assert_close(Mirror(LANDMARK_FEATURES)(features), expected, atol=1e-5, rtol=1e-5)


def _features(*parts):
    return torch.from_numpy(landmark_features(*(part.numpy() for part in parts)))


def test_a_mirrored_estimate_poses_the_mirrored_body(skeleton):
    torch.manual_seed(0)
    pose = LandmarkSkeleton(skeleton)
    estimate = torch.randn(3, ESTIMATE_SIZE)
    here, there = parameters(estimate), parameters(Mirror(ESTIMATE)(estimate))
    landmarks = pose(here.rotmat, here.betas).landmarks
    mirrored = pose(there.rotmat, there.betas).landmarks
    expected = landmarks[:, list(BLAZEPOSE_MIRROR)] * ACROSS
    torch.testing.assert_close(mirrored, expected, atol=2e-3, rtol=0)


@torch.no_grad()
def test_a_stream_and_its_mirror_image_get_mirror_images(skeleton):
    torch.manual_seed(0)
    size = NetworkSize(embedded=24, hidden=16, regressor=32)
    mean = MeanParams(torch.randn(144), torch.randn(10), torch.tensor([0.9, 0.1, 0.0]))
    statistics = FeatureStatistics(torch.randn(FEATURE_SIZE), torch.ones(FEATURE_SIZE))
    network = build_network(size, statistics, mean, skeleton).eval()
    torch.nn.init.normal_(network.encoder.linear.weight, std=0.2)
    torch.nn.init.normal_(network.regressor.head.weight, std=0.1)
    features, features_mirror = torch.rand(6, 2, FEATURE_SIZE), Mirror(LANDMARK_FEATURES)
    here = network(features, network.initial_hidden(2))
    there = network(features_mirror(features), network.initial_hidden(2))
    torch.testing.assert_close(here.params.betas, there.params.betas, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(
        here.params.weak_camera * torch.tensor([1.0, -1.0, 1.0]),
        there.params.weak_camera,
        atol=1e-4,
        rtol=1e-4,
    )
    # The pelvis has no twin: its rotation M R M.
    flip = ACROSS[:, None] * ACROSS
    torch.testing.assert_close(
        here.params.rotmat[:, :, 0] * flip, there.params.rotmat[:, :, 0], atol=1e-4, rtol=1e-4
    )
    hidden = network.initial_hidden(2)
    for frame, expected in zip(features, here.params.rotmat, strict=True):
        params, hidden = network.step(frame, hidden)
        torch.testing.assert_close(params.rotmat, expected, atol=1e-4, rtol=1e-4)
