"""Covers the thread of network outputs: newest wins, rate, trouble that passes, an end without a rest."""

import logging
import socket
import threading
import time

import pytest

from realtime_vibe.outputs.stream.address import Address
from realtime_vibe.outputs.stream.avatar_sink import DatagramSender
from realtime_vibe.outputs.stream.newest_sender import NewestSender
from tests.outputs.stream.posed_body import result_of
from tests.outputs.stream.udp_receiver import UdpReceiver


class _Network:
    """Keeps the indexes it gets; can be slow or broken."""

    def __init__(self) -> None:
        self.sent: list[int] = []
        self.times_s: list[float] = []
        self.gate = threading.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.num_released = 0
        self.num_tries = 0

    def send(self, result) -> None:
        self.gate.wait(5)
        self.num_tries += 1
        if self.error is not None:
            raise self.error
        self.sent.append(result.frame.index)
        self.times_s.append(time.perf_counter())

    def release(self) -> None:
        self.num_released += 1


def _wait(condition) -> None:
    deadline_s = time.perf_counter() + 5
    while not condition():
        assert time.perf_counter() < deadline_s
        time.sleep(0.005)


def test_a_stuck_network_costs_the_writer_nothing_and_gets_the_newest() -> None:
    network = _Network()
    network.gate.clear()
    with NewestSender("net-a", network.send, network.release).start() as sender:
        started_s = time.perf_counter()
        for index in range(1000):
            sender.write(result_of(index))
        assert time.perf_counter() - started_s < 5.0  # a writer that waits would wait for ever
        network.gate.set()
        _wait(lambda: network.sent and network.sent[-1] == 999)
    assert len(network.sent) <= 3
    assert network.num_released == 1
    assert "net-a" not in {thread.name for thread in threading.enumerate()}


def test_the_rate_is_kept() -> None:
    network = _Network()
    with NewestSender("net-b", network.send, network.release, max_rate_hz=50).start() as sender:
        started_s = time.perf_counter()
        index = 0
        while time.perf_counter() - started_s < 0.6:
            sender.write(result_of(index))
            index += 1
            time.sleep(0.002)
    assert 5 <= len(network.sent) <= 33  # few on a machine with other work, never more
    assert network.sent == sorted(network.sent)


def test_trouble_is_logged_once_and_over_when_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    network = _Network()
    network.error = OSError(101, "Network is unreachable")
    with (
        caplog.at_level(logging.INFO, "realtime_vibe"),
        NewestSender("net-c", network.send, network.release).start() as sender,
    ):
        for index in range(20):
            sender.write(result_of(index))
            _wait(lambda index=index: network.num_tries == index + 1)
        network.error = None
        sender.write(result_of(20))
        _wait(lambda: network.sent)
    messages = [record.getMessage() for record in caplog.records]
    assert messages == [
        "net-c: Network is unreachable; it keeps trying",
        "net-c: sending again",
    ]


def test_a_bug_ends_the_sender_alone(caplog: pytest.LogCaptureFixture) -> None:
    network = _Network()
    network.error = ZeroDivisionError("oops")
    sender = NewestSender("net-d", network.send, network.release).start()
    sender.write(result_of(0))
    _wait(lambda: network.num_released == 1)
    sender.write(result_of(1))
    sender.close()
    assert "net-d has ended: ZeroDivisionError('oops')" in caplog.text


def test_closing_without_a_start_and_closing_during_a_long_rest() -> None:
    network = _Network()
    NewestSender("net-e", network.send, network.release).close()
    assert network.num_released == 1
    sender = NewestSender("net-f", network.send, network.release, max_rate_hz=0.1).start()
    sender.write(result_of(0))
    _wait(lambda: network.sent)
    started_s = time.perf_counter()
    sender.close()
    assert time.perf_counter() - started_s < 5.0  # of 10


def test_a_receiver_that_is_missing_comes_and_goes_is_said_each_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with UdpReceiver() as gone:
        port = gone.port
    caplog.set_level(logging.INFO)
    datagrams = DatagramSender(Address(host="127.0.0.1", port=port), "net-g")
    for _ in range(3):
        datagrams.send([b"a", b"b"])
        datagrams.send([])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", port))
        for _ in range(3):
            datagrams.send([b"c"])
        assert [receiver.recv(9) for _ in range(3)] == [b"c"] * 3
    datagrams.close()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert caplog.text.count("net-g") == 2


def test_an_address_nothing_can_be_sent_to_is_an_error_of_the_network() -> None:
    datagrams = DatagramSender(Address(host="127.0.0.1", port=9))
    with pytest.raises(OSError, match="too long"):
        datagrams.send([b"x" * 70000])
    datagrams.close()
    datagrams.close()
