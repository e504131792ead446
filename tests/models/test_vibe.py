"""The whole network: theta's layout, sequences of people, and the paper's ways of running it."""

import numpy as np
import pytest
import torch

from export.body import import_smpl
from realtime_vibe.body.keypoints49 import Keypoints49
from realtime_vibe.body.model_file import body_from_arrays, load_body
from realtime_vibe.body.smpl import SmplBody
from realtime_vibe.errors import BodyModelError
from realtime_vibe.geometry import camera
from realtime_vibe.geometry.rotation import rotmat_from_axis_angle
from realtime_vibe.models.smpl_layer import SmplLayer
from realtime_vibe.models.vibe import KeypointLayer, posed, project_in_crop
from tests import official_smpl
from tests.official_smpl import write_extra_regressor, write_smpl_pickle
from tests.official_vibe import random_vibe, short_backbone


@pytest.fixture(scope="module")
def network():
    with short_backbone():
        return random_vibe()


@torch.no_grad()
def test_theta_holds_camera_rotation_vectors_and_betas(network):
    images = torch.randn(2, 3, 3, 224, 224)
    out = network(images)
    assert out.theta.shape == (2, 3, 85)
    assert out.rotmat.shape == (2, 3, 24, 3, 3)
    assert out.hidden.shape == (2, 2, 1024)
    vectors = out.theta[..., 3:75].reshape(2, 3, 24, 3).numpy()
    np.testing.assert_allclose(rotmat_from_axis_angle(vectors), out.rotmat, atol=1e-5)
    params, _ = network.motion(
        network.encode(images).transpose(0, 1), network.motion.initial_hidden(2)
    )
    torch.testing.assert_close(out.weak_camera, params.weak_camera.transpose(0, 1))
    torch.testing.assert_close(out.betas, params.betas.transpose(0, 1))


@torch.no_grad()
def test_features_are_each_picture_s_own(network):
    images = torch.randn(2, 2, 3, 224, 224)
    features = network.encode(images)
    assert features.shape == (2, 2, 2048)
    torch.testing.assert_close(
        features[1, 0], network.backbone(images[1, :1])[0], atol=1e-4, rtol=1e-4
    )


@torch.no_grad()
def test_a_sequence_may_be_cut_anywhere(network):
    features = torch.rand(2, 40, 2048)
    whole = network.regress(features)
    first = network.regress(features[:, :17])
    second = network.regress(features[:, 17:], first.hidden)
    torch.testing.assert_close(
        torch.cat([first.theta, second.theta], dim=1), whole.theta, atol=1e-5, rtol=1e-5
    )


@torch.no_grad()
def test_bodies_and_keypoints_are_those_of_the_live_path(network, tmp_path):
    write_smpl_pickle(tmp_path / "SMPL_NEUTRAL.pkl")
    write_extra_regressor(tmp_path / "J_regressor_extra.npy")
    model = body_from_arrays(import_smpl(tmp_path / "SMPL_NEUTRAL.pkl"))
    out = network.regress(torch.rand(1, 2, 2048))
    bodies = posed(out, SmplLayer(model), KeypointLayer(model))
    assert bodies.verts.shape == (1, 2, 6890, 3)
    assert bodies.kp_2d.shape == (1, 2, 49, 2)
    rotmat, betas = out.rotmat[0, 1].numpy(), out.betas[0, 1].numpy()
    mesh = SmplBody(model).forward(rotmat[0], rotmat[1:], betas, np.zeros(3, np.float32))
    np.testing.assert_allclose(bodies.verts[0, 1], mesh.vertices, atol=1e-5)
    expected = Keypoints49(model).locate(mesh)
    np.testing.assert_allclose(bodies.kp_3d[0, 1], expected, atol=1e-5)


@torch.no_grad()
def test_step_by_step_is_the_whole_sequence_at_full_size(network):
    features = torch.rand(1, 120, 2048)
    whole = network.regress(features)
    hidden = network.motion.initial_hidden(1)
    worst = 0.0
    for frame in range(120):
        params, hidden = network.motion.step(features[:, frame], hidden)
        worst = max(worst, float((params.rotmat - whole.rotmat[:, frame]).abs().max()))
        worst = max(worst, float((params.weak_camera - whole.weak_camera[:, frame]).abs().max()))
        worst = max(worst, float((params.betas - whole.betas[:, frame]).abs().max()))
    assert worst <= 1e-5


@pytest.fixture(scope="module")
def model():
    pytest.importorskip("open3d", reason="open3d, which simplifies the test body, is not installed")
    arrays = official_smpl.official_arrays()
    return body_from_arrays({**arrays, "J_regressor_extra": official_smpl.extra_regressor()})


def random_input(*batch):
    generator = torch.Generator().manual_seed(0)
    skewed = torch.randn(*batch, 24, 3, 3, generator=generator) * 0.4
    rotmat = torch.linalg.matrix_exp(skewed - skewed.transpose(-1, -2))
    return rotmat, torch.randn(*batch, 10, generator=generator)


def test_points_equal_the_numpy_ones(model):
    rotmat, betas = random_input(2, 3)
    points = KeypointLayer(model)(*SmplLayer(model)(rotmat, betas))
    assert points.shape == (2, 3, 49, 3)
    body, keypoints = SmplBody(model), Keypoints49(model)
    transl = np.array([0.4, -0.2, 3.0], np.float32)
    for index in np.ndindex(2, 3):
        turns = rotmat[index].numpy()
        mesh = body.forward(turns[0], turns[1:], betas[index].numpy(), transl)
        np.testing.assert_allclose(points[index].numpy(), keypoints.locate(mesh), atol=1e-5)


def test_the_crop_camera_equals_the_numpy_one():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(2, 5, 49, 3)).astype(np.float32)
    weak = np.stack([rng.uniform(0.3, 1.5, (2, 5)), *rng.normal(size=(2, 2, 5))], -1)
    weak = weak.astype(np.float32)
    got = project_in_crop(torch.from_numpy(points), torch.from_numpy(weak))
    np.testing.assert_allclose(got.numpy(), camera.project_in_crop(points, weak), atol=1e-5)


def test_gradients_reach_pose_shape_and_camera(model):
    rotmat, betas = random_input(1)
    weak = torch.tensor([[0.9, 0.1, -0.1]])
    inputs = [tensor.requires_grad_() for tensor in (rotmat, betas, weak)]
    points = KeypointLayer(model)(*SmplLayer(model)(rotmat, betas))
    project_in_crop(points, weak).square().sum().backward()
    for tensor in inputs:
        assert torch.isfinite(tensor.grad).all()
        assert tensor.grad.abs().max() > 0


def test_nothing_of_the_body_is_saved_with_the_weights(model):
    assert KeypointLayer(model).state_dict() == {}


def test_other_bodies_are_refused():
    with pytest.raises(BodyModelError, match="J_regressor_extra"):
        KeypointLayer(load_body(official_smpl.BODY_FILE))
