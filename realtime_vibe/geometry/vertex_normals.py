"""Normals of meshes. Legend: V vertices, F faces."""

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.packets import FloatArray


class VertexNormals:
    """Area-weighted unit normals of a mesh whose (3, F) faces never change, counter-clockwise seen from outside.

    The corners are sorted by vertex once, so that each call is a gather and a `reduceat`; `np.add.at` takes five times
    as long. Vertices without a face get the normal (0, 0, 0).
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
