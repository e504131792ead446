"""Covers GLB: pygltflib reads it, and skinning by the glTF specification gives the live body."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from realtime_vibe.errors import OutputError
from realtime_vibe.outputs.record.glb_writer import influences, strictly_rising
from realtime_vibe.outputs.record.row_blocks import TakeRows
from realtime_vibe.outputs.record.take_files import Take, write_take
from tests.outputs.record import posed_takes

pygltflib = pytest.importorskip("pygltflib")

TIMES_S = np.arange(12) / 30
COMPONENTS = {5126: np.float32, 5121: np.uint8, 5125: np.uint32}
WIDTHS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}


def _array(gltf, number: int) -> np.ndarray:
    accessor = gltf.accessors[number]
    view = gltf.bufferViews[accessor.bufferView]
    assert view.byteOffset % 4 == 0
    count = accessor.count * WIDTHS[accessor.type]
    flat = np.frombuffer(
        gltf.binary_blob(), COMPONENTS[accessor.componentType], count, view.byteOffset
    )
    array = flat.reshape(accessor.count, -1)
    if accessor.min:  # keys of the animation need none
        np.testing.assert_array_equal(accessor.min, array.min(axis=0))
        np.testing.assert_array_equal(accessor.max, array.max(axis=0))
    return array


def _poses(gltf, frame: int) -> np.ndarray:
    """(nodes, 4, 4) global transforms at a key frame."""
    (animation,) = gltf.animations
    translation = {n: node.translation or [0, 0, 0] for n, node in enumerate(gltf.nodes)}
    rotation = {n: [0, 0, 0, 1] for n in range(len(gltf.nodes))}
    for channel in animation.channels:
        values = _array(gltf, animation.samplers[channel.sampler].output)
        where = {"translation": translation, "rotation": rotation}[channel.target.path]
        where[channel.target.node] = values[frame]
    transforms = np.zeros((len(gltf.nodes), 4, 4))

    def place(number: int, above: np.ndarray) -> None:
        local = np.eye(4)
        local[:3, :3] = Rotation.from_quat(rotation[number]).as_matrix()
        local[:3, 3] = translation[number]
        transforms[number] = above @ local
        for child in gltf.nodes[number].children:
            place(child, transforms[number])

    for root in gltf.scenes[gltf.scene].nodes:
        place(root, np.eye(4))
    return transforms


def _skinned(gltf, transforms: np.ndarray) -> np.ndarray:
    (skin,) = gltf.skins
    inverse = _array(gltf, skin.inverseBindMatrices).reshape(-1, 4, 4).transpose(0, 2, 1)
    moves = transforms[skin.joints] @ inverse
    attributes = gltf.meshes[0].primitives[0].attributes
    vertices = np.c_[
        _array(gltf, attributes.POSITION), np.ones(gltf.accessors[attributes.POSITION].count)
    ]
    joints, weights = _array(gltf, attributes.JOINTS_0), _array(gltf, attributes.WEIGHTS_0)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-5)
    blended = np.einsum("vk,vkab->vab", weights, moves[joints])
    return np.einsum("vab,vb->va", blended, vertices)[:, :3]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    frames = posed_takes.results(TIMES_S)
    path = tmp_path_factory.mktemp("glb") / "körper.glb"
    assert write_take(path, posed_takes.take(frames)) == (path,)
    return pygltflib.GLTF2().load(str(path)), frames


def test_joints_and_vertices_are_those_of_the_live_body(written) -> None:
    gltf, frames = written
    joints = posed_takes.joints_yup(frames)
    for frame in (0, 5, 11):
        transforms = _poses(gltf, frame)
        assert np.linalg.norm(transforms[:24, :3, 3] - joints[frame], axis=1).max() < 1e-4
        vertices = frames[frame].people[0].mesh.vertices @ posed_takes.YUP_CAMERA.T
        assert np.linalg.norm(_skinned(gltf, transforms) - vertices, axis=1).max() < 1e-4


def test_time_and_mesh_are_sound(written) -> None:
    gltf, _ = written
    (animation,) = gltf.animations
    # Programs list them beside those of other takes.
    assert (animation.name, gltf.skins[0].name) == ("körper", "körper")
    assert gltf.nodes[24].name == gltf.meshes[0].name == "körper body"
    times = _array(gltf, animation.samplers[0].input)[:, 0]
    np.testing.assert_allclose(times, TIMES_S, atol=1e-6)
    assert len(animation.channels) == 25
    for channel in animation.channels:
        if channel.target.path == "rotation":
            quats = _array(gltf, animation.samplers[channel.sampler].output)
            np.testing.assert_allclose(np.linalg.norm(quats, axis=1), 1.0, atol=1e-5)
            assert (np.sum(quats[1:] * quats[:-1], axis=1) > 0).all()
    primitive = gltf.meshes[0].primitives[0]
    normals = _array(gltf, primitive.attributes.NORMAL)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1.0, atol=1e-4)
    faces = _array(gltf, primitive.indices).reshape(-1, 3)
    np.testing.assert_array_equal(faces, posed_takes.body().model.faces)
    assert "CC0" in gltf.asset.copyright


def test_live_bones_follow_a_shape_that_changes(tmp_path: Path) -> None:
    frames = posed_takes.results(TIMES_S, shape_drift=1.5)
    path = tmp_path / "o.glb"
    write_take(path, posed_takes.take(frames))
    gltf = pygltflib.GLTF2().load(str(path))
    joints = posed_takes.joints_yup(frames)
    for frame in (0, 6, 11):
        assert np.linalg.norm(_poses(gltf, frame)[:24, :3, 3] - joints[frame], axis=1).max() < 1e-4


def test_weights_keep_the_four_that_matter() -> None:
    weights = np.random.default_rng(0).dirichlet(np.ones(24), 50).astype(np.float32)
    joints, kept = influences(weights)
    assert joints.shape == kept.shape == (50, 4)
    np.testing.assert_allclose(kept.sum(axis=1), 1, atol=1e-5)
    for vertex in range(50):
        best = set(np.argsort(weights[vertex])[-4:])
        assert set(joints[vertex].tolist()) == best


def test_another_body_than_the_recorded_one_is_refused(tmp_path: Path) -> None:
    frames = posed_takes.results(TIMES_S)
    take = posed_takes.take(frames)
    rows = posed_takes.loaded(take.rows)
    rows["betas"] += 1
    with pytest.raises(OutputError, match="--body"):
        write_take(
            tmp_path / "o.glb", Take(rows=TakeRows.of(rows), facts=take.facts, skin=take.skin)
        )
    with pytest.raises(OutputError, match="--body"):
        write_take(tmp_path / "o.glb", Take(rows=take.rows, facts=take.facts))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.fault
def test_keys_rise_also_where_times_stand_still_or_days_have_passed() -> None:
    for times_s in (np.zeros(5), 6e5 + np.arange(5) / 60, np.arange(5) * 1e-45, TIMES_S):
        keys = strictly_rising(times_s)
        assert keys.dtype == np.float32
        assert (np.diff(keys) > 0).all()
        np.testing.assert_allclose(keys, times_s, atol=0.5)
    np.testing.assert_array_equal(strictly_rising(TIMES_S), TIMES_S.astype(np.float32))
