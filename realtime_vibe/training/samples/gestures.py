"""Arms that do what people in front of a camera do: hang, lie in the lap, type, touch the face, talk.

Recorded clips hold few of these. Both hands go from place to place on minimum-jerk paths (Flash and Hogan
1985), hold, and go on; arms follow by inverse kinematics in the chest's frame, so that a hand at the
chin stays there while the head turns. Legend: N frames at `POOL_RATE_HZ`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.geometry.rotation import (
    axis_angle_from_rotmat,
    rotmat_from_axis_angle,
    rotmat_from_quat_wxyz,
    slerp_wxyz,
)
from realtime_vibe.geometry.smpl_skeleton import REST_JOINTS_M
from realtime_vibe.training.datasets.clip import (
    POOL_RATE_HZ,
    FloatArray,
    continuous,
    one_hemisphere,
)
from realtime_vibe.training.datasets.limb_angles import KNEES, hip_flexion_deg
from realtime_vibe.training.samples.arm_ik import ArmPose, left_arm_quats
from realtime_vibe.training.samples.arm_targets import (
    GRAVITY_AT,
    HEAD_AT,
    NECK_AT,
    TARGETS,
    BodyFrames,
    outside_trunk,
    placed,
)
from realtime_vibe.training.samples.pose_variation import minimum_jerk

Array = NDArray[np.float64]

ARM_JOINTS = (13, 14, 16, 17, 18, 19, 20, 21)
"""Collars, shoulders, elbows, wrists; left before right."""
_LEFT, _RIGHT = (0, 2, 4, 6), (1, 3, 5, 7)
_MIRROR_QUAT = np.array([1.0, 1.0, -1.0, -1.0])
_MIRROR = np.diag([-1.0, 1.0, 1.0])
_SEATED_HIP_DEG = 45.0
_LARGEST_NECK_TURN_RAD, _LARGEST_HEAD_TURN_RAD = np.deg2rad(28.0), np.deg2rad(45.0)
"""Hands at the head go with it up to these turns: the other shoulder's side is out of their reach."""
_LARGEST_LEAN_RAD = np.deg2rad(60.0)
"""Hanging arms follow gravity up to this lean of the chest, and the chest from there on."""
_HOLD_S = (0.3, 6.0)
_SPEED_M_PER_S = (0.5, 1.6)
_SHORTEST_MOVE_FRAMES, _USUAL_MOVE_FRAMES, _LONGEST_MOVE_FRAMES = 18, 36, 72
_SWAY_M = 0.004

_HANDS_AT_HEAD = ("chin", "cheek", "ear", "mouth", "glasses", "hair")
_ACTIONS = (*_HANDS_AT_HEAD, "wave", "phone", "talk", "forward", "aside", "raised")
_STANDING_PAIRS: Mapping[tuple[str, str], float] = {
    ("hang", "hang"): 8.0, ("talk", "talk"): 2.5, ("hip", "hip"): 1.2, ("hang", "hip"): 0.6,
    ("pocket", "pocket"): 0.7, ("hang", "pocket"): 0.5, ("folded_low", "folded_high"): 1.6,
    ("clasp_front", "clasp_front"): 1.4, ("clasp_back", "clasp_back"): 0.8,
    ("behind_head", "behind_head"): 0.7, ("raised", "raised"): 0.7, ("forward", "forward"): 0.7,
    ("phone", "phone"): 0.6, ("mouth", "mouth"): 0.3, ("hair", "hair"): 0.4, ("aside", "aside"): 0.4,
    **{("hang", action): 0.6 for action in _ACTIONS},
}  # fmt: skip
_SITTING_PAIRS: Mapping[tuple[str, str], float] = {
    ("lap", "lap"): 5.0, ("keyboard", "keyboard"): 5.0, ("keyboard", "mouse"): 2.0, ("desk", "desk"): 2.0,
    ("talk", "talk"): 2.0, ("folded_low", "folded_high"): 1.5, ("hang", "hang"): 1.0,
    ("behind_head", "behind_head"): 0.9, ("chin", "desk"): 1.2, ("chin", "folded_low"): 0.6,
    ("phone", "phone"): 0.8, ("raised", "raised"): 0.4, ("forward", "forward"): 0.4,
    ("mouth", "mouth"): 0.3, ("hair", "hair"): 0.4,
    **{(rest, action): 0.35 for action in _ACTIONS for rest in ("lap", "desk")},
}  # fmt: skip
"""What left and right hand do at a time, or right and left, and how often."""


def gesturing_arms(quats: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Local rotations of `ARM_JOINTS` for a body that is otherwise known.

    Args:
        quats: (N, 24, 4) local rotations of the whole body, wxyz; its arms are not looked at.

    Returns:
        (N, 8, 4) unit quaternions, neighbours in one hemisphere.
    """
    left, right = _body_frames(quats)
    tracks = _schedule(quats, rng)
    arms = np.empty((len(quats), len(ARM_JOINTS), 4))
    arms[:, _LEFT] = _followed(tracks[0], left, rng)
    arms[:, _RIGHT] = _followed(tracks[1], right, rng) * _MIRROR_QUAT
    return continuous(arms.astype(np.float32))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stay:
    """A hand at a place."""

    target: str
    until: int
    """Frame in which it leaves."""


def _schedule(quats: FloatArray, rng: np.random.Generator) -> tuple[list[_Stay], list[_Stay]]:
    """What each hand does one after the other, left and right."""
    flexion = np.mean([hip_flexion_deg(quats, knee) for knee in KNEES], axis=0)
    tracks: tuple[list[_Stay], list[_Stay]] = ([], [])
    frame = 0
    while frame < len(quats):
        pairs = _SITTING_PAIRS if flexion[frame] > _SEATED_HIP_DEG else _STANDING_PAIRS
        names, weights = list(pairs), np.array(list(pairs.values()))
        pair = names[int(rng.choice(len(names), p=weights / weights.sum()))]
        if rng.random() < 0.5:
            pair = pair[::-1]
        longest = min(TARGETS[name].longest_s for name in pair)
        hold_s = np.exp(rng.uniform(np.log(_HOLD_S[0]), np.log(min(longest, _HOLD_S[1]))))
        frame += _USUAL_MOVE_FRAMES + round(hold_s * POOL_RATE_HZ)
        for track, name in zip(tracks, pair, strict=True):
            track.append(_Stay(target=name, until=frame + int(rng.integers(0, 12))))
    return tracks


def _followed(track: list[_Stay], frames: BodyFrames, rng: np.random.Generator) -> Array:
    """(N, 4, 4) the left arm over time: at each place until it leaves, then on to the next.

    Moves go through the joints' angles: hands then swing in arcs, clear of the trunk, as people's do.
    """
    size = len(frames.origin["chest"])
    speed = rng.uniform(*_SPEED_M_PER_S)
    arm = np.empty((size, 4, 4))
    begin, arrived, last_place = 0, 0, None
    for number, stay in enumerate(track):
        # It is still here in part while it moves on, so the pose is needed until then.
        end = min(size, stay.until + _LONGEST_MOVE_FRAMES) if number + 1 < len(track) else size
        if begin >= size:
            break
        rows = slice(begin, end)
        pose = _at_place(stay, frames.rows(rows), rng)
        quats = one_hemisphere(left_arm_quats(pose))
        if last_place is not None:
            way = float(np.linalg.norm(pose.wrist[0] - last_place))
            move = np.clip(way / speed * POOL_RATE_HZ, _SHORTEST_MOVE_FRAMES, _LONGEST_MOVE_FRAMES)
            share = minimum_jerk(np.arange(end - begin), float(move))
            overlap = arrived - begin
            quats[:overlap] = slerp_wxyz(arm[begin:arrived], quats[:overlap], share[:overlap])
        arm[rows] = one_hemisphere(quats)
        begin, arrived = stay.until, end
        if begin < size:
            last_place = pose.wrist[begin - rows.start]
    return arm


def _at_place(stay: _Stay, frames: BodyFrames, rng: np.random.Generator) -> ArmPose:
    pose = _with_strokes(placed(TARGETS[stay.target], frames, rng), stay, rng)
    return pose._replace(wrist=outside_trunk(pose.wrist + _sway(len(pose.wrist), rng)))


def _with_strokes(pose: ArmPose, stay: _Stay, rng: np.random.Generator) -> ArmPose:
    """Adds the small fast movements that a place is used for."""
    target = TARGETS[stay.target]
    if target.stroke_m == 0.0:
        return pose
    rate = target.stroke_hz * rng.uniform(0.7, 1.3)
    phase = 2 * np.pi * rate * np.arange(len(pose.wrist)) / POOL_RATE_HZ
    across = rng.standard_normal((2, 3)) * [1.0, 0.6, 0.6] * target.stroke_m
    moves = np.sin(phase)[:, None] * across[0] + np.sin(1.7 * phase + 1)[:, None] * across[1]
    return pose._replace(wrist=pose.wrist + moves)


def _sway(size: int, rng: np.random.Generator) -> Array:
    """(N, 3) slow drift of a hand that is held still [m]."""
    rates, phases = rng.uniform(0.1, 0.7, (3, 3)), rng.uniform(0, 2 * np.pi, (3, 3))
    time_s = np.arange(size)[:, None, None] / POOL_RATE_HZ
    drift: Array = _SWAY_M * np.sin(2 * np.pi * rates * time_s + phases).sum(axis=1)
    return drift


def _body_frames(quats: FloatArray) -> tuple[BodyFrames, BodyFrames]:
    """What both hands are held to: as the left arm sees it, and as the right one does in a mirror."""
    turn = rotmat_from_quat_wxyz(quats.astype(np.float64))
    pelvis_to_chest = turn[:, 3] @ turn[:, 6] @ turn[:, 9]
    pelvis = np.swapaxes(pelvis_to_chest, -1, -2)
    neck = _limited(turn[:, 12], _LARGEST_NECK_TURN_RAD)
    head = _limited(turn[:, 12] @ turn[:, 15], _LARGEST_HEAD_TURN_RAD)
    sides = []
    for mirror, hip in ((np.eye(3), KNEES[0]), (_MIRROR, KNEES[1])):
        thigh = pelvis @ turn[:, hip.upper] @ _THIGH_FORWARD
        pelvis_at = -np.einsum("nij,nj->ni", pelvis, _chest_in_pelvis(turn))
        hip_at = pelvis_at + pelvis @ (REST_JOINTS_M[hip.upper] - REST_JOINTS_M[0])
        identity = np.broadcast_to(np.eye(3), pelvis.shape)
        sides.append(
            BodyFrames(
                origin={
                    "chest": np.zeros((len(turn), 3)),
                    "head": (NECK_AT + neck @ HEAD_AT) @ mirror,
                    "pelvis": pelvis_at @ mirror,
                    "thigh": hip_at @ mirror,
                    "gravity": np.broadcast_to(GRAVITY_AT, (len(turn), 3)),
                },
                rotmat={
                    "chest": identity,
                    "head": mirror @ head @ mirror,
                    "pelvis": mirror @ pelvis @ mirror,
                    "thigh": mirror @ thigh @ mirror,
                    "gravity": mirror @ _upright(turn[:, 0] @ pelvis_to_chest) @ mirror,
                },
            )
        )
    return sides[0], sides[1]


_THIGH_FORWARD = np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])
"""Axes of a thigh on a chair: z along the bone to the knee, y up from its upper side."""


def _chest_in_pelvis(turn: Array) -> Array:
    """(N, 3) the chest's joint in the pelvis' frame."""
    spine2 = turn[:, 3] @ (REST_JOINTS_M[6] - REST_JOINTS_M[3])
    spine3 = turn[:, 3] @ turn[:, 6] @ (REST_JOINTS_M[9] - REST_JOINTS_M[6])
    at: Array = REST_JOINTS_M[3] - REST_JOINTS_M[0] + spine2 + spine3
    return at


def _limited(rotmat: Array, limit_rad: float) -> Array:
    turn = axis_angle_from_rotmat(rotmat)
    angle = np.linalg.norm(turn, axis=-1, keepdims=True)
    return rotmat_from_axis_angle(turn * np.minimum(1.0, limit_rad / np.maximum(angle, 1e-6)))


def _upright(chest: Array) -> Array:
    """(N, 3, 3) turns the chest's own up to the world's, in the chest's frame, up to a limit."""
    up = chest[:, 2]  # the world's z in the chest's axes
    own = np.array([0.0, 1.0, 0.0])
    cross = np.cross(own, up)
    sine = np.linalg.norm(cross, axis=-1, keepdims=True)
    angle = np.arctan2(sine, up[:, 1:2])
    held = np.minimum(np.minimum(angle, _LARGEST_LEAN_RAD), np.pi - angle)
    return rotmat_from_axis_angle(cross / np.maximum(sine, 1e-9) * held)
