"""Torch SMPL: equal to the NumPy one and to smplx, batched, nothing learned."""

import dataclasses
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from realtime_vibe.body.model_file import load_body
from realtime_vibe.body.smpl import SmplBody
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


def test_any_batch_axes(model):
    layer = SmplLayer(model)
    rotmat, betas = random_input(5, 2, 3)
    for outcome, alone in zip(
        layer(rotmat, betas),
        layer(rotmat[1, 2], betas[1, 2]),
        strict=True,
    ):
        assert outcome.shape[:2] == (2, 3)
        torch.testing.assert_close(outcome[1, 2], alone, atol=2e-6, rtol=0.0)


def test_nothing_is_learned_or_saved(model):
    layer = SmplLayer(model)
    assert list(layer.parameters()) == []
    assert layer.state_dict() == {}
