"""What outputs that move an avatar share: datagrams to one receiver, the leading person, the newest result."""

import errno
import ipaddress
import logging
import socket
from abc import abstractmethod
from typing import ClassVar

from realtime_vibe.outputs.person_lock import PersonLock
from realtime_vibe.outputs.stream.address import Address, resolve
from realtime_vibe.outputs.stream.humanoid import HumanoidRoom, LeadingPerson
from realtime_vibe.outputs.stream.newest_sender import NewestSender
from realtime_vibe.packets import FrameResult

logger = logging.getLogger(__name__)


class DatagramSender:
    """A UDP socket; a receiver that is missing on this computer is said once, and is no error.

    Raises:
        OutputError: the host is not known.
    """

    def __init__(self, address: Address, name: str = "") -> None:
        self._name = name or str(address)
        self._family, self._target = resolve(address)
        # Other hosts tell nothing reliable, and a socket bound to a network does not outlive it.
        self._is_local = ipaddress.ip_address(self._target[0]).is_loopback
        self._is_heard = True
        self._socket: socket.socket | None = None

    def send(self, datagrams: list[bytes]) -> None:
        """Sends the datagrams in order.

        Raises:
            OSError: the network takes none; a full buffer only loses this frame.
        """
        if self._socket is None:
            self._socket = _open(self._family)
            if self._is_local:
                self._socket.connect(self._target)
        is_refused = False
        for datagram in datagrams:
            try:
                if self._is_local:
                    self._socket.send(datagram)
                else:
                    self._socket.sendto(datagram, self._target)
            except (ConnectionRefusedError, ConnectionResetError):
                is_refused = True
            except BlockingIOError:
                return  # not fast enough: the next frame is newer anyway
        if datagrams:
            last = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            self._tell_whether_heard(not is_refused and last != errno.ECONNREFUSED)

    def close(self) -> None:
        """Frees the socket; may be called twice."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _tell_whether_heard(self, is_heard: bool) -> None:
        if is_heard == self._is_heard:
            return
        self._is_heard = is_heard
        if is_heard:
            logger.info("%s: a program listens there now", self._name)
        else:
            logger.warning(
                "%s: no program on this computer listens there; start the receiver, or look which "
                "port it shows",
                self._name,
            )


def _open(family: socket.AddressFamily) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_DGRAM)
    opened.setblocking(False)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)  # x.y.z.255 is allowed
    return opened


class AvatarSink(NewestSender):
    """Sends every result as datagrams.

    Args:
        mirror: moves the avatar as the person's image in a mirror.
        max_rate_hz: how often to send at most; None for every result.
        lock: whom the user chose; None for the largest person.

    Raises:
        OutputError: the host is not known.
    """

    protocol: ClassVar[str]
    delay_s: ClassVar[float] = 0.0
    """See `NewestSender`."""

    def __init__(
        self,
        address: Address,
        *,
        mirror: bool = False,
        max_rate_hz: float | None = None,
        lock: PersonLock | None = None,
    ) -> None:
        name = f"{self.protocol} {address}"
        sender = DatagramSender(address, name)
        self._room, self._leading = HumanoidRoom(mirror=mirror), LeadingPerson(lock)
        super().__init__(
            name,
            lambda result: sender.send(self.datagrams(result)),
            sender.close,
            max_rate_hz=max_rate_hz,
            delay_s=self.delay_s,
        )

    @abstractmethod
    def datagrams(self, result: FrameResult) -> list[bytes]:
        """What is sent for one result; only for the sender's own thread and for measuring."""
