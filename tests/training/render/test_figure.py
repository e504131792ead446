"""Dressed figures: posed as the body is, clothes outside the skin, a face in front, sound meshes."""

import dataclasses

import numpy as np
import pytest

from realtime_vibe.body.smpl import SmplBody
from realtime_vibe.errors import BodyModelError
from realtime_vibe.geometry.rotation import rotmat_from_axis_angle
from realtime_vibe.geometry.vertex_normals import VertexNormals
from realtime_vibe.training.render.clothing import Surface
from realtime_vibe.training.render.figure import make_figure
from tests.training.render.bare_figure import bare_figure


@pytest.fixture(scope="module")
def figures(body_model):
    rng = np.random.default_rng(1)
    return [make_figure(body_model, rng.normal(size=10).astype(np.float32), rng) for _ in range(16)]


def test_a_bare_figure_is_posed_as_the_body_is(body_model):
    rng = np.random.default_rng(0)
    rotmat = rotmat_from_axis_angle(rng.normal(0, 0.5, (24, 3)).astype(np.float32))
    betas, transl = rng.normal(size=10).astype(np.float32), np.array([0.2, -0.1, 4], np.float32)
    mesh = SmplBody(body_model).forward(rotmat[0], rotmat[1:], betas, transl)
    posed = bare_figure(body_model, betas).posed(rotmat, transl)
    np.testing.assert_allclose(posed, mesh.vertices, atol=1e-4)


def test_meshes_are_sound(figures, body_model):
    for figure in figures:
        count = len(figure.rest)
        assert count >= body_model.num_vertices
        assert figure.weights.shape == (count, 24)
        np.testing.assert_allclose(figure.weights.sum(axis=1), 1.0, atol=1e-4)
        assert figure.surface.shape == (count,)
        assert figure.faces.max() < count
        assert np.isfinite(figure.rest).all()
        assert np.array_equal(np.unique(figure.faces), np.arange(count))


def test_no_edge_is_longer_than_the_ray_caster_expects(figures):
    # A pixel is looked at only within 3.5 cm of a vertex; a triangle of 6 cm edges just fits.
    for figure in figures:
        corners = figure.rest[figure.faces]
        edges = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=-1)
        assert np.quantile(edges, 0.9999) < 0.075


def test_clothes_stand_off_the_skin_and_skin_does_not(body_model):
    rng = np.random.default_rng(4)
    for _ in range(6):
        betas = rng.normal(size=10).astype(np.float32)
        skin, dressed = bare_figure(body_model, betas), make_figure(body_model, betas, rng)
        count = body_model.num_vertices
        corners = np.ascontiguousarray(body_model.faces.T, np.int32)
        normals = VertexNormals(corners, count)(skin.rest.T).T
        offset = dressed.rest[:count] - skin.rest
        outwards = (offset * normals).sum(axis=1)
        is_skin = dressed.surface[:count] == Surface.SKIN
        assert 0.05 < is_skin.mean() < 0.98
        np.testing.assert_allclose(outwards[is_skin], 0.0, atol=1e-5)
        assert (outwards[~is_skin] > 1e-4).all()
        assert outwards.max() < 0.15
        np.testing.assert_allclose(offset, outwards[:, None] * normals, atol=1e-5)


def test_hair_is_on_top_shoes_below_and_hands_are_bare(figures, body_model):
    for figure in figures:
        own = figure.surface[: body_model.num_vertices]
        height = figure.rest[: body_model.num_vertices, 1]
        hands = body_model.weights[:, 22:].max(axis=1) > 0.6
        assert (own[hands] == Surface.SKIN).all()
        assert not (own == Surface.HAIR).any() or height[own == Surface.HAIR].min() > 0.15
        assert not (own == Surface.SHOES).any() or height[own == Surface.SHOES].max() < -0.9
    assert np.mean([(figure.surface == Surface.HAIR).any() for figure in figures]) > 0.5


def test_eyes_and_mouth_are_painted_on_the_skin_of_the_face(body_model):
    rng = np.random.default_rng(2)
    for _ in range(5):
        figure = bare_figure(body_model, rng.normal(size=10).astype(np.float32))
        for point in (*figure.eyes, figure.mouth):
            distance = np.linalg.norm(figure.rest - point, axis=1)
            assert distance.min() < 0.015
            assert figure.rest[distance.argmin(), 2] > figure.rest_joints[15, 2] + 0.05
        assert 0.05 < figure.eyes[0, 0] - figure.eyes[1, 0] < 0.08
        assert abs(figure.mouth[0]) < 1e-4


def test_the_same_seed_makes_the_same_figure(body_model):
    betas = np.zeros(10, np.float32)
    first, again, other = (
        make_figure(body_model, betas, np.random.default_rng(seed)) for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first.rest, again.rest)
    np.testing.assert_array_equal(first.surface, again.surface)
    assert first.rest.shape != other.rest.shape or not np.array_equal(first.rest, other.rest)


def test_a_body_without_landmarks_is_refused(body_model):
    blind = dataclasses.replace(body_model, blazepose_regressor=None)
    with pytest.raises(BodyModelError, match="no blazepose_regressor"):
        bare_figure(blind, np.zeros(10, np.float32))
