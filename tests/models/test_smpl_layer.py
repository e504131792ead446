"""Torch SMPL: equal to the NumPy one and to smplx, batched, differentiable; its light path."""

import dataclasses
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from realtime_vibe.body.joints import LANDMARK_JOINTS
from realtime_vibe.body.model_file import load_body
from realtime_vibe.body.smpl import SmplBody
from realtime_vibe.errors import BodyModelError
from realtime_vibe.models.smpl_layer import SmplLayer

BODY_FILE = Path(__file__).resolve().parents[2] / "engines" / "blazepose-gru" / "body.npz"
TOLERANCE_M = 1e-5


@pytest.fixture(scope="module")
def model():
    return load_body(BODY_FILE)


@pytest.fixture(scope="module")
def bent_model(model):
    """The default body with pose blend shapes of a few millimetres."""
    rng = np.random.default_rng(2)
    posedirs = rng.normal(size=(model.num_vertices, 3, 207)) * 3e-3
    return dataclasses.replace(model, posedirs=posedirs.astype(np.float32))


def random_input(seed, *batch):
    generator = torch.Generator().manual_seed(seed)
    skewed = torch.randn(*batch, 24, 3, 3, generator=generator) * 0.6
    rotmat = torch.linalg.matrix_exp(skewed - skewed.transpose(-1, -2))
    return rotmat, torch.randn(*batch, 10, generator=generator)


def numpy_meshes(model, rotmat, betas):
    body = SmplBody(model)
    still = np.zeros(3, np.float32)
    meshes = [
        body.forward(turns[0], turns[1:], shape, still)
        for turns, shape in zip(rotmat.numpy(), betas.numpy(), strict=True)
    ]
    return np.stack([mesh.vertices for mesh in meshes]), np.stack([mesh.joints for mesh in meshes])


@pytest.mark.parametrize("name", ["model", "bent_model"])
def test_torch_equals_numpy(request, name):
    chosen = request.getfixturevalue(name)
    rotmat, betas = random_input(0, 5)
    vertices, joints = SmplLayer(chosen)(rotmat, betas)
    expected_vertices, expected_joints = numpy_meshes(chosen, rotmat, betas)
    np.testing.assert_allclose(vertices.numpy(), expected_vertices, atol=TOLERANCE_M)
    np.testing.assert_allclose(joints.numpy(), expected_joints, atol=TOLERANCE_M)


@pytest.mark.parametrize("name", ["model", "bent_model"])
def test_both_equal_smplx_fed_the_same_arrays(request, name, capsys):
    chosen = request.getfixturevalue(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        smplx = pytest.importorskip("smplx", reason="smplx, the oracle, is not installed")
    posedirs = chosen.posedirs
    if posedirs.shape[2] == 0:
        posedirs = np.zeros((chosen.num_vertices, 3, 207), np.float32)
    with np.load(BODY_FILE) as archive:
        tree = archive["kintree_table"].astype(np.int64)
    struct = smplx.utils.Struct(
        v_template=chosen.v_template,
        shapedirs=chosen.shapedirs,
        posedirs=posedirs,
        J_regressor=chosen.J_regressor,
        weights=chosen.weights,
        kintree_table=tree,
        f=chosen.faces,
    )
    created = ("global_orient", "body_pose", "betas", "transl")
    oracle = smplx.SMPL(".", data_struct=struct, **{f"create_{part}": False for part in created})
    rotmat, betas = random_input(1, 4)
    answer = oracle(
        global_orient=rotmat[:, :1], body_pose=rotmat[:, 1:], betas=betas, pose2rot=False
    )
    vertices, joints = SmplLayer(chosen)(rotmat, betas)
    torch.testing.assert_close(vertices, answer.vertices, atol=TOLERANCE_M, rtol=0.0)
    torch.testing.assert_close(joints, answer.joints[:, :24], atol=TOLERANCE_M, rtol=0.0)
    expected, _ = numpy_meshes(chosen, rotmat, betas)
    np.testing.assert_allclose(expected, answer.vertices.numpy(), atol=TOLERANCE_M)


@pytest.mark.parametrize("name", ["model", "bent_model"])
def test_light_path_gives_the_full_path_s_points(request, name):
    chosen = request.getfixturevalue(name)
    layer = SmplLayer(chosen)
    rotmat, betas = random_input(2, 3)
    joints, landmarks = layer.light(rotmat, betas)
    vertices, full_joints = layer(rotmat, betas)
    torch.testing.assert_close(joints, full_joints, atol=1e-6, rtol=0.0)
    at_joint = {
        landmark: joint
        for landmark, joint in LANDMARK_JOINTS.items()
        if np.array_equal(chosen.blazepose_regressor[landmark], chosen.J_regressor[joint])
    }
    assert 0 < len(at_joint) < len(LANDMARK_JOINTS)
    # Of a landmark that is a joint the light path takes the joint's centre, not the skin around it.
    for landmark, joint in at_joint.items():
        assert torch.equal(landmarks[:, landmark], joints[:, joint])
    surface = [k for k in range(33) if k not in at_joint]
    regressed = torch.from_numpy(chosen.blazepose_regressor) @ vertices
    torch.testing.assert_close(
        landmarks[:, surface], regressed[:, surface], atol=TOLERANCE_M, rtol=0.0
    )


def test_light_path_regresses_landmarks_that_are_no_joints(model):
    regressor = np.roll(model.blazepose_regressor, 1, axis=0)
    layer = SmplLayer(dataclasses.replace(model, blazepose_regressor=regressor))
    rotmat, betas = random_input(3, 2)
    _, landmarks = layer.light(rotmat, betas)
    vertices, _ = layer(rotmat, betas)
    torch.testing.assert_close(
        landmarks, torch.from_numpy(regressor) @ vertices, atol=TOLERANCE_M, rtol=0.0
    )


def test_light_path_needs_few_vertices_and_says_when_it_has_none(model):
    assert SmplLayer(model).light_template.shape[0] <= 200
    bare = SmplLayer(dataclasses.replace(model, blazepose_regressor=None))
    with pytest.raises(BodyModelError, match="blazepose_regressor"):
        bare.light(*random_input(0))


def test_vertices_at_picks_from_the_mesh(bent_model):
    layer = SmplLayer(bent_model)
    rotmat, betas = random_input(4, 2)
    indices = torch.tensor([7, 3, 12000])
    some, joints = layer.vertices_at(indices, rotmat, betas)
    vertices, full_joints = layer(rotmat, betas)
    torch.testing.assert_close(some, vertices[:, indices], atol=1e-6, rtol=0.0)
    assert torch.equal(joints, full_joints)


def test_any_batch_axes(model):
    layer = SmplLayer(model)
    rotmat, betas = random_input(5, 2, 3)
    for outcome, alone in zip(
        (*layer(rotmat, betas), *layer.light(rotmat, betas)),
        (*layer(rotmat[1, 2], betas[1, 2]), *layer.light(rotmat[1, 2], betas[1, 2])),
        strict=True,
    ):
        assert outcome.shape[:2] == (2, 3)
        torch.testing.assert_close(outcome[1, 2], alone, atol=2e-6, rtol=0.0)


def test_gradients_are_right():
    layer = SmplLayer(load_body(BODY_FILE)).double()
    rotmat, betas = (tensor.double().requires_grad_() for tensor in random_input(6, 1))

    def spread(rotmat, betas):
        joints, landmarks = layer.light(rotmat, betas)
        return joints.square().sum() + landmarks.sin().sum()

    assert torch.autograd.gradcheck(spread, (rotmat, betas))


def test_nothing_is_learned_or_saved(model):
    layer = SmplLayer(model)
    assert list(layer.parameters()) == []
    assert layer.state_dict() == {}
