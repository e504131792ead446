"""Receives OSC datagrams and decodes them with python-osc, a library the program does not use."""

import socket
from typing import Any

from pythonosc.osc_bundle import OscBundle

from realtime_vibe.system.closing import ClosedByWith

Message = tuple[str, tuple[Any, ...]]


def decode(datagram: bytes) -> list[Message]:
    """(address, arguments) of every message of a bundle."""
    return [(message.address, tuple(message.params)) for message in OscBundle(datagram)]


class UdpReceiver(ClosedByWith):
    """A socket on a free port of this computer."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(5)
        self.port: int = self.socket.getsockname()[1]
        self.datagrams: list[bytes] = []

    def until(self, address: str, count: int = 1) -> list[Message]:
        """All messages up to the `count`-th one with that address."""
        messages: list[Message] = []
        while sum(message[0] == address for message in messages) < count:
            datagram = self.socket.recv(65536)
            self.datagrams.append(datagram)
            messages.extend(decode(datagram))
        return messages

    def close(self) -> None:
        """Frees the port."""
        self.socket.close()
