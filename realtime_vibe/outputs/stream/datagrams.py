"""Sends datagrams to one address and never waits for anybody."""

import socket

from realtime_vibe.outputs.stream.address import Address, resolve


class DatagramSender:
    """A UDP socket that is not connected: a missing receiver is no error then.

    Raises:
        OutputError: the host is not known.
    """

    def __init__(self, address: Address) -> None:
        self._family, self._target = resolve(address)
        self._socket: socket.socket | None = None

    def send(self, datagrams: list[bytes]) -> None:
        """Sends the datagrams in order.

        Raises:
            OSError: the network takes none; a full buffer only loses this frame.
        """
        if self._socket is None:
            self._socket = _open(self._family)
        for datagram in datagrams:
            try:
                self._socket.sendto(datagram, self._target)
            except (BlockingIOError, ConnectionRefusedError):
                return  # nobody listens, or not fast enough: the next frame is newer anyway

    def close(self) -> None:
        """Frees the socket; may be called twice."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _open(family: socket.AddressFamily) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_DGRAM)
    opened.setblocking(False)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)  # x.y.z.255 is allowed
    return opened
