"""Normals and light: how bright each vertex of a mesh looks.

V vertices, F faces. All in the frame of the camera that looks (OpenCV: x right, y down, z forward).
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.packets import FloatArray, ImageArray

_LIGHTS = np.array([[-0.60, -0.62, -0.50], [0.95, -0.05, -0.25]], np.float32)
"""Directions towards a key light (above, left) and a fill light (right), both on the viewer's side."""
_STRENGTHS = np.array([0.74, 0.20], np.float32)
_AMBIENT = 0.14

Color = tuple[int, int, int]
"""Blue, green, red in 0..255."""

PERSON_COLORS: tuple[Color, ...] = (
    (214, 174, 132),  # steel blue
    (160, 196, 128),  # sage green
    (206, 150, 182),  # mauve
    (120, 190, 222),  # ochre
)
"""Base colours; people take them in turn by their track id."""


@cache
def color_ramp(color: Color) -> ImageArray:
    """(256, 3) uint8 BGR from a cool, deep shadow (0) over `color` (about 170) to a highlight (255).

    A ramp instead of plain multiplication keeps shadows from turning grey-black, so limbs stay apart
    from one another on a dark picture.
    """
    base = np.array(color, np.float32)
    stops = np.array([0, 170, 255], np.float32)
    colors = np.stack([base * 0.30 + (14, 6, 4), base, 0.45 * base + 0.55 * 255.0])
    shades = np.arange(256, dtype=np.float32)
    ramp = np.stack([np.interp(shades, stops, colors[:, c]) for c in range(3)], axis=1)
    return np.clip(np.rint(ramp), 0, 255).astype(np.uint8)


class VertexNormals:
    """Area-weighted unit normals of a mesh whose faces never change.

    The corners are sorted by vertex once, so that each call is a gather and a `reduceat`;
    `np.add.at` takes five times as long.

    Args:
        faces: (3, F) vertex indices, counter-clockwise seen from outside in a right-handed frame.
        num_vertices: V; vertices without a face get the normal (0, 0, 0).
    """

    def __init__(self, faces: NDArray[np.int32], num_vertices: int) -> None:
        corners = faces.ravel()
        order = np.argsort(corners, kind="stable")
        self._faces = faces
        self._face_of_corner = (order % max(faces.shape[1], 1)).astype(np.int32)
        self._used, self._starts = np.unique(corners[order], return_index=True)
        self._num_vertices = num_vertices

    def __call__(self, points: FloatArray) -> FloatArray:
        """Vertex normals (3, V) of vertices (3, V)."""
        normals = np.zeros((3, self._num_vertices), np.float32)
        if len(self._used) == 0:
            return normals
        sums = np.stack(
            [
                np.add.reduceat(component.take(self._face_of_corner), self._starts)
                for component in self._face_normals(points)
            ]
        )
        lengths = np.sqrt((sums * sums).sum(axis=0))
        normals[:, self._used] = sums / np.maximum(lengths, 1e-12)
        return normals

    def _face_normals(self, points: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """x, y and z (F,) of normals twice as long as the faces' areas."""
        first = points.take(self._faces[0], axis=1)
        ux, uy, uz = points.take(self._faces[1], axis=1) - first
        vx, vy, vz = points.take(self._faces[2], axis=1) - first
        return uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx


def lambert_shades(normals: FloatArray) -> FloatArray:
    """Brightness (V,) in [0, 255] of unit normals (3, V) under two fixed lights and ambient light."""
    directions = _LIGHTS / np.linalg.norm(_LIGHTS, axis=1, keepdims=True)
    lit = _STRENGTHS @ np.maximum(directions @ normals, 0.0) + _AMBIENT
    return np.asarray(np.minimum(lit, 1.0) * 255.0, np.float32)
