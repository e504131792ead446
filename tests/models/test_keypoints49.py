"""Torch keypoints and crop camera: equal to the NumPy ones, batched, differentiable."""

import numpy as np
import pytest
import torch

from realtime_vibe.body.keypoints49 import Keypoints49
from realtime_vibe.body.model_file import body_from_arrays, load_body
from realtime_vibe.body.smpl import SmplBody
from realtime_vibe.errors import BodyModelError
from realtime_vibe.geometry import camera
from realtime_vibe.models.keypoints49 import KeypointLayer, project_in_crop
from realtime_vibe.models.smpl_layer import SmplLayer
from tests import official_smpl


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
