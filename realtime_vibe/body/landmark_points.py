"""BlazePose's landmarks as points that ride on a few bones each, without the mesh.

Linear blend skinning is linear in the vertices, so a landmark that is a weighted mean of vertices needs
only one point for each bone that moves it (Loper et al. 2015, eq. 4, summed over the landmark's vertices).
Bones with little weight are left out, which moves no landmark by half a centimetre.

Legend: J = 24 joints, K = 33 landmarks, Q pairs of a landmark and a bone.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.body.joints import LANDMARK_JOINTS
from realtime_vibe.body.model_file import BodyModel, RestSkeleton, rest_skeleton
from realtime_vibe.errors import BodyModelError
from realtime_vibe.packets import NUM_BETAS, NUM_LANDMARKS, NUM_SMPL_JOINTS, FloatArray

LEAST_WEIGHT = 0.02
"""Of a bone in a landmark; the others' weights are scaled up to a sum of 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LandmarkPoints:
    """The pairs of one body."""

    bone: NDArray[np.intp]
    """(Q,) joint that each pair moves with."""
    offset: FloatArray
    """(Q, 3) from that joint in the rest pose, times the pair's weight [m]."""
    shapedirs: FloatArray
    """(Q, 3, 10) likewise."""
    weight: FloatArray
    """(Q, 1) of each pair in its landmark; those of one landmark sum to 1."""
    sums: FloatArray
    """(33, Q) 1 where a pair belongs to a landmark: offsets hold their weights already."""

    def posed(self, rotations: FloatArray, joints: FloatArray, betas: FloatArray) -> FloatArray:
        """Landmarks (33, 3) in the frame of `joints` (24, 3) [m] and their rotations (24, 3, 3); betas (10,)."""
        offset = self.offset + self.shapedirs @ betas
        moved = (rotations[self.bone] @ offset[..., None])[..., 0]
        moved += self.weight * joints[self.bone]
        return self.sums @ moved


def landmark_points(model: BodyModel) -> LandmarkPoints:
    """The landmarks of a body.

    A landmark whose regressor row is a joint's row is the posed joint itself.

    Raises:
        BodyModelError: the body does not say where BlazePose's landmarks are, or has pose blend shapes,
            which no rigid point follows.
    """
    if model.blazepose_regressor is None or model.posedirs.shape[-1]:
        raise BodyModelError(
            "expected the default body (export.body): with a blazepose_regressor and without posedirs"
        )
    rest = rest_skeleton(model)
    pairs = [
        (landmark, *pair)
        for landmark in range(NUM_LANDMARKS)
        for pair in _pairs_of(model, landmark, rest)
    ]
    sums = np.zeros((NUM_LANDMARKS, len(pairs)), np.float32)
    sums[[pair[0] for pair in pairs], np.arange(len(pairs))] = 1.0
    return LandmarkPoints(
        bone=np.array([pair[1] for pair in pairs]),
        offset=np.stack([pair[3] for pair in pairs]).astype(np.float32),
        shapedirs=np.stack([pair[4] for pair in pairs]).astype(np.float32),
        weight=np.array([[pair[2]] for pair in pairs], np.float32),
        sums=sums,
    )


_Pair = tuple[int, float, NDArray[np.float64], NDArray[np.float64]]
"""Bone, weight, weighted offset (3,) and its shapedirs (3, 10)."""


def _pairs_of(model: BodyModel, landmark: int, rest: RestSkeleton) -> list[_Pair]:
    assert model.blazepose_regressor is not None
    row = model.blazepose_regressor[landmark].astype(np.float64)
    joint = LANDMARK_JOINTS.get(landmark)
    if joint is not None and np.array_equal(row, model.J_regressor[joint]):
        return [(joint, 1.0, np.zeros(3), np.zeros((3, NUM_BETAS)))]
    used = np.flatnonzero(row)
    shares = row[used, None] * model.weights[used]
    totals = shares.sum(0)
    bones = [bone for bone in range(NUM_SMPL_JOINTS) if totals[bone] >= LEAST_WEIGHT]
    kept = totals[bones].sum()
    pairs = []
    for bone in bones:
        share, total = shares[:, bone] / kept, totals[bone] / kept
        offset = share @ model.v_template[used] - total * rest.joints[bone]
        turned = np.einsum("v,vcb->cb", share, model.shapedirs[used]) - total * rest.shapedirs[bone]
        pairs.append((bone, float(total), offset, turned))
    return pairs
