"""Covers the binary and JSON frames of the stream: they hold what was tracked."""

import json
import time
from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from realtime_vibe.geometry.axes import T_WORLD_CAMERA
from realtime_vibe.outputs.stream.websocket_frames import (
    HEAD,
    MAGIC,
    PERSON_HEAD,
    Subscription,
    changed,
    encode,
)
from tests.outputs.stream.frame_reader import parse
from tests.outputs.stream.posed_body import random_person, result_of


def test_binary_frames_hold_what_was_tracked(subtests) -> None:
    for rotations in [True, False]:
        for vertices, tolerance_m in [("none", 0), ("float16", 1e-3), ("float32", 1e-6)]:
            with subtests.test(rotations=rotations, tolerance_m=tolerance_m, vertices=vertices):
                result = result_of(
                    7,
                    random_person(1),
                    random_person(2, track_id=5),
                    grabbed_at_s=time.perf_counter(),
                )
                wanted = Subscription(vertices=vertices, rotations=rotations)
                head, people = parse(encode(result, wanted))
                assert (head["index"], head["captured_at_s"]) == (7, 0.14)
                assert 0 < head["age_ms"] < 1000
                np.testing.assert_array_equal(head["world_camera"], T_WORLD_CAMERA[:3])
                pitched = replace(
                    result, T_world_camera=np.arange(16, dtype=np.float32).reshape(4, 4)
                )
                there, _ = parse(encode(pitched, wanted))
                np.testing.assert_array_equal(there["world_camera"], np.arange(12).reshape(3, 4))
                assert json.loads(encode(pitched, Subscription(format="json")))["world_camera"][
                    2
                ] == [
                    8,
                    9,
                    10,
                    11,
                ]
                assert [person["id"] for person in people] == [0, 5]
                for got, live in zip(people, result.people, strict=True):
                    np.testing.assert_array_equal(got["joints"], live.mesh.joints)
                    assert ("rotations" in got) == rotations
                    if rotations:
                        turns = Rotation.from_quat(got["rotations"]).as_matrix()
                        np.testing.assert_allclose(turns[0], live.params.global_orient, atol=1e-5)
                        np.testing.assert_allclose(turns[1:], live.params.body_pose, atol=1e-5)
                        np.testing.assert_array_equal(got["betas"], live.params.betas)
                    if tolerance_m:
                        placed = got["vertices"].astype(float) + live.mesh.joints[0]
                        assert np.abs(placed - live.mesh.vertices).max() <= tolerance_m


def test_the_written_layout_is_the_one_in_use() -> None:
    assert MAGIC == b"RVF1"
    assert (HEAD.size, PERSON_HEAD.size) == (88, 8)
    assert changed(Subscription(), {"rotations": False}).rotations is False
