"""Clothes and hair made from the body's own vertices: widened and marked, in the rest pose.

Legend: V body vertices. Rest frame: y up, facing +z, left arm along +x [m].
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.body.joints import BLAZEPOSE_LANDMARK_NAMES, SMPL_JOINT_NAMES

FloatArray = NDArray[np.float32]

EYES = tuple(BLAZEPOSE_LANDMARK_NAMES.index(f"{side}_eye") for side in ("left", "right"))
EARS = tuple(BLAZEPOSE_LANDMARK_NAMES.index(f"{side}_ear") for side in ("left", "right"))
_HANDS = tuple(SMPL_JOINT_NAMES.index(f"{side}_hand") for side in ("left", "right"))


class Surface(IntEnum):
    """What a vertex is covered with."""

    SKIN = 0
    TOP = 1
    BOTTOM = 2
    SHOES = 3
    HAIR = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class RestBody:
    """A body of some shape in the rest pose, and what lies on it; dressing writes into that."""

    vertices: FloatArray
    """(V, 3)."""
    joints: FloatArray
    """(24, 3)."""
    landmarks: FloatArray
    """(33, 3) where BlazePose sees them."""
    owner: NDArray[np.intp]
    """(V,) the joint that moves each vertex most."""
    wrinkles: FloatArray
    """(V,) smooth noise in about -1 to 1."""
    surface: NDArray[np.uint8]
    """(V,) `Surface` of each vertex; skin where nothing lies."""
    offset_m: FloatArray
    """(V,) how far that stands off the skin."""

    def joint(self, name: str) -> FloatArray:
        """(3,) one of the joints."""
        place: FloatArray = self.joints[SMPL_JOINT_NAMES.index(name)]
        return place

    def owned_by(self, name: str) -> NDArray[np.bool_]:
        """(V,) which vertices a joint moves most."""
        is_owned: NDArray[np.bool_] = self.owner == SMPL_JOINT_NAMES.index(name)
        return is_owned


def dress(body: RestBody, rng: np.random.Generator) -> None:
    """Puts on a top, trousers and shoes, or leaves them out now and then."""
    if rng.random() < 0.93:
        _put_on_top(body, rng)
    _put_on_trousers(body, rng)
    if rng.random() < 0.85:
        is_shoe = body.vertices[:, 1] < body.joint("left_ankle")[1] - 0.01
        body.surface[is_shoe] = Surface.SHOES
        body.offset_m[is_shoe] = rng.uniform(0.002, 0.012)


def _put_on_top(body: RestBody, rng: np.random.Generator) -> None:
    """From the neck to about the hips, with sleeves of any length."""
    x, y = np.abs(body.vertices[:, 0]), body.vertices[:, 1]
    arm = [body.joint(f"left_{name}")[0] for name in ("shoulder", "elbow", "wrist")]
    sleeve = rng.choice([0.0, 0.5, 1.0, 1.9], p=[0.12, 0.43, 0.1, 0.35])
    reach = np.interp(sleeve, [0, 1, 2], [arm[0] + 0.01, arm[1], arm[2]])
    hem_y = body.joint("left_hip")[1] + rng.uniform(-0.08, 0.08)
    is_head = body.owned_by("head") | (body.owned_by("neck") & (y > body.joint("neck")[1] + 0.03))
    is_top = (x < reach) & (y > hem_y) & ~is_head & ~np.isin(body.owner, _HANDS)
    body.surface[is_top] = Surface.TOP
    body.offset_m[is_top] = _cloth(0.035, body.wrinkles[is_top], rng)


def _put_on_trousers(body: RestBody, rng: np.random.Generator) -> None:
    """From the waist to thigh, knee or ankle; under the top."""
    x, y = np.abs(body.vertices[:, 0]), body.vertices[:, 1]
    hip_y, knee_y, ankle_y = (body.joint(f"left_{name}")[1] for name in ("hip", "knee", "ankle"))
    cuff_y = rng.choice([0.5 * (hip_y + knee_y), knee_y, ankle_y + 0.02], p=[0.25, 0.1, 0.65])
    cuff_y += rng.uniform(-0.04, 0.08)
    is_bottom = (y <= body.joint("pelvis")[1] + 0.08) & (y > cuff_y)
    is_bottom &= (body.surface == Surface.SKIN) & (x < body.joint("left_shoulder")[0] + 0.1)
    body.surface[is_bottom] = Surface.BOTTOM
    body.offset_m[is_bottom] = _cloth(0.03, body.wrinkles[is_bottom], rng)


def _cloth(loosest_m: float, wrinkles: FloatArray, rng: np.random.Generator) -> FloatArray:
    loose = loosest_m * rng.random() ** 1.5
    offset_m: FloatArray = 0.003 + loose * np.clip(1 + 0.5 * wrinkles, 0, 2)
    return offset_m


def grow_hair(body: RestBody, rng: np.random.Generator) -> None:
    """A cap of hair: above the forehead in front, down to the neck behind."""
    ears, eyes = (body.landmarks[list(pair)].mean(axis=0) for pair in (EARS, EYES))
    is_head = body.owned_by("head")
    height, depth = body.vertices[:, 1], body.vertices[:, 2]
    hairline = eyes[1] + rng.uniform(0.35, 0.7) * (height[is_head].max() - eyes[1])
    nape = ears[1] - rng.uniform(-0.01, 0.08)
    share = np.clip((depth - ears[2]) / max(eyes[2] - ears[2], 1e-3), 0, 1)
    is_hair = is_head & (height > nape + share * (hairline - nape))
    # Ears stay out; between ear and hair the shell starts thin.
    rise = np.clip((height - nape) / 0.06, 0.15, 1.0)
    thick = rng.uniform(0.004, 0.045)
    body.surface[is_hair] = Surface.HAIR
    body.offset_m[is_hair] = (thick * rise * np.clip(1 + 0.4 * body.wrinkles, 0.3, 2))[is_hair]
