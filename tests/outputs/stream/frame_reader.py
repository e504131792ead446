"""Reads the stream's binary frames, from the documented layout alone."""

import struct

import numpy as np


def parse(frame: bytes) -> tuple[dict, list[dict]]:
    """What stands before the people of a frame, and each person."""
    magic, num_people, num_vertices, parts, index, captured_at_s, age_ms, _ = struct.unpack_from(
        "<4sIIIQdfI", frame
    )
    assert magic == b"RVF1"
    at, people = 88, []

    def take(dtype: str, *shape: int) -> np.ndarray:
        nonlocal at
        array = np.frombuffer(frame, dtype, int(np.prod(shape)), at).reshape(shape)
        at += array.nbytes
        return array

    for _ in range(num_people):
        person = {"id": take("<i4", 1)[0], "score": take("<f4", 1)[0], "joints": take("<f4", 24, 3)}
        if parts & 1:
            person |= {"rotations": take("<f4", 24, 4), "betas": take("<f4", 10)}
        if parts & 6:
            person["vertices"] = take("<f2" if parts & 2 else "<f4", num_vertices, 3)
            at += -at % 4
        people.append(person)
    assert at == len(frame)
    world_camera = np.frombuffer(frame, "<f4", 12, 40).reshape(3, 4)
    head = {"index": index, "captured_at_s": captured_at_s, "age_ms": age_ms}
    return head | {"world_camera": world_camera}, people
