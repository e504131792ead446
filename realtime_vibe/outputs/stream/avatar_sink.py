"""What outputs that move an avatar share: one receiver, the leading person, the newest result."""

from abc import abstractmethod
from typing import ClassVar

from realtime_vibe.outputs.person_lock import PersonLock
from realtime_vibe.outputs.stream.address import Address
from realtime_vibe.outputs.stream.datagrams import DatagramSender
from realtime_vibe.outputs.stream.humanoid import HumanoidRoom, LeadingPerson
from realtime_vibe.outputs.stream.newest_sender import NewestSender
from realtime_vibe.packets import FrameResult


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
