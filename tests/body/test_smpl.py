"""NumPy SMPL: equality with a plain float64 transcription of the paper and the laws of skinning."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_vibe.body.joints import PARENTS
from realtime_vibe.body.model_file import BodyModel, load_body
from realtime_vibe.body.smpl import SmplBody

BODY_FILE = Path(__file__).resolve().parents[2] / "engines" / "blazepose-gru" / "body.npz"
STILL = np.zeros(3, np.float32)
NO_TURN = np.broadcast_to(np.eye(3, dtype=np.float32), (24, 3, 3))


def turns(rng, count, angle_rad=0.8):
    """(count, 3, 3) rotations by Rodrigues' formula."""
    vectors = rng.normal(size=(count, 3))
    vectors *= angle_rad / np.linalg.norm(vectors, axis=1, keepdims=True)
    x, y, z = vectors.T / angle_rad
    zero = np.zeros(count)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], 1).reshape(-1, 3, 3)
    matrices = np.eye(3) + np.sin(angle_rad) * cross + (1 - np.cos(angle_rad)) * cross @ cross
    return matrices.astype(np.float32)


def with_random_posedirs(model: BodyModel) -> BodyModel:
    """Every seventh vertex of `model`, with pose blend shapes of a few millimetres."""
    rng = np.random.default_rng(1)
    kept = slice(None, None, 7)
    regressor = np.abs(rng.normal(size=(24, len(model.v_template[kept])))).astype(np.float32)
    return BodyModel(
        v_template=model.v_template[kept],
        shapedirs=model.shapedirs[kept],
        posedirs=(rng.normal(size=(regressor.shape[1], 3, 207)) * 3e-3).astype(np.float32),
        J_regressor=regressor / regressor.sum(1, keepdims=True),
        weights=model.weights[kept],
        faces=np.zeros((1, 3), np.int32),
    )


def plain_smpl(model: BodyModel, rotations, betas, transl):
    """Vertices and joints as the paper writes them: one vertex, one matrix, float64."""
    shaped = model.v_template + model.shapedirs.astype(np.float64) @ betas
    rest = model.J_regressor.astype(np.float64) @ shaped
    if model.posedirs.shape[2]:
        shaped = shaped + model.posedirs.astype(np.float64) @ (rotations[1:] - np.eye(3)).ravel()
    world = np.zeros((24, 4, 4))
    for joint, parent in enumerate(PARENTS):
        local = np.eye(4)
        local[:3, :3] = rotations[joint]
        local[:3, 3] = rest[joint] - (rest[parent] if parent >= 0 else 0.0)
        world[joint] = local if parent < 0 else world[parent] @ local
    joints = world[:, :3, 3].copy()
    world[:, :3, 3] -= np.einsum("jab,jb->ja", world[:, :3, :3], rest)
    blended = np.einsum("vj,jab->vab", model.weights.astype(np.float64), world)
    vertices = np.einsum("vab,vb->va", blended[:, :3, :3], shaped) + blended[:, :3, 3]
    return vertices + transl, joints + transl


@pytest.fixture(scope="module")
def model():
    return load_body(BODY_FILE)


@pytest.fixture(scope="module")
def body(model):
    return SmplBody(model)


@pytest.mark.parametrize("has_posedirs", [False, True])
def test_fast_form_equals_the_plain_form(model, has_posedirs):
    chosen = with_random_posedirs(model) if has_posedirs else model
    fast = SmplBody(chosen)
    rng = np.random.default_rng(5)
    for _ in range(4):
        rotations, betas = turns(rng, 24), rng.normal(size=10).astype(np.float32)
        transl = rng.normal(size=3).astype(np.float32)
        mesh = fast.forward(rotations[0], rotations[1:], betas, transl)
        vertices, joints = plain_smpl(chosen, rotations, betas, transl)
        np.testing.assert_allclose(mesh.vertices, vertices, atol=1e-5)
        np.testing.assert_allclose(mesh.joints, joints, atol=1e-5)
        alone = fast.joints(rotations[0], rotations[1:], betas, transl)
        np.testing.assert_allclose(alone, mesh.joints, atol=1e-5)
        assert mesh.vertices.dtype == mesh.joints.dtype == np.float32


@settings(max_examples=20, deadline=None)
@given(betas=st.lists(st.floats(-3, 3, width=32), min_size=10, max_size=10))
def test_no_turn_gives_the_shaped_template(body, model, betas):
    betas = np.array(betas, np.float32)
    mesh = body.forward(NO_TURN[0], NO_TURN[1:], betas, STILL)
    shaped = model.v_template + model.shapedirs @ betas
    np.testing.assert_allclose(mesh.vertices, shaped, atol=1e-5)
    np.testing.assert_allclose(mesh.joints, model.J_regressor @ shaped, atol=1e-5)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000))
def test_the_root_turns_everything_about_the_pelvis(body, seed):
    rng = np.random.default_rng(seed)
    pose, betas = turns(rng, 23), rng.normal(size=10).astype(np.float32)
    turn = turns(rng, 1)[0]
    before = body.forward(NO_TURN[0], pose, betas, STILL)
    after = body.forward(turn, pose, betas, STILL)
    pelvis = before.joints[0]
    np.testing.assert_allclose(after.joints[0], pelvis, atol=1e-5)
    expected = (before.vertices - pelvis) @ turn.T + pelvis
    np.testing.assert_allclose(after.vertices, expected, atol=1e-5)


def test_a_joint_moves_only_what_hangs_on_it(body, model):
    rotations = NO_TURN.copy()
    rotations[18] = turns(np.random.default_rng(0), 1)[0]  # left elbow
    rest = body.forward(NO_TURN[0], NO_TURN[1:], np.zeros(10, np.float32), STILL)
    posed = body.forward(rotations[0], rotations[1:], np.zeros(10, np.float32), STILL)
    moved = np.linalg.norm(posed.vertices - rest.vertices, axis=1) > 1e-5
    belongs = model.weights[:, [18, 20, 22]].sum(axis=1) > 0
    assert not np.any(moved & ~belongs)
    assert moved.sum() > 500
    stiff = np.delete(np.arange(24), [20, 22])
    np.testing.assert_allclose(posed.joints[stiff], rest.joints[stiff], atol=1e-5)


def test_results_are_the_callers_own_and_betas_are_never_stale(body):
    zeros, ones = np.zeros(10, np.float32), np.ones(10, np.float32)
    first = body.forward(NO_TURN[0], NO_TURN[1:], zeros, STILL)
    kept = first.vertices.copy()
    body.forward(NO_TURN[0], NO_TURN[1:], ones, STILL)
    np.testing.assert_array_equal(first.vertices, kept)
    zeros[0] = 1.5  # the same array object with new content
    changed = body.forward(NO_TURN[0], NO_TURN[1:], zeros, STILL)
    fresh = SmplBody(body.model).forward(NO_TURN[0], NO_TURN[1:], zeros.copy(), STILL)
    np.testing.assert_allclose(changed.vertices, fresh.vertices, atol=1e-5)
    assert np.abs(changed.vertices - kept).max() > 0.01


def test_vertices_are_the_same_whenever_and_wherever_somebody_looks(body):
    rng = np.random.default_rng(3)
    poses, betas, expected, meshes = turns(rng, 24), np.zeros(10, np.float32), [], []
    for _ in range(8):
        betas[:] = rng.normal(size=10)  # the caller's own array, written again and again
        poses[:] = turns(rng, 24)
        fresh = SmplBody(body.model).forward(poses[0], poses[1:], betas, STILL)
        expected.append(fresh.vertices)
        meshes.append(body.forward(poses[0], poses[1:], betas, STILL))
    with ThreadPoolExecutor(4) as pool:
        looked_at = list(pool.map(lambda mesh: mesh.vertices, meshes * 3))
    for found, wanted in zip(looked_at, expected * 3, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_a_mesh_can_be_sent_to_another_process(body):
    mesh = body.forward(NO_TURN[0], NO_TURN[1:], np.zeros(10, np.float32), STILL)
    arrived = pickle.loads(pickle.dumps(mesh))
    np.testing.assert_array_equal(arrived.vertices, mesh.vertices)
    np.testing.assert_array_equal(arrived.joints, mesh.joints)
