"""Streams results to WebSocket clients and serves the page that draws them, all on one port.

Every client has a task that waits for its own socket: one that is slow gets the newest frame when it is
ready again, one that never reads holds a single frame and loses its place after seconds (`websocket_connection.py`).
"""

import asyncio
import contextlib
import errno
import json
import logging
import math
import os
import socket
import threading
from collections.abc import Iterable
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import numpy as np
from numpy.typing import NDArray
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers, MultipleValuesError
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from realtime_vibe.errors import ConfigError, OutputError
from realtime_vibe.outputs.stream.address import Address, resolve
from realtime_vibe.outputs.stream.newest_sender import AFTER_AVATARS_S, NewestSender
from realtime_vibe.outputs.stream.websocket_connection import BoundedConnection
from realtime_vibe.outputs.stream.websocket_frames import (
    Subscription,
    changed,
    encode,
    greeting,
    refusal,
)
from realtime_vibe.outputs.stream.websocket_pages import is_our_host, is_our_page, page
from realtime_vibe.packets import FrameResult
from realtime_vibe.system.closing import ClosedByWith
from realtime_vibe.system.threads import Worker

logger = logging.getLogger(__name__)

STREAM_PATH = "/stream"
MAX_CLIENTS = 16
MAX_CONNECTIONS = 64
"""Those that have not asked for anything yet among them: each is an open file, and recordings need some, too."""
_MAX_MESSAGE_BYTES = 4096
_WRITE_LIMIT_BYTES = 64 << 10
_KEEP_ALIVE_S = 10.0
_OPEN_S, _CLOSE_S = 3.0, 0.5
"""How long a client may take to say what it wants, and to say goodbye [s]."""
_JOIN_S = 5.0


class WebStream(ClosedByWith):
    """The server of a body's (F, 3) faces and its frames, at most so many a second for every client."""

    def __init__(
        self, address: Address, faces: NDArray[np.integer], *, max_rate_hz: float | None = None
    ) -> None:
        self._address = address
        self._max_rate_hz = max_rate_hz
        self._faces = faces.astype("<u4").tobytes()
        self._num_faces = len(faces)
        self._worker = Worker(f"web {address}", lambda: asyncio.run(self._serve()), self._finish)
        # Waking the loop writes to a socket and gives up the interpreter's lock meanwhile; the other
        # outputs take it, and inference would wait for all of their work.
        self._courier = NewestSender(
            f"web {address} hand-over",
            self._hand_over,
            lambda: None,
            delay_s=AFTER_AVATARS_S,
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready, self._lock = threading.Event(), threading.Lock()
        self._socket: socket.socket | None = None
        self._newest: _Frame | None = None
        self._clients: dict[ServerConnection, asyncio.Event] = {}
        self._connections: set[BoundedConnection] = set()
        self._stop: asyncio.Event | None = None

    @property
    def url(self) -> str:
        """Where a browser finds the page."""
        return f"http://{self._address}/"

    def start(self) -> Self:
        """Starts listening.

        Raises:
            OutputError: the port is taken or the host is not this computer's.
        """
        self._socket = listen(self._address)
        self._worker.start()
        self._ready.wait()
        self._courier.start()
        logger.info("the live body is shown at %s", self.url)
        if self._address.host not in ("127.0.0.1", "::1", "localhost"):
            logger.warning("whoever can reach %s can watch the live body", self._address)
        return self

    def write(self, result: FrameResult) -> None:
        """Offers a result; returns at once."""
        self._courier.write(result)

    def close(self) -> None:
        """Says goodbye to all clients and ends the threads; may be called twice."""
        self._courier.close()
        with self._lock:
            if self._loop is not None and self._stop is not None:
                self._loop.call_soon_threadsafe(self._stop.set)
        if not self._worker.join(_JOIN_S):
            logger.error("the web stream did not end within %.0f s", _JOIN_S)
        if self._socket is not None:
            self._socket.close()

    def _finish(self, error: BaseException | None) -> None:
        self._ready.set()
        if error is not None:
            logger.error("the web stream has ended: %r; everything else goes on", error)

    async def _serve(self) -> None:
        quiet = logging.getLogger("realtime_vibe.websockets")
        quiet.setLevel(logging.CRITICAL)  # it writes a trace for every port scan
        self._stop = asyncio.Event()
        async with serve(
            self._talk,
            sock=self._socket,
            process_request=self._answer,
            compression=None,  # deflate would cost more time than a frame has
            max_size=_MAX_MESSAGE_BYTES,
            max_queue=4,
            write_limit=_WRITE_LIMIT_BYTES,
            ping_interval=_KEEP_ALIVE_S,
            ping_timeout=_KEEP_ALIVE_S,
            open_timeout=_OPEN_S,
            create_connection=self._accepted,  # type: ignore[arg-type]  # called, never asked for its type
            close_timeout=_CLOSE_S,
            server_header=None,
            logger=quiet,
        ):
            with self._lock:
                self._loop = asyncio.get_running_loop()
            # Such as a connection that no file descriptor is left for: tried again every second, with a trace.
            self._loop.set_exception_handler(
                lambda _, context: logger.debug("web stream: %s", context.get("message"))
            )
            self._ready.set()
            try:
                await self._stop.wait()
            finally:
                with self._lock:  # nobody may call into a loop that has ended
                    self._loop = None
                # Who has not asked for anything yet is not waited for, nor who does not say goodbye.
                self._drop(self._connections - self._clients.keys())
                asyncio.get_running_loop().call_later(_CLOSE_S, self._drop, self._connections)

    def _accepted(self, *arguments: Any, **options: Any) -> ServerConnection:
        return BoundedConnection(self._connections, MAX_CONNECTIONS, *arguments, **options)

    def _drop(self, connections: Iterable[ServerConnection]) -> None:
        for connection in list(connections):
            connection.transport.abort()

    def _hand_over(self, result: FrameResult) -> None:
        self._newest = _Frame(result)
        with self._lock:
            if self._loop is not None and self._clients:
                self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        for event in self._clients.values():
            event.set()

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answers plain HTTP, or lets a WebSocket through with None."""
        try:
            target = urlsplit(request.path)
            refused = self._refusal(request.headers, target.path, target.query)
        except (ValueError, MultipleValuesError):  # an address that is none, a header given twice
            refused = 400, "this request says nothing that is understood here"
        except ConfigError as error:
            refused = 400, str(error)
        if refused is not None:
            status, message = refused
            return connection.respond(status, f"{message}\n")
        if target.path == STREAM_PATH:
            return None
        if target.path == "/faces.bin":
            return _response("application/octet-stream", self._faces)
        found = page(target.path)
        return _response(*found) if found else connection.respond(404, "there is no such page\n")

    def _refusal(self, headers: Headers, path: str, query: str) -> tuple[int, str] | None:
        """Status and reason why a request gets nothing."""
        host, origin = headers.get("Host", ""), headers.get("Origin")
        if not is_our_host(host, self._address.host):
            return 403, "this name is not served here: use the computer's address"
        if path != STREAM_PATH:
            return None
        if origin is not None and not is_our_page(origin, host):
            return 403, "pages from elsewhere may not read the stream"
        if "Upgrade" not in headers:
            return 426, f"{STREAM_PATH} speaks WebSocket"
        if len(self._clients) >= MAX_CLIENTS:
            return 503, f"{MAX_CLIENTS} clients are connected already"
        _from_query(query)
        return None

    async def _talk(self, connection: ServerConnection) -> None:
        request = connection.request
        assert request is not None
        wishes = {"now": _from_query(urlsplit(request.path).query)}
        event = self._clients[connection] = asyncio.Event()
        event.set()  # whoever comes late gets the newest frame at once
        try:
            await connection.send(greeting(self._num_faces, wishes["now"]))
            sender = asyncio.create_task(self._send_frames(connection, event, wishes))
            try:
                async for message in connection:
                    await connection.send(self._reply(message, wishes))
            finally:
                sender.cancel()
                await asyncio.gather(sender, return_exceptions=True)
        except ConnectionClosed:
            pass  # clients come and go
        finally:
            del self._clients[connection]

    def _reply(self, message: str | bytes, wishes: dict[str, Subscription]) -> str:
        try:
            wishes["now"] = _from_message(message, wishes["now"])
        except ConfigError as error:
            return refusal(str(error))
        return greeting(self._num_faces, wishes["now"])

    async def _send_frames(
        self,
        connection: ServerConnection,
        event: asyncio.Event,
        wishes: dict[str, Subscription],
    ) -> None:
        loop = asyncio.get_running_loop()
        sent: _Frame | None = None
        due_s = 0.0
        while True:
            await event.wait()
            if (rest_s := due_s - loop.time()) > 0:
                await asyncio.sleep(rest_s)
            event.clear()
            newest = self._newest
            if newest is None or newest is sent:
                continue
            started_s = loop.time()
            await connection.send(newest.encoded(wishes["now"]))
            sent = newest
            due_s = max(due_s + self._period_s(wishes["now"]), started_s)

    def _period_s(self, subscription: Subscription) -> float:
        rates = (subscription.rate or math.inf, self._max_rate_hz or math.inf)
        return 1.0 / min(rates)


class _Frame:
    """A result, encoded once for all clients that want the same."""

    def __init__(self, result: FrameResult) -> None:
        self._result = result
        self._encoded: dict[Subscription, bytes | str] = {}

    def encoded(self, subscription: Subscription) -> bytes | str:
        if subscription not in self._encoded:
            self._encoded[subscription] = encode(self._result, subscription)
        return self._encoded[subscription]


def listen(address: Address) -> socket.socket:
    """A listening socket.

    Raises:
        OutputError: the port is taken, not allowed, or the host is not this computer's.
    """
    family, where = resolve(address, socket.SOCK_STREAM)
    try:
        return socket.create_server(where, family=family, backlog=MAX_CLIENTS)
    except OSError as error:
        hints = {
            errno.EADDRNOTAVAIL: "this computer has no such address, leave --web-host out",
            errno.EACCES: "choose a --web port of 1024 or more",
        }
        number = error.errno or 0
        hint = hints.get(number, "end the program that uses it, or choose another --web port")
        raise OutputError(f"cannot listen on {address}: {os.strerror(number)}; {hint}") from error


def _from_query(query: str) -> Subscription:
    wishes = dict(parse_qsl(query, keep_blank_values=True))
    return changed(Subscription(), {name: _json_or_text(text) for name, text in wishes.items()})


def _json_or_text(text: str) -> Any:
    with contextlib.suppress(ValueError, RecursionError):
        return json.loads(text)
    return text


def _from_message(message: str | bytes, current: Subscription) -> Subscription:
    expected = 'expected {"type": "subscribe", ...} as text'
    if isinstance(message, bytes):
        raise ConfigError(f"got bytes, {expected}")
    try:
        wishes: Any = json.loads(message)
    except (ValueError, RecursionError):
        raise ConfigError(f"this is no JSON, {expected}") from None
    if not isinstance(wishes, dict) or wishes.pop("type", None) != "subscribe":
        raise ConfigError(f"unknown message, {expected}")
    return changed(current, wishes)


def _response(content_type: str, body: bytes) -> Response:
    headers = Headers(
        {
            "Content-Type": content_type,
            "Content-Length": str(len(body)),
            "Cache-Control": "no-cache",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Connection": "close",
        }
    )
    return Response(200, "OK", headers, body)
