"""Where the origin of a take lies: on the floor below the person's first place, or at the camera.

The rows stay as they are, only their `world_camera` changes, so that every format agrees. Legend: N rows,
2 feet, K contact points of a foot.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.geometry.rotation import rotmat_from_rot6d
from realtime_vibe.outputs.record.recording_spool import Rows
from realtime_vibe.outputs.record.row_blocks import Numbers, TakeRows
from realtime_vibe.outputs.record.take_rows import WORLD_CAMERA, SkinnedBody, people_of
from realtime_vibe.packets import FloatArray

_CHAINS = ((0, 1, 4, 7), (0, 2, 5, 8))
"""From the pelvis to the left and to the right ankle."""
_TOES = (10, 11)
_POINTS = 24
"""Vertices of a sole that stand for all of it."""
_ANKLE_ABOVE_SOLE_M, _BALL_M = 0.075, 0.13
"""Of a body whose mesh is not known: height of the ankle, and how far the ball lies in front of it."""
_STANDS_M_S = 0.5
"""A foot that is slower across the line of sight stands."""
_MIN_STANDING = 5
_LEAP = 0.05
"""Change of an axis from one row to the next by which a world that is level again is another one."""


def with_origin(rows: TakeRows, origin: str, skin: SkinnedBody | None) -> TakeRows:
    """The rows in one world, z up, that begins at the stated place.

    While the camera's tilt is still being estimated the world turns from row to row; the last and best
    estimate holds for all of them. A calibration made meanwhile, and a cut to another scene, begin a world of their
    own, which goes on where the one before it ended.

    Args:
        origin: `floor`: feet stand on z = 0, by the calibrated floor or else where they stood most of the time,
            and the person who is seen longest starts above x = y = 0. `camera`: the camera is the origin.
        skin: the recorded body, for its soles; None: usual feet.
    """
    cameras = rows.index["world_camera"]
    placed = np.array(cameras)
    people = people_of(rows.index)
    own = people[0] if people else np.zeros(0, np.intp)
    before: FloatArray | None = np.zeros(2, np.float32)
    for part in _worlds(cameras):
        world = np.array(cameras[part.stop - 1])
        seen = own[slice(*np.searchsorted(own, (part.start, part.stop)))]
        if origin == "camera":
            world[:, 3] = 0.0
        elif len(seen):
            if world[2, 3] == 0.0:  # a camera whose height nobody measured
                world[2, 3] = -_floor_m(rows, seen, world[2, :3], skin)
            ends = rows.load(seen[[0, -1]])
            pelvises = ends["joints_camera"][:, 0] @ world[:2, :3].T
            world[:2, 3] = before - pelvises[0]
            before = pelvises[1] + world[:2, 3]
        placed[part] = world
    return rows.in_world(placed)


def _worlds(cameras: FloatArray) -> list[slice]:
    """Runs of rows whose worlds only turn: a calibration moves the origin as well, another scene is level at first."""
    moved = (cameras[:-1, :, 3] != cameras[1:, :, 3]).any(axis=1)
    leaps = np.abs(cameras[1:] - cameras[:-1]).max(axis=(1, 2)) > _LEAP
    is_level = (cameras[1:] == WORLD_CAMERA).all(axis=(1, 2))
    cuts = np.flatnonzero(moved | (leaps & is_level)) + 1
    bounds = [0, *cuts.tolist(), len(cameras)]
    return [slice(start, stop) for start, stop in pairwise(bounds)]


def _floor_m(rows: TakeRows, seen: Numbers, up: FloatArray, skin: SkinnedBody | None) -> float:
    """Height along `up` on which a person's feet stand [m], camera frame; the lower foot's where none does."""
    betas = rows.load(seen[-1:])["betas"][0]
    soles = [_sole(skin, foot, betas) for foot in range(len(_CHAINS))]
    blocks = [
        (_sole_heights(block, up, soles), block["joints_camera"][:, list(_TOES)])
        for block in rows.blocks(seen)
    ]
    heights = np.concatenate([heights for heights, _ in blocks])
    toes = np.concatenate([toes for _, toes in blocks])
    lower = np.argmin(heights, axis=1)
    speeds = _speeds(toes, rows.index["timestamp_s"][seen])
    is_standing = speeds[np.arange(len(seen)), lower] < _STANDS_M_S
    if np.count_nonzero(is_standing) < _MIN_STANDING:
        is_standing[:] = True
    return float(np.median(heights.min(axis=1)[is_standing]))


def _speeds(places: FloatArray, times_s: NDArray[np.float64]) -> FloatArray:
    """(N, 2) of the feet across the line of sight [m/s]: how far away they are is not known so well."""
    directions = places[..., :2] / np.maximum(places[..., 2:], 0.1)
    depth_m = float(np.median(places[..., 2]))
    steps_s = np.maximum(np.diff(times_s), 1e-3)[:, None]
    speeds = depth_m * np.linalg.norm(np.diff(directions, axis=0), axis=-1) / steps_s
    return np.asarray(np.concatenate([speeds[:1], speeds]) if len(speeds) else np.zeros((1, 2)))


def _sole_heights(rows: Rows, up: FloatArray, soles: list[FloatArray]) -> FloatArray:
    """(n, 2) of each foot's lowest point along `up` [m]."""
    columns = []
    for chain, sole in zip(_CHAINS, soles, strict=True):
        rotmats = rotmat_from_rot6d(rows["rot6d"][:, chain])
        turned = rotmats[:, 0]
        for link in range(1, len(chain)):
            turned = turned @ rotmats[:, link]
        ankle_m = rows["joints_camera"][:, chain[-1]] @ up
        columns.append(ankle_m + (np.einsum("c,ncd->nd", up, turned) @ sole.T).min(axis=1))
    return np.stack(columns, axis=1)


def _sole(skin: SkinnedBody | None, foot: int, betas: FloatArray) -> FloatArray:
    """(K, 3) points under a foot, from its ankle, in the rest pose [m]."""
    ankle, toe = _CHAINS[foot][-1], _TOES[foot]
    if skin is None:
        below, ball = -_ANKLE_ABOVE_SOLE_M, _BALL_M
        return np.array([[0, below, -0.3 * ball], [0, below, ball]], np.float32)
    own = skin.weights[:, ankle] + skin.weights[:, toe] > 0.5
    points = skin.v_template[own] + skin.shapedirs[own] @ betas - skin.rest_joints(betas)[ankle]
    lowest = np.argsort(points[:, 1])[: len(points) // 3]
    # Spread over the length of the foot: the lowest of each piece.
    pieces = np.array_split(lowest[np.argsort(points[lowest, 2])], _POINTS)
    picked: NDArray[np.intp] = np.array([p[np.argmin(points[p, 1])] for p in pieces if len(p)])
    return np.asarray(points[picked], np.float32)
