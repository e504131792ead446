"""Covers the NumPy rasteriser: silhouettes, depth order, clipping, both drawing paths, normals."""

import numpy as np

from realtime_vibe.geometry.camera import PinholeView
from realtime_vibe.geometry.vertex_normals import VertexNormals
from realtime_vibe.outputs.view import raster
from realtime_vibe.outputs.view.raster import MeshRasterizer, ShadedRegion
from realtime_vibe.outputs.view.shading import color_ramp

VIEW = PinholeView(width=640, height=480, focal_px=600.0)
BOTH_PATHS = (10**9, 0)
"""Values of `MAX_PAIRS`: always pairs of pixel and face, always polygons."""


def placed(shape, at, radius=1.0):
    return (shape.vertices * radius + np.array(at)).astype(np.float32)


def full_mask(region: ShadedRegion, view: PinholeView = VIEW):
    mask = np.zeros((view.height, view.width), bool)
    height, width = region.mask.shape
    mask[region.y : region.y + height, region.x : region.x + width] = region.mask
    return mask


def analytic_silhouette(center, radius, view=VIEW):
    """Pixels whose ray passes within `radius` of `center`."""
    columns, rows = np.meshgrid(np.arange(view.width) + 0.5, np.arange(view.height) + 0.5)
    rays = np.stack(
        [columns - view.width / 2, rows - view.height / 2, np.full_like(rows, view.focal_px)], -1
    )
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    distance = np.linalg.norm(np.cross(rays, np.array(center, float)), axis=-1)
    return distance <= radius


def test_the_silhouette_of_a_sphere_is_the_analytic_one(sphere, monkeypatch, subtests):
    for max_pairs in BOTH_PATHS:
        with subtests.test(max_pairs=max_pairs):
            monkeypatch.setattr(raster, "MAX_PAIRS", max_pairs)
            for center, radius in [
                ((0, 0, 4), 1.0), ((1.3, -0.7, 5), 0.8), ((-2.2, 0.5, 4), 1.0), ((0, 0, 2.5), 1.0),
            ]:  # fmt: skip
                region = MeshRasterizer(sphere.faces).render(placed(sphere, center, radius), VIEW)
                got, expected = full_mask(region), analytic_silhouette(center, radius)
                assert abs(got.sum() / expected.sum() - 1) < 0.03, center
                assert (got & expected).sum() / (got | expected).sum() > 0.96, center


def test_small_triangles_leave_no_pinholes(sphere):
    mask = full_mask(MeshRasterizer(sphere.faces).render(placed(sphere, (0.1, 0, 6)), VIEW))
    expected = analytic_silhouette((0.1, 0, 6), 0.97)
    assert mask[expected].all()


def test_the_nearer_surface_wins_whatever_the_order_of_the_faces(sphere, monkeypatch, subtests):
    for max_pairs in BOTH_PATHS:
        with subtests.test(max_pairs=max_pairs):
            monkeypatch.setattr(raster, "MAX_PAIRS", max_pairs)
            num_vertices = len(sphere.vertices)
            near, far = placed(sphere, (0, 0, 4), 0.5), placed(sphere, (0.2, 0, 8), 1.5)
            alone = MeshRasterizer(sphere.faces).render(near, VIEW)
            rows, columns = np.nonzero(full_mask(alone))
            for vertices in ((near, far), (far, near)):
                both = MeshRasterizer(
                    np.concatenate([sphere.faces, sphere.faces + num_vertices])
                ).render(np.concatenate(vertices), VIEW)
                shade = np.zeros((480, 640), np.uint8)
                height, width = both.shade.shape
                shade[both.y : both.y + height, both.x : both.x + width] = both.shade
                inner = alone.shade[rows - alone.y, columns - alone.x]
                same = np.abs(shade[rows, columns].astype(int) - inner) <= 2
                assert same.mean() > 0.99


def test_a_known_vertex_lands_on_the_right_pixel():
    # A triangle of 20 px around (0.5, -0.25, 2): u = 600 * 0.25 + 320, v = 600 * -0.125 + 240.
    around = np.array([[0, -1, 0], [-1, 1, 0], [1, 1, 0]], np.float32) * 10 * 2 / 600
    vertices = np.array([0.5, -0.25, 2.0], np.float32) + around
    region = MeshRasterizer(np.array([[0, 1, 2]])).render(vertices, VIEW)
    rows, columns = np.nonzero(full_mask(region))
    assert columns.min() >= 459
    assert columns.max() <= 480
    assert abs(columns.mean() + 0.5 - 470) < 0.6
    assert abs(rows.mean() + 0.5 - (165 + 10 / 3)) < 0.6


def test_faces_seen_from_behind_are_not_drawn(sphere):
    flipped = MeshRasterizer(sphere.faces[:, ::-1])
    front = MeshRasterizer(sphere.faces)
    vertices = placed(sphere, (0, 0, 4))
    # A closed surface inside out shows its far half: same outline, lit from the other side.
    assert (
        abs(
            int(flipped.render(vertices, VIEW).mask.sum()) - front.render(vertices, VIEW).mask.sum()
        )
        < 60
    )
    single = MeshRasterizer(np.array([[0, 1, 2]]))
    triangle = np.array([[0, -1, 3], [-1, 1, 3], [1, 1, 3]], np.float32)
    assert not single.render(triangle, VIEW).is_empty
    assert single.render(triangle[[0, 2, 1]], VIEW).is_empty


def test_out_of_view_gives_an_empty_region(sphere, monkeypatch, subtests):
    for max_pairs in BOTH_PATHS:
        with subtests.test(max_pairs=max_pairs):
            monkeypatch.setattr(raster, "MAX_PAIRS", max_pairs)
            for center in [(0, 0, -4), (40, 0, 4), (0, -30, 4), (0, 0, 1e6), (0, 0, 0)]:
                region = MeshRasterizer(sphere.faces).render(placed(sphere, center), VIEW)
                assert region.is_empty, center
                assert region.shade.shape == (0, 0), center


def test_partly_outside_or_around_the_lens_stays_inside_the_image(sphere, monkeypatch, subtests):
    for max_pairs in BOTH_PATHS:
        with subtests.test(max_pairs=max_pairs):
            monkeypatch.setattr(raster, "MAX_PAIRS", max_pairs)
            for center in [(1.4, 0, 2.6), (0, 0, 1.2), (-1.5, 1.2, 2.2), (0.3, 0.2, 0.9)]:
                region = MeshRasterizer(sphere.faces).render(placed(sphere, center), VIEW)
                height, width = region.mask.shape
                assert 0 <= region.x <= region.x + width <= 640, center
                assert 0 <= region.y <= region.y + height <= 480, center


def test_both_paths_draw_the_same_large_triangles(sphere, monkeypatch):
    coarse = sphere.vertices, sphere.faces
    vertices = placed(sphere, (0.2, 0.1, 1.6))
    exact = MeshRasterizer(coarse[1]).render(vertices, VIEW)
    monkeypatch.setattr(raster, "MAX_PAIRS", 0)
    painted = MeshRasterizer(coarse[1]).render(vertices, VIEW)
    both = full_mask(exact) & full_mask(painted)
    assert both.sum() / (full_mask(exact) | full_mask(painted)).sum() > 0.98


def test_nan_vertices_draw_nothing(sphere):
    region = MeshRasterizer(sphere.faces).render(np.full_like(sphere.vertices, np.nan), VIEW)
    assert region.is_empty


def test_light_comes_from_above_left(sphere):
    region = MeshRasterizer(sphere.faces).render(placed(sphere, (0, 0, 4)), VIEW)
    height, width = region.shade.shape
    upper_left = region.shade[height // 4, width // 4]
    lower_right = region.shade[3 * height // 4, 3 * width // 4]
    assert int(upper_left) > int(lower_right) + 40


def test_vertex_normals_of_a_sphere_point_outwards(sphere):
    faces = np.ascontiguousarray(sphere.faces.T)
    normals = VertexNormals(faces, len(sphere.vertices))(np.ascontiguousarray(sphere.vertices.T))
    cosines = (normals.T * sphere.vertices).sum(axis=1)
    assert cosines.min() > 0.999


def test_ramp_goes_from_dark_to_light_through_the_base_colour():
    ramp = color_ramp((200, 100, 50)).astype(int)
    assert (np.diff(ramp, axis=0) >= 0).all()
    assert ramp[170].tolist() == [200, 100, 50]
