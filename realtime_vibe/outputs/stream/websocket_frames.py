"""What a WebSocket client gets: a greeting, then frames as bytes or JSON, in the form it asked for.

The layout of both forms is in docs/streaming.md.
"""

import json
import struct
import time
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from realtime_vibe.errors import ConfigError
from realtime_vibe.geometry.axes import T_WORLD_CAMERA
from realtime_vibe.geometry.rotation import quat_wxyz_from_rotmat
from realtime_vibe.geometry.smpl_joints import PARENTS, SMPL_JOINT_NAMES
from realtime_vibe.packets import FloatArray, FrameResult, PersonResult

PROTOCOL = 1
"""Changes with the layout."""
MAGIC = b"RVF1"
HEAD = struct.Struct("<4sIIIQdfI12f")
PERSON_HEAD = struct.Struct("<if")
ROTATIONS, VERTICES_F16, VERTICES_F32 = 1, 2, 4
"""Bits of `parts`."""

_VERTICES = {"none": 0, "float16": VERTICES_F16, "float32": VERTICES_F32}
_CHOICES: dict[str, tuple[Any, ...]] = {
    "format": ("binary", "json"),
    "vertices": tuple(_VERTICES),
    "rotations": (True, False),
}
_LEAST_RATE_HZ, _MOST_RATE_HZ = 0.1, 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What one client wants."""

    format: str = "binary"
    """`binary` or `json`."""
    vertices: str = "none"
    """`none`, `float16` or `float32`; the latter two are binary alone."""
    rotations: bool = True
    """Rotations and betas beside the joints."""
    rate: float | None = None
    """Frames per second at most; None for every frame."""


def changed(subscription: Subscription, wishes: dict[str, Any]) -> Subscription:
    """The subscription with a client's wishes, as JSON has them.

    Raises:
        ConfigError: a wish has an unknown name or a wrong value; one line for the client.
    """
    wishes = dict(wishes)
    for name, value in wishes.items():
        if name == "rate":
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            fits = value is None or (is_number and _LEAST_RATE_HZ <= value <= _MOST_RATE_HZ)
            expected = f"a number from {_LEAST_RATE_HZ} to {_MOST_RATE_HZ:g}"
        elif name in _CHOICES:
            choices = _CHOICES[name]
            if fits := value in choices:
                wishes[name] = choices[choices.index(value)]  # 0 is False
            expected = f"one of {', '.join(map(str, choices))}"
        else:
            raise ConfigError(f"unknown '{name}', expected {', '.join([*_CHOICES, 'rate'])}")
        if not fits:
            raise ConfigError(f"{name}: got {repr(value)[:60]}, expected {expected}")
    wanted = replace(subscription, **wishes)
    if wanted.format == "json" and wanted.vertices != "none":
        raise ConfigError("vertices come with format=binary only")
    return wanted


def greeting(num_faces: int, subscription: Subscription) -> str:
    """The first message of a connection, and the answer to every new subscription."""
    return json.dumps(
        {
            "type": "hello",
            "protocol": PROTOCOL,
            "units": "m",
            "axes": "camera: x right, y down, z forward",
            "rotations": "x y z w; the root relative to the camera, others to their parent",
            "joints": SMPL_JOINT_NAMES,
            "parents": PARENTS,
            "num_faces": num_faces,
            "faces": "/faces.bin",
            "subscription": asdict(subscription),
        }
    )


def refusal(message: str) -> str:
    """The answer to a message that was not understood."""
    return json.dumps({"type": "error", "message": message})


def encode(result: FrameResult, subscription: Subscription) -> bytes | str:
    """One frame in the form that was asked for."""
    if subscription.format == "json":
        return _json_frame(result, rotations=subscription.rotations)
    return _binary_frame(result, _VERTICES[subscription.vertices], subscription.rotations)


def _binary_frame(result: FrameResult, vertex_part: int, rotations: bool) -> bytes:
    num_vertices = len(result.people[0].mesh.vertices) if result.people and vertex_part else 0
    parts = vertex_part | (ROTATIONS if rotations else 0)
    frame = result.frame
    head = (len(result.people), num_vertices, parts, frame.index, frame.captured_at_s)
    world = _world_camera(result).reshape(-1).tolist()
    pieces = [HEAD.pack(MAGIC, *head, _age_ms(result), 0, *world)]
    for person in result.people:
        pieces.append(PERSON_HEAD.pack(person.person.track_id, person.person.score))
        pieces.append(person.mesh.joints.astype("<f4").tobytes())
        if rotations:
            pieces.append(_quats_xyzw(person).astype("<f4").tobytes())
            pieces.append(person.params.betas.astype("<f4").tobytes())
        if vertex_part:
            # Relative to the pelvis float16 is good to 0.5 mm; at three metres it would be 2 mm.
            near = person.mesh.vertices - person.mesh.joints[0]
            raw = near.astype("<f2" if vertex_part == VERTICES_F16 else "<f4").tobytes()
            pieces.append(raw + b"\0" * (-len(raw) % 4))
    return b"".join(pieces)


def _json_frame(result: FrameResult, *, rotations: bool) -> str:
    people = []
    for person in result.people:
        entry: dict[str, Any] = {
            "id": person.person.track_id,
            "score": round(float(person.person.score), 4),
            "joints": _rounded(person.mesh.joints),
        }
        if rotations:
            entry["rotations"] = _rounded(_quats_xyzw(person))
            entry["betas"] = _rounded(person.params.betas)
        people.append(entry)
    return json.dumps(
        {
            "type": "frame",
            "index": result.frame.index,
            "captured_at_s": round(result.frame.captured_at_s, 6),
            "age_ms": round(_age_ms(result), 3),
            "world_camera": _rounded(_world_camera(result)),
            "people": people,
        }
    )


def _world_camera(result: FrameResult) -> FloatArray:
    """(3, 4) from the camera's frame to the world; without calibration a level camera at the origin."""
    return T_WORLD_CAMERA[:3] if result.T_world_camera is None else result.T_world_camera[:3]


def _age_ms(result: FrameResult) -> float:
    return (time.perf_counter() - result.frame.grabbed_at_s) * 1e3


def _quats_xyzw(person: PersonResult) -> FloatArray:
    """(24, 4): the root relative to the camera, the others to their parent."""
    rotmats = np.concatenate([person.params.global_orient[None], person.params.body_pose])
    return quat_wxyz_from_rotmat(rotmats)[:, [1, 2, 3, 0]]


def _rounded(array: FloatArray) -> Any:
    return np.round(array.astype(np.float64), 5).tolist()
