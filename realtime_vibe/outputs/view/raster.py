"""A mesh drawn with NumPy alone (no display, no OpenGL), and laid over a picture: colour, soft edge and outline.

V vertices, F faces, h x w pixels of the region that the mesh covers. Vertices are in the OpenCV
camera frame [m] (x right, y down, z forward); pixel (column i, row j) covers [i, i+1) x [j, j+1), so
its centre is at (i + 0.5, j + 0.5) and the image's centre at (width / 2, height / 2).

A body seen by a webcam has triangles of one or two pixels. All pairs (triangle, pixel in its box) are
listed in flat arrays and tested at once, then a z-buffer picks the nearest: about 100,000 pairs for a
person 400 px tall. Large triangles would list millions; those pictures are painted far to near by
OpenCV instead, one polygon a triangle.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_vibe.geometry.camera import NEAR_M, PinholeView
from realtime_vibe.geometry.vertex_normals import VertexNormals
from realtime_vibe.outputs.view.shading import Color, color_ramp, lambert_shades
from realtime_vibe.packets import FloatArray, ImageArray

MAX_PAIRS = 800_000
"""Beyond this many (triangle, pixel) pairs, painting polygons is faster than testing pairs."""
_SUBPIXEL_BITS = 4

_OUTLINE_BGR = (40, 24, 16)
_OUTLINE_STRENGTH = 0.75


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadedRegion:
    """The part of an image that a mesh covers."""

    x: int
    """Left column of the region in the image."""
    y: int
    """Top row of the region in the image."""
    mask: NDArray[np.bool_]
    """(h, w) whether the mesh covers the pixel; (0, 0) when nothing is in view."""
    shade: ImageArray
    """(h, w) uint8 brightness; 0 where `mask` is False."""

    @property
    def is_empty(self) -> bool:
        """Whether the mesh covers no pixel."""
        return self.mask.size == 0


@dataclass(frozen=True, slots=True)
class _Triangles:
    """Front-facing triangles on the image: corners (3, T), all [px] except `inverse_z`.

    Corner-major arrays: NumPy reduces and gathers along the long axis five times as fast as along
    rows of three.
    """

    x: FloatArray
    y: FloatArray
    inverse_z: FloatArray
    shade: FloatArray
    double_area: FloatArray
    """(T,) signed: the order of the corners on the image is kept as it comes."""
    x_first: NDArray[np.int32]
    """(T,) first and last pixel column and row of the box, clipped to the image."""
    x_last: NDArray[np.int32]
    y_first: NDArray[np.int32]
    y_last: NDArray[np.int32]


class MeshRasterizer:
    """Draws meshes that share their faces.

    Args:
        faces: (F, 3) vertex indices, counter-clockwise seen from outside in a right-handed frame
            (SMPL's order); faces seen from behind are not drawn.
    """

    def __init__(self, faces: NDArray[np.integer]) -> None:
        self._faces = np.ascontiguousarray(faces.T, np.int32)
        self._num_vertices = int(self._faces.max(initial=-1)) + 1
        self._vertex_normals = VertexNormals(self._faces, self._num_vertices)

    def render(self, vertices: FloatArray, view: PinholeView) -> ShadedRegion:
        """Draws vertices (V, 3) [m], camera frame of `view`, with smooth shading; empty outside the image or behind it."""
        triangles = self._triangles(vertices, view)
        if triangles.double_area.size == 0:
            return _empty_region()
        left, top = int(triangles.x_first.min()), int(triangles.y_first.min())
        width = int(triangles.x_last.max()) - left + 1
        height = int(triangles.y_last.max()) - top + 1
        draw = _test_pairs if _num_pairs(triangles) <= MAX_PAIRS else _paint_polygons
        mask, shade = draw(triangles, left, top, (height, width))
        if not mask.any():
            return _empty_region()
        return ShadedRegion(x=left, y=top, mask=mask, shade=shade)

    def _triangles(self, vertices: FloatArray, view: PinholeView) -> _Triangles:
        """The triangles that face the camera, lie before it and touch a pixel centre."""
        points = np.ascontiguousarray(vertices[: self._num_vertices].T, np.float32)
        pixels = view.project(points)
        corners = pixels.take(self._faces, axis=1)
        double_area = _double_area(corners[0], corners[1])
        # Rest faces wind counter-clockwise seen from outside; on an image whose y runs down, those
        # turned towards the lens come out clockwise for a right-handed eye: negative area.
        in_view = double_area < -1e-9
        in_view &= (points[2] > NEAR_M).take(self._faces).all(axis=0)
        # Centres i + 0.5 inside [low, high]: ceil(low - 0.5) <= i <= floor(high - 0.5).
        first = np.ceil(corners.min(axis=1) - 0.5)
        last = np.floor(corners.max(axis=1) - 0.5)
        size = np.array([[view.width], [view.height]], np.float32)
        in_view &= ((first <= last) & (last >= 0) & (first < size)).all(axis=0)

        chosen = np.flatnonzero(in_view)
        faces = self._faces.take(chosen, axis=1)
        first = np.maximum(first.take(chosen, axis=1), 0.0).astype(np.int32)
        last = np.minimum(last.take(chosen, axis=1), size - 1.0).astype(np.int32)
        shades = lambert_shades(self._vertex_normals(points))
        corners = corners.take(chosen, axis=2)
        return _Triangles(
            x=corners[0],
            y=corners[1],
            inverse_z=(1.0 / np.maximum(points[2], NEAR_M)).take(faces),
            shade=shades.take(faces),
            double_area=double_area.take(chosen),
            x_first=first[0],
            x_last=last[0],
            y_first=first[1],
            y_last=last[1],
        )


def _double_area(x: FloatArray, y: FloatArray) -> FloatArray:
    """Twice the signed areas (T,) of triangles with corners (3, T)."""
    area = (x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0])
    return np.asarray(area, np.float32)


def _empty_region() -> ShadedRegion:
    return ShadedRegion(x=0, y=0, mask=np.zeros((0, 0), np.bool_), shade=np.zeros((0, 0), np.uint8))


def _num_pairs(t: _Triangles) -> int:
    columns = (t.x_last - t.x_first + 1).astype(np.int64)
    return int((columns * (t.y_last - t.y_first + 1)).sum())


def _test_pairs(
    t: _Triangles, left: int, top: int, shape: tuple[int, int]
) -> tuple[NDArray[np.bool_], ImageArray]:
    """Z-buffer over all (triangle, pixel) pairs; exact for triangles of any size."""
    columns = t.x_last - t.x_first + 1
    counts = columns * (t.y_last - t.y_first + 1)
    owner = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    starts = np.cumsum(counts, dtype=np.int32) - counts
    rank = np.arange(len(owner), dtype=np.int32) - starts.take(owner)
    row, column = np.divmod(rank, columns.take(owner))
    column += t.x_first.take(owner)
    row += t.y_first.take(owner)

    # Barycentric weights of corners 1 and 2, from the pixel's offset to corner 0.
    scale = 1.0 / t.double_area
    px = column.astype(np.float32) + np.float32(0.5) - t.x[0].take(owner)
    py = row.astype(np.float32) + np.float32(0.5) - t.y[0].take(owner)
    weight_1 = ((t.y[2] - t.y[0]) * scale).take(owner) * px
    weight_1 -= ((t.x[2] - t.x[0]) * scale).take(owner) * py
    weight_2 = ((t.x[1] - t.x[0]) * scale).take(owner) * py
    weight_2 -= ((t.y[1] - t.y[0]) * scale).take(owner) * px
    slack = np.float32(1e-4)  # a centre on a shared edge belongs to both: no pinholes
    inside = np.flatnonzero(
        (weight_1 >= -slack) & (weight_2 >= -slack) & (weight_1 + weight_2 <= 1.0 + slack)
    )
    owner, weight_1, weight_2 = owner[inside], weight_1[inside], weight_2[inside]
    flat = (row[inside] - top) * shape[1] + (column[inside] - left)

    # 1/z is linear on the image, z is not.
    nearness = _interpolated(t.inverse_z, owner, weight_1, weight_2)
    nearest = np.zeros(shape[0] * shape[1], np.float32)
    np.maximum.at(nearest, flat, nearness)
    wins = np.flatnonzero(nearness == nearest[flat])
    shade = np.zeros(shape[0] * shape[1], np.uint8)
    value = _interpolated(t.shade, owner[wins], weight_1[wins], weight_2[wins])
    shade[flat[wins]] = np.clip(value, 0.0, 255.0).astype(np.uint8)
    return (nearest > 0.0).reshape(shape), shade.reshape(shape)


def _interpolated(
    corners: FloatArray, owner: NDArray[np.int32], weight_1: FloatArray, weight_2: FloatArray
) -> FloatArray:
    """Values at the pairs from values (3, T) at the corners."""
    value = (corners[1] - corners[0]).take(owner) * weight_1
    value += (corners[2] - corners[0]).take(owner) * weight_2
    value += corners[0].take(owner)
    return np.asarray(value, np.float32)


def _paint_polygons(
    t: _Triangles, left: int, top: int, shape: tuple[int, int]
) -> tuple[NDArray[np.bool_], ImageArray]:
    """Painter's algorithm: polygons far to near, one flat brightness each."""
    order = np.argsort(t.inverse_z.sum(axis=0))
    # OpenCV's integer coordinates are pixel centres; ours put the centre at + 0.5.
    corners = np.stack([t.x - (left + 0.5), t.y - (top + 0.5)]).take(order, axis=2).T
    fixed = np.rint(np.clip(corners, -16e3, 16e3) * (1 << _SUBPIXEL_BITS)).astype(np.int32)
    # Brightness 0 marks "nothing here", so drawn polygons start at 1.
    levels = np.clip(t.shade.mean(axis=0).take(order), 1, 255).astype(np.int32).tolist()
    shade = np.zeros(shape, np.uint8)
    for polygon, level in zip(fixed, levels, strict=True):
        cv2.fillConvexPoly(shade, polygon, level, lineType=cv2.LINE_8, shift=_SUBPIXEL_BITS)
    return shade > 0, shade


def blend_mesh(
    image: ImageArray, region: ShadedRegion, color: Color, *, opacity: float, outline_px: int = 0
) -> None:
    """Draws `region` into `image` (H, W, 3) in place; an empty region changes nothing.

    `opacity` 0 leaves the picture as it is, 1 hides it behind the mesh; a dark rim of `outline_px` goes around the silhouette.
    """
    if region.is_empty:
        return
    margin = outline_px + 1
    rows, columns, inner = _padded_window(image, region, margin)
    target = image[rows, columns]
    mask = np.zeros(target.shape[:2], np.uint8)
    mask[inner] = region.mask
    shade = np.zeros(target.shape[:2], np.uint8)
    shade[inner] = region.shade

    # Pixels just outside the silhouette take their neighbours' brightness: the soft edge needs it.
    spread = np.asarray(cv2.dilate(shade, np.ones((3, 3), np.uint8)), np.uint8)
    np.copyto(spread, shade, where=mask > 0)
    colored = np.asarray(cv2.applyColorMap(spread, color_ramp(color)[:, None]), np.uint8)
    blended = _mix(target, colored, _soft(mask) * np.float32(opacity))
    if outline_px > 0:
        rim = np.asarray(cv2.dilate(mask, _disc(outline_px)), np.uint8) - mask
        colored[:] = _OUTLINE_BGR
        blended = _mix(blended, colored, _soft(rim) * np.float32(_OUTLINE_STRENGTH))
    target[:] = blended


def _padded_window(
    image: ImageArray, region: ShadedRegion, margin: int
) -> tuple[slice, slice, tuple[slice, slice]]:
    """Rows and columns of `image` around the region, and the region's place inside them."""
    height, width = region.mask.shape
    top, left = max(region.y - margin, 0), max(region.x - margin, 0)
    bottom = min(region.y + height + margin, image.shape[0])
    right = min(region.x + width + margin, image.shape[1])
    y, x = region.y - top, region.x - left
    return slice(top, bottom), slice(left, right), (slice(y, y + height), slice(x, x + width))


def _soft(mask: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A 0/1 mask with its staircase smoothed over one pixel."""
    return np.asarray(cv2.GaussianBlur(mask.astype(np.float32), (3, 3), 0.6), np.float32)


def _mix(below: ImageArray, above: ImageArray, opacity: NDArray[np.float32]) -> ImageArray:
    return np.asarray(cv2.blendLinear(above, below, opacity, 1.0 - opacity), np.uint8)


def _disc(radius_px: int) -> NDArray[np.uint8]:
    size = 2 * radius_px + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8)
