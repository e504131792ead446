"""One client of the web stream: whether there is room for it, how long it may leave data unread, and how much."""

import asyncio
import contextlib
from typing import Any

from websockets.asyncio.server import ServerConnection

READ_WITHIN_S = 3.0
"""A client whose socket takes nothing for so long is dropped [s]."""
MOST_UNREAD_BYTES = 4 << 20
"""A client that asks for answers while so much waits for it is dropped: more than any frame."""


class BoundedConnection(ServerConnection):
    """A connection that ends by itself when its client does not read.

    Whatever waits, a frame, a greeting or answers to pings, counts alike. The library's keep-alive cannot see it:
    its own ping waits behind the rest.

    Args:
        connected: all that are open, kept up to date here.
        most: a connection that finds so many is dropped at once.
    """

    def __init__(
        self, connected: "set[BoundedConnection]", most: int, *arguments: Any, **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self._connected, self._most = connected, most
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The beginning."""
        super().connection_made(transport)
        if len(self._connected) >= self._most:
            self.transport.abort()
        else:
            self._connected.add(self)

    def pause_writing(self) -> None:
        """The socket is full: its client has `READ_WITHIN_S` from now."""
        super().pause_writing()
        self._deadline = self.loop.call_later(READ_WITHIN_S, self.transport.abort)

    def resume_writing(self) -> None:
        """The client has read."""
        self._end_deadline()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """The end, from either side."""
        self._connected.discard(self)
        self._end_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Answers what came, as long as the client takes its answers."""
        super().data_received(data)
        if self.transport.get_write_buffer_size() > MOST_UNREAD_BYTES:
            self.transport.abort()

    def send_data(self) -> None:
        """Sends what the protocol has to say in one write, or drops it; an empty piece is the end.

        asyncio logs every write to a lost connection, and a client can ask for thousands of answers at once.
        """
        pieces = self.protocol.data_to_send()
        if self.transport.is_closing():
            return
        if data := b"".join(pieces):
            self.transport.write(data)
        if b"" in pieces:
            with contextlib.suppress(OSError, RuntimeError):
                self.transport.write_eof()

    def _end_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
