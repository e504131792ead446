"""Covers the VMC stream as a receiver sees it: decoded by another library, posed, compared."""

import threading
from collections.abc import Iterable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from realtime_vibe.app.settings import SETTINGS
from realtime_vibe.errors import OutputError
from realtime_vibe.outputs.stream.address import Address
from realtime_vibe.outputs.stream.humanoid import BONE_PARENTS, BONES, HumanoidRoom
from realtime_vibe.outputs.stream.osc import MAX_DATAGRAM_BYTES
from realtime_vibe.outputs.stream.vmc import VmcSink, steady_quats_xyzw
from realtime_vibe.outputs.stream.vmc_avatar import read_avatar
from tests.outputs.stream.posed_body import random_person, random_result, result_of
from tests.outputs.stream.udp_receiver import Message, UdpReceiver, decode
from tests.outputs.stream.vrm_files import rest_positions, vrm_document, write_vrm

ROOT_MODES = SETTINGS["vmc_root"].kind.choices
NOWHERE = Address(host="127.0.0.1", port=9)


def _frame(messages: Iterable[Message]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Position and quaternion of each bone by name, and the root's position."""
    bones, root = {}, np.zeros(3)
    for address, arguments in messages:
        if address == "/VMC/Ext/Bone/Pos":
            bones[arguments[0]] = np.array(arguments[1:])
        if address == "/VMC/Ext/Root/Pos":
            assert arguments[0] == "root"
            assert arguments[4:] == (0, 0, 0, 1)
            root = np.array(arguments[1:4])
    return bones, root


def _sent(sink: VmcSink, *results) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """What the last of the results is sent as."""
    datagrams = [sink.datagrams(result) for result in results][-1]
    return _frame(message for datagram in datagrams for message in decode(datagram))


def _posed(bones: dict[str, np.ndarray], root: np.ndarray) -> np.ndarray:
    """(22, 3) joints in Unity's axes by plain forward kinematics."""
    turns: dict[int, Rotation] = {}
    places = np.zeros((22, 3))
    for index, (name, parent) in enumerate(zip(BONES, BONE_PARENTS, strict=True)):
        local = Rotation.from_quat(bones[name][3:])
        if parent < 0:
            turns[index], places[index] = local, root + bones[name][:3]
        else:
            turns[index] = turns[parent] * local
            places[index] = places[parent] + turns[parent].apply(bones[name][:3])
    return places


def _live(result) -> np.ndarray:
    """(22, 3) live joints with all axes of the camera turned round: Unity's, up to a translation."""
    return -result.people[0].mesh.joints[:22].astype(float)


@pytest.mark.parametrize("root_mode", ROOT_MODES)
def test_forward_kinematics_of_what_is_received_gives_the_live_joints(root_mode: str) -> None:
    results = [random_result(index) for index in range(30)]
    origin = None
    with (
        UdpReceiver() as receiver,
        VmcSink(Address(host="127.0.0.1", port=receiver.port), root_mode=root_mode).start() as sink,
    ):
        for result in results:
            sink.write(result)
            joints = _posed(*_frame(receiver.until("/VMC/Ext/T")))
            error = (joints - joints[0]) - (_live(result) - _live(result)[0])
            assert np.abs(error).max() < 1e-5  # [m]
            # Through the room as well: x and z by the first place, y by the floor.
            origin = joints[0] - _live(result)[0] if origin is None else origin
            shift = joints[0] - _live(result)[0] - origin
            assert np.abs(shift[[0, 2]]).max() < 1e-5
        assert all(len(datagram) <= MAX_DATAGRAM_BYTES for datagram in receiver.datagrams)


def test_every_frame_has_all_bones_with_the_types_receivers_ask_for() -> None:
    datagrams = VmcSink(NOWHERE).datagrams(random_result(0))
    messages = [message for datagram in datagrams for message in decode(datagram)]
    assert [address for address, _ in messages] == [
        "/VMC/Ext/Root/Pos",
        *["/VMC/Ext/Bone/Pos"] * 22,
        "/VMC/Ext/OK",
        "/VMC/Ext/T",
    ]
    for address, arguments in messages[:-2]:
        assert type(arguments[0]) is str, address
        assert [type(value) for value in arguments[1:]] == [float] * 7
    assert [arguments[0] for _, arguments in messages[1:-2]] == list(BONES)
    assert messages[-2][1] == (1, 3, 0, 1)
    assert all(type(value) is int for value in messages[-2][1])
    assert messages[-1][1] == (0.0,)


def test_the_last_pose_is_held_and_said_to_be_held_when_nobody_is_seen() -> None:
    sink = VmcSink(NOWHERE)
    before = [decode(datagram) for datagram in sink.datagrams(result_of(0))]
    assert [address for address, _ in before[0]] == ["/VMC/Ext/OK", "/VMC/Ext/T"]
    assert before[0][0][1][3] == 0
    seen = _sent(sink, random_result(1))[0]
    lost = [message for part in sink.datagrams(result_of(2)) for message in decode(part)]
    held, _ = _frame(lost)
    assert held.keys() == seen.keys()
    assert all((held[bone] == seen[bone]).all() for bone in seen)
    assert ("/VMC/Ext/OK", (1, 3, 0, 0)) in lost
    assert lost[-1][1][0] == pytest.approx(0.04)


def test_who_carries_the_body() -> None:
    results = [random_result(0), random_result(1)]
    sent = {mode: _sent(VmcSink(NOWHERE, root_mode=mode), *results) for mode in ROOT_MODES}
    hips = {mode: bones["Hips"][:3] for mode, (bones, _) in sent.items()}
    roots = {mode: root for mode, (_, root) in sent.items()}
    for mode in ROOT_MODES:
        np.testing.assert_allclose(
            hips[mode] + roots[mode], hips["hips"] + roots["hips"], atol=1e-5
        )
    assert (roots["hips"] == 0).all()
    np.testing.assert_allclose(hips["both"][[0, 2]], 0, atol=1e-5)
    assert roots["both"][1] == 0
    np.testing.assert_allclose(hips["root"][[0, 2]], 0, atol=1e-5)
    assert 0.5 < hips["root"][1] < 1.2  # the standing height


def test_an_avatar_turns_as_the_body_does(tmp_path: Path, subtests: pytest.Subtests) -> None:
    skeletons = product(
        (0, 1), ((), ("UpperChest",), ("Chest", "UpperChest", "LeftToes")), (None, 8)
    )
    for version, without, rotated in skeletons:
        with subtests.test(version=version, without=without, rotated=rotated):
            document, turns = vrm_document(version, without=without, rotated=rotated)
            avatar = read_avatar(write_vrm(tmp_path / "a.vrm", document))
            person = random_person(3)
            expected = HumanoidRoom().pose(person, 0.0).rotations()
            bones, _ = _sent(VmcSink(NOWHERE, avatar=avatar), result_of(0, person))
            assert set(bones) == set(BONES) - set(without)
            names = [node["name"] for node in document["nodes"]]
            parent_of = {names[child]: node["name"] for node in document["nodes"]
                         for child in node.get("children", ())}  # fmt: skip
            flip = np.diag([-1.0, 1, 1]) if version else np.diag([1.0, 1, -1])
            posed: dict[str, np.ndarray] = {}
            for node in sorted(document["nodes"], key=lambda node: _depth(node["name"], parent_of)):
                name = node["name"]
                above = posed.get(parent_of.get(name, ""), np.eye(3))
                stored = Rotation.from_quat(node.get("rotation", (0, 0, 0, 1))).as_matrix()
                local = Rotation.from_quat(bones[name][3:]).as_matrix() if name in bones else (
                    flip @ stored @ flip
                )  # fmt: skip
                posed[name] = above @ local
            top = [name for name in ("Spine", "Chest", "UpperChest") if name in bones][-1]
            for index, bone in enumerate(BONES):
                if bone not in bones:
                    continue
                # From the T-pose of the avatar each bone turned as the tracked body did from its own.
                source = BONES.index("UpperChest") if bone == top else index
                np.testing.assert_allclose(posed[bone] @ turns[bone].T, expected[source], atol=1e-5)


def _depth(name: str, parent_of: dict[str, str]) -> int:
    return 1 + _depth(parent_of[name], parent_of) if name in parent_of else 0


def test_an_avatar_keeps_its_bones_and_stands_on_the_floor(
    tmp_path: Path, subtests: pytest.Subtests
) -> None:
    for root_mode in ROOT_MODES:
        with subtests.test(root_mode=root_mode):
            document, turns = vrm_document(1, rotated=2)
            avatar = read_avatar(write_vrm(tmp_path / "a.vrm", document))
            sink = VmcSink(NOWHERE, avatar=avatar, root_mode=root_mode)
            standing, still = _sent(sink, random_result(0, spread=0.0))
            np.testing.assert_allclose(
                [standing[name][:3] for name in BONES[1:]], avatar.local_positions[1:], atol=1e-5
            )
            above, place = turns["armature"], np.array([0.02, 0.1, 0.3])
            hips = above @ standing["Hips"][:3] + place + still
            np.testing.assert_allclose(hips, rest_positions()[0], atol=1e-4)
            # A step of the body is a step of the avatar, in proportion to its legs.
            moved, root = _sent(sink, random_result(1, spread=0.0))
            step = above @ moved["Hips"][:3] + place + root - hips
            live = (_live(random_result(1, spread=0.0)) - _live(random_result(0, spread=0.0)))[0]
            scale = step[[0, 2]] / live[[0, 2]]
            assert scale[0] == pytest.approx(scale[1], rel=1e-3)
            assert 0.5 < scale[0] < 1.5


def test_quaternions_do_not_jump_in_sign() -> None:
    sink = VmcSink(NOWHERE)
    angles = np.linspace(0, 2 * np.pi, 60)
    last = None
    for index, angle in enumerate(angles):
        turn = Rotation.from_rotvec([0, angle, 0]).as_matrix().astype(np.float32)
        person = random_person(0, spread=0.0)
        person.params.global_orient[:] = turn @ person.params.global_orient
        quat = _sent(sink, result_of(index, person))[0]["Hips"][3:]
        assert last is None or np.abs(quat - last).max() < 0.1
        last = quat


def test_nobody_listening_is_no_trouble_and_no_thread_is_left(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with UdpReceiver() as receiver:
        port = receiver.port
    with VmcSink(Address(host="127.0.0.1", port=port)).start() as sink:
        name = f"vmc 127.0.0.1:{port}"
        assert name in {thread.name for thread in threading.enumerate()}
        for index in range(20):
            sink.write(random_result(index))
    sink.close()
    assert "keeps trying" not in caplog.text
    assert name not in {thread.name for thread in threading.enumerate()}


def test_an_unknown_host_is_said_before_anything_runs() -> None:
    with pytest.raises(OutputError, match=r"cannot find the host 'no-such\.invalid'"):
        VmcSink(Address(host="no-such.invalid", port=39539))


def test_random_rotations_are_those_of_scipy() -> None:
    turns = Rotation.random(1000, rng=np.random.default_rng(0))
    quats = steady_quats_xyzw(turns.as_matrix(), None)
    assert min(quat[3] for quat in quats) >= 0
    assert (Rotation.from_quat(quats).inv() * turns).magnitude().max() < 1e-7


def test_no_turn_and_half_turns_about_every_axis(subtests: pytest.Subtests) -> None:
    for angle in [0.0, 1e-6, np.pi - 1e-6, np.pi]:
        with subtests.test(angle=angle):
            axes = np.array(
                [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, -1, 1], [-1, 2, 3]], float
            )
            axes /= np.linalg.norm(axes, axis=1, keepdims=True)
            turns = Rotation.from_rotvec(angle * axes)
            quats = steady_quats_xyzw(turns.as_matrix().astype(np.float32), None)
            assert (Rotation.from_quat(quats).inv() * turns).magnitude().max() < 1e-6


def test_signs_follow_the_frame_before() -> None:
    angles = np.linspace(0, 4 * np.pi, 100)
    last = None
    for angle in angles:
        quats = steady_quats_xyzw(Rotation.from_rotvec([[0, angle, 0]]).as_matrix(), last)
        assert last is None or np.abs(np.subtract(quats, last)).max() < 0.1
        last = quats
