"""SMPL as a few float32 matrix products (Loper et al. 2015, eqs. 2 to 9).

Points are kept as three planes x, y, z of V values each, not as V triples: then the blended bone
transforms are twelve contiguous planes from one product (12, 24) @ (24, V), and applying them is
plain vector arithmetic. Legend: V vertices, J = 24 joints, P pose blend components.
"""

import threading
from functools import cache, partial

import numpy as np

from realtime_vibe.body.model_file import BodyModel
from realtime_vibe.body.skeleton import SmplSkeleton
from realtime_vibe.packets import NUM_SMPL_JOINTS, BodyMesh, FloatArray

_NO_TURN = np.eye(3, dtype=np.float32)


class SmplBody(SmplSkeleton):
    """Poses one body model. Vertices are skinned when somebody looks at them, in whichever thread that is."""

    def __init__(self, model: BodyModel) -> None:
        super().__init__(model)
        num_vertices = model.num_vertices
        self._template = np.ascontiguousarray(model.v_template.T).reshape(-1)
        self._shapedirs = _planar(model.shapedirs)
        self._posedirs = _planar(model.posedirs)
        self._weights = np.ascontiguousarray(model.weights.T)
        self._skinning = threading.Lock()
        """Guards what follows: scratch memory, and the template of the last betas."""
        self._blended = np.empty((12, num_vertices), np.float32)
        self._product = np.empty(num_vertices, np.float32)
        self._posed = np.empty((3, num_vertices), np.float32)
        self._shaped = self._template.copy()
        self._shaped_betas = np.zeros(model.shapedirs.shape[-1], np.float32).tobytes()

    def forward(
        self,
        global_orient: FloatArray,
        body_pose: FloatArray,
        betas: FloatArray,
        transl: FloatArray,
    ) -> BodyMesh:
        """Shapes, poses and places the body; arguments as of `joints`. Equal betas reuse the last shaped template."""
        pose = self.kinematics(global_orient, body_pose, betas)
        placed = pose.joints + transl
        offsets = placed - np.einsum("jab,jb->ja", pose.rotations, pose.rest_joints)
        return BodyMesh(
            skin=cache(
                partial(self._skinned, betas.copy(), body_pose - _NO_TURN, pose.rotations, offsets)
            ),
            joints=placed.astype(np.float32, copy=False),
            transl=np.array(transl, np.float32),
        )

    def _shaped_template(self, betas: FloatArray) -> FloatArray:
        """(3V,) shaped rest vertices as planes; read only."""
        single = betas.astype(np.float32, copy=False)
        key = single.tobytes()
        if key != self._shaped_betas:
            np.matmul(self._shapedirs, single, out=self._shaped)
            self._shaped += self._template
            self._shaped_betas = key
        return self._shaped

    def _skinned(
        self,
        betas: FloatArray,
        pose_feature: FloatArray,
        rotations: FloatArray,
        offsets: FloatArray,
    ) -> FloatArray:
        with self._skinning:
            template = self._shaped_template(betas)
            if self._posedirs.shape[1]:
                feature = pose_feature.reshape(-1).astype(np.float32, copy=False)
                template = template + self._posedirs @ feature
            return self._skin(template.reshape(3, -1), rotations, offsets)

    def _skin(self, planes: FloatArray, rotations: FloatArray, offsets: FloatArray) -> FloatArray:
        """(V, 3): `planes` (3, V) moved by each vertex' blend of the joints' motions."""
        transforms = np.concatenate([rotations, offsets[:, :, None]], axis=2)
        columns = np.ascontiguousarray(transforms.reshape(NUM_SMPL_JOINTS, 12).T, np.float32)
        np.matmul(columns, self._weights, out=self._blended)
        for axis in range(3):
            row, out = self._blended[4 * axis : 4 * axis + 4], self._posed[axis]
            np.multiply(row[0], planes[0], out=out)
            for other in (1, 2):
                np.multiply(row[other], planes[other], out=self._product)
                np.add(out, self._product, out=out)
            np.add(out, row[3], out=out)
        return np.ascontiguousarray(self._posed.T)


def _planar(directions: FloatArray) -> FloatArray:
    """(V, 3, B) -> (3V, B), all x first, then y, then z."""
    num_components = directions.shape[2]
    swapped = directions.transpose(1, 0, 2)
    return np.ascontiguousarray(swapped).reshape(3 * len(directions), num_components)
