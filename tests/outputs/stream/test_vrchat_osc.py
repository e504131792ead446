"""Covers VRChat's trackers as they arrive: addresses, places, and Euler angles in Unity's order."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from realtime_vibe.outputs.stream.address import Address
from realtime_vibe.outputs.stream.humanoid import BONES, HumanoidRoom
from realtime_vibe.outputs.stream.osc import MAX_DATAGRAM_BYTES
from realtime_vibe.outputs.stream.vrchat_osc import TRACKERS, VrchatSink, unity_euler_deg
from tests.outputs.stream.posed_body import random_result, result_of
from tests.outputs.stream.udp_receiver import UdpReceiver


def test_euler_angles_turn_about_z_then_x_then_y() -> None:
    turns = Rotation.random(500, rng=np.random.default_rng(0))
    x, y, z = unity_euler_deg(turns.as_matrix()).T
    rebuilt = Rotation.from_euler("YXZ", np.stack([y, x, z], axis=-1), degrees=True)
    assert np.degrees((rebuilt.inv() * turns).magnitude()).max() < 1e-3


def test_looking_straight_up_or_down_is_no_gap(subtests: pytest.Subtests) -> None:
    for y_deg in [0.0, 130.0]:
        for x_deg in [90.0, -90.0]:
            with subtests.test(y_deg=y_deg, x_deg=x_deg):
                turn = Rotation.from_euler("YXZ", [y_deg, x_deg, 20.0], degrees=True)
                x, y, z = unity_euler_deg(turn.as_matrix())
                rebuilt = Rotation.from_euler("YXZ", [y, x, z], degrees=True)
                assert np.degrees((rebuilt.inv() * turn).magnitude()) < 0.1


def test_what_arrives_is_where_the_joints_are() -> None:
    assert dict(TRACKERS) == {
        "1": "Hips",
        "2": "Chest",
        "3": "LeftFoot",
        "4": "RightFoot",
        "5": "LeftLowerLeg",
        "6": "RightLowerLeg",
        "7": "LeftLowerArm",
        "8": "RightLowerArm",
        "head": "Head",
    }
    room = HumanoidRoom()
    with (
        UdpReceiver() as receiver,
        VrchatSink(Address(host="127.0.0.1", port=receiver.port)).start() as sink,
    ):
        for index in range(5):
            result = random_result(index)
            pose = room.pose(result.people[0], result.frame.captured_at_s)
            sink.write(result)
            messages = dict(receiver.until("/tracking/trackers/head/rotation"))
            assert len(messages) == 18
            for name, bone in TRACKERS:
                at = BONES.index(bone)
                place = messages[f"/tracking/trackers/{name}/position"]
                np.testing.assert_allclose(place, pose.positions[at], atol=1e-5)
                x, y, z = messages[f"/tracking/trackers/{name}/rotation"]
                turn = Rotation.from_euler("YXZ", [y, x, z], degrees=True).as_matrix()
                np.testing.assert_allclose(turn, pose.rotations()[at], atol=1e-4)
        assert all(len(datagram) <= MAX_DATAGRAM_BYTES for datagram in receiver.datagrams)


def test_nothing_is_sent_while_nobody_is_seen() -> None:
    with UdpReceiver() as receiver:
        with VrchatSink(Address(host="127.0.0.1", port=receiver.port)).start() as sink:
            sink.write(result_of(0))
        receiver.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            receiver.socket.recv(65536)
