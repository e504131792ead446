"""The last bit onto the person: the posed body is moved until its landmarks lie where they are seen.

Network and smoothing leave the body some centimetres beside the tracker's landmarks. In closed form, from
the trunk outwards: the whole body is shifted, turned about the line of sight and brought nearer or farther (a
similarity of the image); then thighs, upper arms and neck, then shanks, forearms and head, then feet and hands
swing within the image plane. A little, and all but upper arms, feet and hands, they also turn out of it, for the
length that is seen: shoulders move with the collar bones, which is no turn of an upper arm. To which side of the
plane a limb points stays the network's: the image does not show it.

What is near enough is left alone, so that the tracker's jitter does not come back; what is hidden, or so far
off that it must be somebody else's, counts little.

Legend: K = 33 landmarks, L limbs.
"""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.body.joints import BLAZEPOSE_LANDMARK_NAMES, PARENTS, SMPL_JOINT_NAMES
from realtime_vibe.body.landmark_points import landmark_points
from realtime_vibe.body.skeleton import SmplSkeleton
from realtime_vibe.packets import (
    NUM_LANDMARKS,
    NUM_SMPL_JOINTS,
    FloatArray,
    PoseLandmarks,
    SmplParams,
)

ComplexArray = NDArray[np.complex64]
Steady = Callable[[int, FloatArray], FloatArray]
"""Level of limbs and their tilts (L,) [rad] to the tilts to use."""

_FREE_M = 0.002
"""Nearer than this the body, or a limb's end, is left where it is."""
_FREE_GROWTH, _MOST_GROWTH = 0.01, 0.15
_FARTHEST_M = 0.25
"""Landmarks beyond count for less and less."""
_HIDDEN, _SHOWN = 0.3, 0.7
"""Visibility from which a landmark counts, and from which it counts in full."""
_MOST_TURN_RAD = 0.5
_MOST_TILT_RAD = 0.3
_NEAREST_M = 0.2
_LEAST_LENGTH_M = 0.08
"""A limb that points at the camera shows no direction."""

_POINTS = NUM_SMPL_JOINTS + NUM_LANDMARKS
_ZERO = _POINTS + 3 * NUM_SMPL_JOINTS


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limbs:
    """Bones that swing at the same time."""

    joints: NDArray[np.intp]
    """(L,) SMPL joints that turn."""
    ends: FloatArray
    """(L, 33) weights of the landmarks at their far ends."""
    tilts: FloatArray
    """(L,) 1 where a limb may also turn out of the image plane, else 0."""
    limb_of: NDArray[np.intp]
    """(130,) the limb that carries each column of `_Posed`; L for none."""
    pivot_of: NDArray[np.intp]
    """(130,) the column that each then turns about; the last, which is zero, for directions and for none."""


def _limbs(ends: Mapping[str, tuple[str, ...]], in_plane: Collection[str] = ()) -> _Limbs:
    """Limbs by their joints, with the landmarks at their far ends; some stay in the image plane."""
    joints = [SMPL_JOINT_NAMES.index(name) for name in ends]
    weights = np.zeros((len(ends), NUM_LANDMARKS), np.float32)
    for row, landmarks in enumerate(ends.values()):
        for landmark in landmarks:
            weights[row, BLAZEPOSE_LANDMARK_NAMES.index(landmark)] = 1.0 / len(landmarks)
    limb_of_joint = np.full(NUM_SMPL_JOINTS, len(joints))
    for joint in range(1, NUM_SMPL_JOINTS):
        is_first = joint in joints
        limb_of_joint[joint] = joints.index(joint) if is_first else limb_of_joint[PARENTS[joint]]
    of_points = np.concatenate([limb_of_joint, limb_of_joint[list(_CARRIED_BY)]])
    of_directions = np.repeat(limb_of_joint, 3)
    return _Limbs(
        joints=np.array(joints),
        ends=weights,
        tilts=np.array([name not in in_plane for name in ends], np.float32),
        limb_of=np.concatenate([of_points, of_directions, [len(joints)]]),
        pivot_of=np.concatenate(
            [np.array([*joints, _ZERO])[of_points], np.full(len(of_directions) + 1, _ZERO)]
        ),
    )


_JOINT_OF_NAME = {
    "shoulder": "shoulder",
    "elbow": "elbow",
    "wrist": "wrist",
    "pinky": "hand",
    "index": "hand",
    "thumb": "hand",
    "hip": "hip",
    "knee": "knee",
    "ankle": "ankle",
    "heel": "ankle",
    "foot_index": "foot",
}
"""Landmarks of the limbs, and the joint that they move with when a limb above swings."""


def _carried_by(landmark: str) -> int:
    side, _, name = landmark.partition("_")
    joint = _JOINT_OF_NAME.get(name)
    return SMPL_JOINT_NAMES.index("head" if joint is None else f"{side}_{joint}")


_CARRIED_BY = tuple(_carried_by(name) for name in BLAZEPOSE_LANDMARK_NAMES)

_BOTH = ("left", "right")
_SHOULDERS = tuple(f"{side}_shoulder" for side in _BOTH)
_FACE = ("nose", "left_ear", "right_ear")
_HANDS_AND_FEET = {f"{side}_ankle": (f"{side}_foot_index",) for side in _BOTH} | {
    f"{side}_wrist": (f"{side}_index", f"{side}_pinky") for side in _BOTH
}
_LEVELS = (
    _limbs(
        {f"{side}_hip": (f"{side}_knee",) for side in _BOTH}
        | {f"{side}_shoulder": (f"{side}_elbow",) for side in _BOTH}
        | {"neck": _FACE},
        in_plane=_SHOULDERS,
    ),
    _limbs(
        {f"{side}_knee": (f"{side}_ankle",) for side in _BOTH}
        | {f"{side}_elbow": (f"{side}_wrist",) for side in _BOTH}
        | {"head": _FACE},
    ),
    _limbs(_HANDS_AND_FEET, in_plane=_HANDS_AND_FEET),
)
_WHOLE = np.zeros(NUM_LANDMARKS, np.float32)
for _name, _weight in {"shoulder": 1.0, "hip": 1.0, "knee": 0.6, "ankle": 0.6, "ear": 0.3}.items():
    for _side in _BOTH:
        _WHOLE[BLAZEPOSE_LANDMARK_NAMES.index(f"{_side}_{_name}")] = _weight
"""What each landmark says of where the whole body is: arms move for themselves."""
_PARENT = np.array([0, *PARENTS[1:]])


def as_measured(_level: int, tilts: FloatArray) -> FloatArray:
    """Tilts of each frame alone."""
    return tilts


class LandmarkFit:
    """Fits one body model; keeps nothing of one frame for the next.

    Raises:
        BodyModelError: the body does not say where BlazePose's landmarks are.
    """

    def __init__(self, body: SmplSkeleton) -> None:
        self._body = body
        self._points = landmark_points(body.model)

    def fitted(
        self,
        landmarks: PoseLandmarks,
        params: SmplParams,
        transl: FloatArray,
        image_size: tuple[int, int],
        focal_px: float,
        steady: Steady = as_measured,
    ) -> tuple[SmplParams, FloatArray]:
        """Pose and translation (3,) [m] whose landmarks lie nearer to the seen ones.

        Args:
            params: as network and smoothing say.
            transl: (3,) camera frame [m].
            image_size: (width, height) [px].
            focal_px: of the camera [px].
            steady: smooths over time what the picture shows least of.
        """
        pose = self._body.kinematics(params.global_orient, params.body_pose, params.betas)
        marks = self._points.posed(pose.rotations, pose.joints, params.betas)
        points = np.concatenate([pose.joints, marks]) + transl
        middle = 0.5 * np.array(image_size, np.float32)
        seen = _complex(landmarks.image_px[:, :2] - middle) / np.float32(focal_px)
        count = _unit((landmarks.visibility - _HIDDEN) / (_SHOWN - _HIDDEN))
        plane, depth = _complex(points), points[:, 2]
        whole = _similarity(plane[NUM_SMPL_JOINTS:], depth[NUM_SMPL_JOINTS:], seen, count * _WHOLE)
        posed = _Posed(np.zeros(_ZERO + 1, np.complex64), np.zeros(_ZERO + 1, np.float32))
        posed.plane[:_POINTS] = (plane - plane[0]) * whole.turn
        posed.plane[:_POINTS] += (plane[0] + whole.shift_m) / whole.growth
        posed.depth[:_POINTS] = depth + depth[0] * (1.0 / whole.growth - 1.0)
        columns = pose.rotations.transpose(0, 2, 1).reshape(-1, 3)
        posed.plane[_POINTS:_ZERO] = _complex(columns) * whole.turn
        posed.depth[_POINTS:_ZERO] = columns[:, 2]
        for level, limbs in enumerate(_LEVELS):
            posed = _swung(limbs, posed, (seen, count), partial(steady, level))
        turned = posed.plane[_POINTS:_ZERO]
        columns = np.stack([turned.real, turned.imag, posed.depth[_POINTS:_ZERO]], axis=1)
        rotations = columns.reshape(-1, 3, 3).transpose(0, 2, 1)
        local = rotations[_PARENT].transpose(0, 2, 1) @ rotations
        pelvis = posed.plane[0]
        place = np.array([pelvis.real, pelvis.imag, posed.depth[0]], np.float32)
        fitted = replace(params, global_orient=rotations[0], body_pose=local[1:])
        return fitted, place - pose.joints[0]


class _Posed(NamedTuple):
    """A posed skeleton, the image plane as complex numbers."""

    plane: ComplexArray
    """(130,) x + iy of 24 joints, of 33 landmarks [m], of the 72 columns of the joints' rotations, and a zero."""
    depth: FloatArray
    """(130,) z of the same."""


class _Similarity(NamedTuple):
    """What is done to the whole body in the image."""

    turn: complex
    """Of length 1."""
    growth: float
    shift_m: complex


_NOTHING = _Similarity(1.0 + 0.0j, 1.0, 0.0j)


def _similarity(
    plane: ComplexArray, depth: FloatArray, seen: ComplexArray, count: FloatArray
) -> _Similarity:
    """The weighted least-squares similarity of the image plane, one complex factor and a shift.

    Args:
        plane: (33,) x + iy of the posed landmarks [m].
        depth: (33,) [m].
        seen: (33,) tracked ones [focal lengths].
        count: (33,) weights.
    """
    depth = np.maximum(depth, _NEAREST_M)
    posed = plane / depth
    weight = count * _believed(np.abs(seen - posed) * depth)
    total = float(weight.sum())
    if total < 1.0:
        return _NOTHING
    mean_posed, mean_seen = weight @ posed / total, weight @ seen / total
    centered = posed - mean_posed
    spread = max(float(weight @ np.square(np.abs(centered))) / total, 1e-9)
    factor = complex((weight * centered.conj()) @ (seen - mean_seen)) / total / spread
    distance_m = float(weight @ depth) / total
    free_rad = _FREE_M / max(np.sqrt(spread) * distance_m, _FREE_M)
    angle = _beyond(np.angle(factor), free_rad, _MOST_TURN_RAD)
    shift_m = complex(mean_seen - mean_posed) * distance_m
    length_m = max(abs(shift_m), 1e-9)
    return _Similarity(
        turn=complex(np.exp(1j * angle)),
        growth=1.0 + float(_beyond(abs(factor) - 1.0, _FREE_GROWTH, _MOST_GROWTH)),
        shift_m=shift_m * float(_beyond(length_m, _FREE_M)) / length_m,
    )


def _swung(
    limbs: _Limbs,
    posed: _Posed,
    marks: tuple[ComplexArray, FloatArray],
    steady: Callable[[FloatArray], FloatArray],
) -> _Posed:
    """Turns each limb in the image plane towards where its end is seen, then out of it for its length there.

    Args:
        marks: (33,) where landmarks are seen [focal lengths], and how much each counts.
        steady: smooths (L,) tilts [rad] over time.
    """
    seen, count = marks
    pivots, pivot_depth = posed.plane[limbs.joints], posed.depth[limbs.joints]
    ends = limbs.ends @ posed.plane[NUM_SMPL_JOINTS:_POINTS]
    end_depth = np.maximum(limbs.ends @ posed.depth[NUM_SMPL_JOINTS:_POINTS], _NEAREST_M)
    have = ends - pivots
    want = (limbs.ends @ seen) * end_depth - pivots
    length = np.maximum(np.abs(have), 1e-6)
    sure = (limbs.ends @ count) * _believed(np.abs(want - have))
    angle = _beyond(np.angle(want * have.conj()), _FREE_M / np.maximum(length, _LEAST_LENGTH_M))
    # Short in the image: the limb points at the camera, and its direction there is noise.
    angle = angle * sure * _unit(length / _LEAST_LENGTH_M - 1.0)
    reach = length + _beyond(np.abs(want) - length, _FREE_M)
    rise = end_depth - pivot_depth
    steep = np.arctan2(rise, length)
    wanted = np.copysign(np.arccos(_unit(reach / np.hypot(length, rise))), rise)
    # Nearly in the plane a little length is much angle: there its noise would shake the limb.
    tilt = (wanted - steep) * sure * np.minimum(np.abs(np.sin(steep)) * 2.0, 1.0) * limbs.tilts
    tilt = steady(np.minimum(np.maximum(tilt, -_MOST_TILT_RAD), _MOST_TILT_RAD))
    turn = np.exp(1j * angle)
    return _moved(limbs, posed, _Moves(along=have / length * turn, turn=turn, tilt=tilt))


class _Moves(NamedTuple):
    """What is done to each of L limbs."""

    along: NDArray[np.complexfloating]
    """(L,) their direction in the image plane after the turn."""
    turn: NDArray[np.complexfloating]
    """(L,) in the plane."""
    tilt: NDArray[np.floating]
    """(L,) away from the camera [rad]."""


def _moved(limbs: _Limbs, posed: _Posed, moves: _Moves) -> _Posed:
    """Moves all that the limbs carry; what none carries stays."""
    carried = limbs.limb_of
    swings = np.ones((2, len(moves.turn) + 1), np.complex64)
    swings[0, :-1], swings[1, :-1] = moves.turn, moves.along
    turn, along = swings[:, carried]
    tilts = np.zeros(len(moves.tilt) + 1, np.float32)
    tilts[:-1] = moves.tilt
    cos, sin = np.cos(tilts)[carried], np.sin(tilts)[carried]
    pivot, pivot_depth = posed.plane[limbs.pivot_of], posed.depth[limbs.pivot_of]
    # In the plane of the line of sight and the limb's direction across it.
    local = (posed.plane - pivot) * turn * along.conj()
    depth = posed.depth - pivot_depth
    forward = local.real * cos - depth * sin
    plane = (forward + 1j * local.imag) * along + pivot
    return _Posed(plane, local.real * sin + depth * cos + pivot_depth)


def _believed(off_m: FloatArray) -> FloatArray:
    """(N,) in [0, 1] by how far (N,) landmarks are off [m]."""
    believed: FloatArray = np.exp(-np.square(off_m / _FARTHEST_M))
    return believed


def _beyond(
    values: NDArray[np.floating] | float, free: NDArray[np.floating] | float, most: float = math.inf
) -> NDArray[np.floating]:
    """What of values lies beyond the free range around 0, at most so much."""
    # Two ufuncs: np.clip takes several times as long on arrays this small.
    return np.copysign(np.minimum(np.maximum(np.abs(values) - free, 0.0), most), values)


def _unit(values: FloatArray) -> FloatArray:
    """The values within 0 and 1."""
    return np.minimum(np.maximum(values, 0.0), 1.0)


def _complex(points: NDArray[np.floating]) -> ComplexArray:
    """X + iy of (..., 2 or 3) points: turning about the line of sight is then one product."""
    return (points[..., 0] + 1j * points[..., 1]).astype(np.complex64)
