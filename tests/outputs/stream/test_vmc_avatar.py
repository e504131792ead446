"""Covers reading an avatar's rest pose from VRM files of both versions, and files that are none."""

import contextlib
import copy
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from realtime_vibe.errors import OutputError
from realtime_vibe.outputs.stream.humanoid import BONE_PARENTS, BONES
from realtime_vibe.outputs.stream.vmc_avatar import read_avatar
from tests.outputs.stream.vrm_files import rest_positions, vrm_document, write_vrm


def test_rest_pose_of_both_versions(tmp_path: Path, subtests: pytest.Subtests) -> None:
    for rotated in [None, 3]:
        for version in [0, 1]:
            with subtests.test(rotated=rotated, version=version):
                document, turns = vrm_document(version, rotated=rotated)
                avatar = read_avatar(write_vrm(tmp_path / "a.vrm", document))
                assert [BONES[bone] for bone in avatar.bones] == list(BONES)
                assert avatar.parents == BONE_PARENTS
                np.testing.assert_allclose(avatar.hips_m, [0, 0.9, 0], atol=1e-6)
                assert avatar.hips_above_feet_m == pytest.approx(0.88)
                expected = [turns[bone] for bone in BONES]
                np.testing.assert_allclose(avatar.rest, expected, atol=1e-6)
                # Chained over the nodes above, local positions lead to the rest positions.
                rest = rest_positions()
                steps = np.einsum("bij,bj->bi", avatar.above[1:3], avatar.local_positions[1:3])
                np.testing.assert_allclose(rest[1:3] - rest[0], steps, atol=1e-6)


def test_a_matrix_and_a_scale_mean_the_same_as_their_parts(tmp_path: Path) -> None:
    document, _ = vrm_document(1)
    plain = read_avatar(write_vrm(tmp_path / "a.vrm", document))
    armature = document["nodes"][0]
    x, y, z = armature.pop("translation")
    armature["matrix"] = [2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0, x, y, z, 1]
    hips = document["nodes"][1]
    hips["translation"] = [value / 2 for value in hips["translation"]]
    hips["scale"] = [0.5, 0.5, 0.5]
    scaled = read_avatar(write_vrm(tmp_path / "b.vrm", document))
    np.testing.assert_allclose(scaled.hips_m, plain.hips_m, atol=1e-6)
    np.testing.assert_allclose(scaled.rest, plain.rest, atol=1e-6)
    assert scaled.hips_above_feet_m == pytest.approx(plain.hips_above_feet_m)


def test_missing_chests_are_taken_over_by_the_bone_below(tmp_path: Path) -> None:
    document, _ = vrm_document(1, without=("Chest", "UpperChest", "Neck", "LeftToes"))
    avatar = read_avatar(write_vrm(tmp_path / "a.vrm", document))
    names = [BONES[bone] for bone in avatar.bones]
    spine, head = names.index("Spine"), names.index("Head")
    assert BONES[avatar.sources[spine]] == "UpperChest"
    assert avatar.parents[head] == spine
    assert avatar.parents[names.index("RightShoulder")] == spine
    assert "LeftToes" not in names


def _broken(change) -> dict:
    document, _ = vrm_document(1)
    document = copy.deepcopy(document)
    change(document)
    return document


BREAKS = {
    "no VRM part": lambda d: d.pop("extensions"),
    "lacks the bones Head": lambda d: _bones(d).pop("head"),
    "ring": lambda d: d["nodes"][12].setdefault("children", []).append(0),
    "damaged": lambda d: d["nodes"].clear(),
    "same node": lambda d: _bones(d)["head"].update(node=5),
    "m above its feet": lambda d: [node.update(translation=[0, 0, 0]) for node in d["nodes"]],
    "flat or mirrored": lambda d: d["nodes"][1].update(scale=[0, 1, 1]),
}


def _bones(document: dict) -> dict:
    return document["extensions"]["VRMC_vrm"]["humanoid"]["humanBones"]


def test_a_broken_avatar_is_one_clear_line(tmp_path: Path, subtests: pytest.Subtests) -> None:
    for message, damage in BREAKS.items():
        with subtests.test(message=message):
            path = write_vrm(tmp_path / "a.vrm", _broken(damage))
            with pytest.raises(OutputError, match=message) as caught:
                read_avatar(path)
            assert "a.vrm" in str(caught.value)
            assert "\n" not in str(caught.value)


def test_other_files_are_refused(tmp_path: Path, subtests: pytest.Subtests) -> None:
    for content in [
        b"",
        b"glTF",
        b"PK\x03\x04" + b"x" * 100,
        b"{}" * 50,
        struct.pack("<4sIII4s", b"glTF", 2, 99, 1 << 31, b"JSON"),
        struct.pack("<4sIII4s", b"glTF", 2, 99, 50, b"JSON") + b"{}",
        struct.pack("<4sIII4s", b"glTF", 2, 22, 2, b"JSON") + b"[]",
        struct.pack("<4sIII4s", b"glTF", 2, 22, 2, b"JSON") + b"\xff{",
    ]:
        with subtests.test(content=content):
            path = tmp_path / "a.vrm"
            path.write_bytes(content)
            with pytest.raises(OutputError, match="not a usable VRM avatar"):
                read_avatar(path)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.vrm", tmp_path):
        with pytest.raises(OutputError, match="not a usable VRM avatar"):
            read_avatar(path)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(20, 6000), st.binary(min_size=1, max_size=8))
def test_damage_anywhere_never_escapes_as_another_error(
    tmp_path: Path, at: int, patch: bytes
) -> None:
    path = write_vrm(tmp_path / "a.vrm", vrm_document(0)[0])
    raw = bytearray(path.read_bytes())
    raw[at : at + len(patch)] = patch
    path.write_bytes(raw)
    with contextlib.suppress(OutputError):
        read_avatar(path)


def test_a_chain_of_thousands_of_nodes_is_followed_once(tmp_path: Path) -> None:
    bones = ["Hips", "Spine", "Head"] + [
        side + bone
        for side in ("Left", "Right")
        for bone in ("UpperLeg", "LowerLeg", "Foot", "UpperArm", "LowerArm", "Hand")
    ]
    count = 3_000
    nodes: list[dict] = [
        {"children": [index + 1], "translation": [0, 3e-4, 0]} for index in range(count)
    ]
    nodes.append({"translation": [0, -1, 0]})
    listed = [
        {"bone": bone[0].lower() + bone[1:], "node": count - len(bones) + at}
        for at, bone in enumerate(bones)
    ]
    listed[bones.index("LeftFoot")]["node"] = count
    document = {"nodes": nodes, "extensions": {"VRM": {"humanoid": {"humanBones": listed}}}}
    path = write_vrm(tmp_path / "a.vrm", document)
    assert read_avatar(path).hips_m[1] == pytest.approx(count * 3e-4, abs=0.01)
