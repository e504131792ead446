"""Drawn figures: where the body's projection is, every pixel of it, lit and painted as asked."""

import builtins

import cv2
import numpy as np
import pytest

from realtime_vibe.body.smpl import SmplBody
from realtime_vibe.errors import ConfigError
from realtime_vibe.geometry.camera import PinholeView, project
from realtime_vibe.geometry.rotation import rotmat_from_axis_angle
from realtime_vibe.training.render.figure import make_figure
from realtime_vibe.training.render.raycast import (
    Light,
    draw,
    make_light,
    make_paint,
    require_open3d,
)
from tests.training.render.bare_figure import bare_figure

pytest.importorskip("open3d", reason="Open3D casts the rays")

CAMERA = PinholeView(focal_px=260.0, width=160, height=200)
FACING = np.diag([1.0, -1.0, -1.0]).astype(np.float32)


def a_pose(seed, spread=0.25):
    rng = np.random.default_rng(seed)
    rotmat = rotmat_from_axis_angle(rng.normal(0, spread, (24, 3)).astype(np.float32))
    rotmat[0] = FACING @ rotmat[0]
    return rotmat


def drawn_mask(drawn, camera=CAMERA):
    mask = np.zeros((camera.height, camera.width), bool)
    mask[drawn.rows, drawn.columns] = True
    return mask


def filled_mask(vertices, faces, camera=CAMERA):
    """The union of all triangles, filled one by one."""
    pixels = project(vertices, (camera.width, camera.height), camera.focal_px)
    mask = np.zeros((camera.height, camera.width), np.uint8)
    fixed = np.round((pixels - 0.5) * 16).astype(np.int32)
    for corners in fixed[faces.astype(np.intp)]:
        cv2.fillConvexPoly(mask, corners, 1, shift=4)
    return mask.astype(bool)


def box(mask):
    rows, columns = np.nonzero(mask)
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])


def test_the_picture_agrees_with_the_truth(body_model, subtests):
    for seed in range(3):
        with subtests.test(seed=seed):
            rng = np.random.default_rng(seed)
            betas = rng.normal(size=10).astype(np.float32)
            rotmat, transl = a_pose(seed), np.array([0.1, 0.1, 3.2], np.float32)
            mesh = SmplBody(body_model).forward(rotmat[0], rotmat[1:], betas, transl)
            pixels = project(mesh.vertices, (CAMERA.width, CAMERA.height), CAMERA.focal_px)
            figure = bare_figure(body_model, betas)
            drawn = draw(
                figure, figure.posed(rotmat, transl), make_paint(rng), make_light(rng), CAMERA
            )
            expected = np.concatenate([pixels.min(axis=0), pixels.max(axis=0)])
            expected = np.clip(expected, 0, [CAMERA.width, CAMERA.height] * 2)
            np.testing.assert_allclose(box(drawn_mask(drawn)), expected, atol=2.0)


def test_no_pixel_of_the_figure_is_missed(body_model, subtests):
    for seed, depth_m in [(0, 3.2), (1, 1.1), (2, 0.7)]:
        with subtests.test(seed=seed, depth_m=depth_m):
            rng = np.random.default_rng(seed)
            figure = make_figure(body_model, np.zeros(10, np.float32), rng)
            vertices = figure.posed(a_pose(seed), np.array([0, 0, depth_m], np.float32))
            drawn = drawn_mask(draw(figure, vertices, make_paint(rng), make_light(rng), CAMERA))
            ahead = (vertices[:, 2] > 0.15)[figure.faces].all(axis=1)
            filled = filled_mask(vertices, figure.faces[ahead])
            # Filled triangles cover every pixel they touch: nothing may lie outside, a rim may be missing.
            kernel = np.ones((3, 3), np.uint8)
            core = cv2.erode(filled.astype(np.uint8), kernel).astype(bool)
            assert (drawn & ~filled).mean() < 0.002
            assert (core & ~drawn).mean() < 0.002
            assert drawn.sum() > 500


def test_who_is_out_of_view_is_not_drawn(body_model):
    rng = np.random.default_rng(0)
    figure = bare_figure(body_model, np.zeros(10, np.float32))
    paint, light = make_paint(rng), make_light(rng)
    for place in ([0, 0, -5.0], [30.0, 0, 5.0]):
        vertices = figure.posed(a_pose(0), np.array(place, np.float32))
        assert draw(figure, vertices, paint, light, CAMERA) is None


def a_light(**changes):
    values = {
        "direction": np.array([-1.0, 0, 0], np.float32), "ambient": 0.2, "lamp": 0.8,
        "color": np.ones(3, np.float32), "shadow": False,
    }  # fmt: skip
    return Light(**{**values, **changes})


def test_light_comes_from_its_side_and_bodies_shade_themselves(body_model):
    rng = np.random.default_rng(0)
    figure = bare_figure(body_model, np.zeros(10, np.float32))
    vertices = figure.posed(a_pose(0, 0.0), np.array([0, 0.1, 4.0], np.float32))
    paint = make_paint(rng)
    left = draw(figure, vertices, paint, a_light(), CAMERA)
    right = draw(
        figure, vertices, paint, a_light(direction=np.array([1.0, 0, 0], np.float32)), CAMERA
    )
    on_left = left.columns < CAMERA.width / 2
    assert left.color[on_left].mean() > left.color[~on_left].mean()
    assert right.color[on_left].mean() < right.color[~on_left].mean()
    shaded = draw(figure, vertices, paint, a_light(shadow=True), CAMERA)
    assert (shaded.color <= left.color + 1e-5).all()
    assert shaded.color.mean() < 0.98 * left.color.mean()


def test_the_face_is_painted_in_front_only(body_model):
    rng = np.random.default_rng(3)
    figure, paint = bare_figure(body_model, np.zeros(10, np.float32)), make_paint(rng)
    close = PinholeView(focal_px=900.0, width=240, height=240)
    turned = np.diag([-1.0, -1.0, 1.0]).astype(np.float32)
    colors = []
    for root in (FACING, turned):
        rotmat = np.broadcast_to(np.eye(3, dtype=np.float32), (24, 3, 3)).copy()
        rotmat[0] = root
        head = figure.posed(rotmat, np.zeros(3, np.float32))[figure.rest[:, 1] > 0.3].mean(axis=0)
        vertices = figure.posed(rotmat, np.array([0, 0, 1.4], np.float32) - head)
        drawn = draw(figure, vertices, paint, a_light(ambient=1.0, lamp=0.0), close)
        colors.append(drawn.color / drawn.color.max(axis=1, keepdims=True))
    whites = [(np.ptp(color, axis=1) < 0.01).sum() for color in colors]
    assert whites[0] > 20
    assert whites[1] == 0


def test_without_open3d_there_is_one_clear_line(monkeypatch):
    real_import = builtins.__import__

    def refuse(name, *rest):
        if name.split(".")[0] == "open3d":
            raise ModuleNotFoundError("No module named 'open3d'")
        return real_import(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ConfigError, match=r'\[viewer\]"'):
        require_open3d()
