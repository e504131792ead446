"""Covers the WebSocket stream: greeting, both formats, many and bad clients, strangers, the end."""

import contextlib
import gc
import json
import socket
import threading
import time
import tracemalloc
import urllib.error
import urllib.request
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from realtime_vibe.body.joints import PARENTS, SMPL_JOINT_NAMES
from realtime_vibe.errors import ConfigError, OutputError
from realtime_vibe.outputs.stream import websocket_connection
from realtime_vibe.outputs.stream.address import Address
from realtime_vibe.outputs.stream.websocket_frames import Subscription
from realtime_vibe.outputs.stream.websocket_stream import (
    MAX_CLIENTS,
    MAX_CONNECTIONS,
    WebStream,
    _from_message,
)
from tests.outputs.stream.frame_reader import parse
from tests.outputs.stream.posed_body import default_body, random_result, result_of


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def stream() -> Iterator[WebStream]:
    with WebStream(
        Address(host="127.0.0.1", port=free_port()), default_body().model.faces
    ) as server:
        yield server.start()


def _client(stream: WebStream, query: str = "", **options) -> ClientConnection:
    url = stream.url.replace("http:", "ws:") + "stream" + query
    return connect(url, proxy=None, max_size=None, **options)


def _joined(stream: WebStream, number: int = 1) -> None:
    deadline_s = time.monotonic() + 5
    while len(stream._clients) != number:
        assert time.monotonic() < deadline_s, len(stream._clients)
        time.sleep(0.01)


def test_greeting_then_frames_in_both_formats(stream: WebStream) -> None:
    with _client(stream) as binary, _client(stream, "?format=json&rotations=0") as text:
        hello = json.loads(binary.recv(5))
        assert hello["type"] == "hello"
        assert hello["units"] == "m"
        assert hello["joints"] == list(SMPL_JOINT_NAMES)
        assert hello["parents"] == list(PARENTS)
        assert hello["num_faces"] == len(default_body().model.faces)
        assert json.loads(text.recv(5))["subscription"]["format"] == "json"
        for index in range(10):
            result = random_result(index)
            stream.write(result)
            head, people = parse(binary.recv(5))
            assert head["index"] == index
            np.testing.assert_array_equal(people[0]["joints"], result.people[0].mesh.joints)
            frame = json.loads(text.recv(5))
            assert (frame["type"], frame["index"]) == ("frame", index)
            np.testing.assert_allclose(
                frame["people"][0]["joints"], result.people[0].mesh.joints, atol=1e-5
            )
            assert "rotations" not in frame["people"][0]
        stream.write(result_of(10))
        assert parse(binary.recv(5))[1] == []


def test_whoever_comes_late_gets_the_newest_frame_at_once(stream: WebStream) -> None:
    stream.write(random_result(0))
    stream.write(random_result(1))
    with _client(stream) as client:
        client.recv(5)
        got = parse(client.recv(5))[0]["index"]
        # The thread between may just hold the first of the two.
        assert got == 1 or parse(client.recv(5))[0]["index"] == 1


def test_a_client_changes_its_mind_and_its_rate(stream: WebStream) -> None:
    with _client(stream) as client:
        client.recv(5)
        client.send('{"type": "subscribe", "format": "json", "rate": 20}')
        assert json.loads(client.recv(5))["subscription"]["rate"] == 20
        got, started_s = [], time.perf_counter()
        for index in range(200):
            stream.write(result_of(index))
            time.sleep(0.003)
        spent_s = time.perf_counter() - started_s
        while True:
            try:
                got.append(json.loads(client.recv(0.2))["index"])
            except TimeoutError:
                break
        assert got == sorted(set(got))
        assert 0.25 * 20 * spent_s <= len(got) <= 20 * spent_s + 3


BAD = [
    "",
    "hello",
    "{",
    "[]",
    "1e999",
    '{"type": 3}',
    '{"type": "subscribe", "format": "xml"}',
    '{"type": "subscribe", "rate": -1}',
    '{"type": "subscribe", "rate": NaN}',
    '{"type": "subscribe", "rate": [30]}',
    '{"type": "subscribe", "colour": "red"}',
    '{"type": "subscribe", "vertices": {}}',
    '{"type": "subscribe", "format": "json", "vertices": "float16"}',
    "[" * 4000,
    b"\x00\xff\x00",
]


@pytest.mark.fault
def test_malformed_messages_are_answered_and_ignored(stream: WebStream) -> None:
    with _client(stream) as client:
        client.recv(5)
        for message in BAD:
            client.send(message)
            answer = json.loads(client.recv(5))
            assert answer["type"] == "error", message
            assert "expected" in answer["message"] or "vertices come with" in answer["message"]
        stream.write(random_result(3))
        assert parse(client.recv(5))[0]["index"] == 3


@pytest.mark.fault
@given(st.text() | st.binary() | st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.dictionaries(st.sampled_from(["type", "format", "rate", "vertices", "x"]), inner),
).map(json.dumps))  # fmt: skip
def test_no_message_breaks_the_reader(message: str | bytes) -> None:
    with contextlib.suppress(ConfigError):
        assert isinstance(_from_message(message, Subscription()), Subscription)


@pytest.mark.fault
def test_a_huge_message_ends_that_client_alone(stream: WebStream) -> None:
    with _client(stream) as loud, _client(stream) as calm:
        calm.recv(5)
        loud.send("x" * 100_000)
        loud.recv(5)
        with pytest.raises(ConnectionClosed):
            loud.recv(5)
        stream.write(random_result(0))
        assert parse(calm.recv(5))[0]["index"] == 0


def _raw(stream: WebStream, query: str = "") -> socket.socket:
    """A client below the protocol: it has shaken hands, and reads only what it is made to."""
    raw = socket.create_connection(("127.0.0.1", int(stream.url.rsplit(":", 1)[1].strip("/"))))
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.sendall(
        f"GET /stream{query} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n".encode()
        + b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    return raw


@pytest.mark.fault
def test_clients_that_never_read_lose_their_places(stream: WebStream, monkeypatch) -> None:
    monkeypatch.setattr(websocket_connection, "READ_WITHIN_S", 0.3)
    deaf = [_raw(stream, "?vertices=float32") for _ in range(2)]
    _joined(stream, 2)
    deadline_s = time.monotonic() + 20
    while len(stream._clients):
        assert time.monotonic() < deadline_s
        stream.write(random_result(0))
        time.sleep(0.005)
    for client in deaf:
        client.close()


@pytest.mark.fault
def test_a_client_that_pings_and_reads_no_answer_loses_its_place(stream, monkeypatch) -> None:
    monkeypatch.setattr(websocket_connection, "MOST_UNREAD_BYTES", 100_000)
    pings = (b"\x89\xfd" + bytes(4) + b"x" * 125) * 500_000
    with _raw(stream) as client:
        _joined(stream)
        with pytest.raises(ConnectionError):
            client.sendall(pings)
    _joined(stream, 0)


@pytest.mark.fault
def test_pings_of_a_client_that_is_gone_are_answered_with_nothing(stream, caplog) -> None:
    client = _raw(stream)
    _joined(stream)
    client.sendall(b"\x89\x81\0\0\0\0x" * 500 + b"\x88\x82\0\0\0\0\x03\xe8")
    client.close()
    _joined(stream, 0)
    assert "socket.send" not in caplog.text


@pytest.mark.fault
def test_a_connection_that_says_nothing_does_not_hold_up_the_end(stream: WebStream) -> None:
    idle = socket.create_connection(("127.0.0.1", int(stream.url.rsplit(":", 1)[1].strip("/"))))
    with _client(stream) as client:  # accepted after the idle one
        client.recv(5)
    _joined(stream, 0)
    stream.close()
    assert not stream._worker.is_running
    idle.close()


@pytest.mark.fault
def test_a_flood_of_connections_takes_a_bounded_number_of_files(stream: WebStream) -> None:
    port = int(stream.url.rsplit(":", 1)[1].strip("/"))
    with contextlib.ExitStack() as flood:
        for _ in range(2 * MAX_CONNECTIONS):
            flood.enter_context(socket.create_connection(("127.0.0.1", port)))
        with socket.create_connection(("127.0.0.1", port), timeout=5) as last:
            with contextlib.suppress(ConnectionResetError):
                assert last.recv(1) == b""
            assert len(stream._connections) == MAX_CONNECTIONS
    stream.close()
    assert not stream._connections


@pytest.mark.fault
def test_a_client_that_never_reads_costs_no_memory_and_no_time(stream: WebStream) -> None:
    deaf = _raw(stream, "?vertices=float32")
    _joined(stream)
    results = [random_result(index) for index in range(4)]
    with _client(stream) as calm:
        calm.recv(5)
        peaks, longest_s = [], 0.0
        tracemalloc.start()
        try:
            for index in range(600):
                started_s = time.perf_counter()
                stream.write(results[index % 4])
                longest_s = max(longest_s, time.perf_counter() - started_s)
                calm.recv(5)
                if index % 150 == 149:
                    gc.collect()
                    peaks.append(tracemalloc.get_traced_memory()[0])
        finally:
            tracemalloc.stop()
    # 600 frames of 225 kB are 135 MB; kernel buffers aside at most a frame or two is held.
    assert peaks[-1] - peaks[0] < 300_000
    assert peaks[-1] < 3_000_000
    assert longest_s < 5.0  # who waits for the client waits for ever
    deaf.close()


def test_the_page_and_its_files_are_served(stream: WebStream) -> None:
    def get(path: str) -> tuple[str, bytes]:
        with urllib.request.urlopen(stream.url + path, timeout=5) as answer:
            return answer.headers["Content-Type"], answer.read()

    kind, html = get("")
    assert kind.startswith("text/html")
    for name in ("three/three.module.min.js", "three/OrbitControls.js"):
        assert name.encode() in html
        assert get(name)[0] == "text/javascript"
    assert get("three/three.core.min.js")[0] == "text/javascript"
    assert b"MIT License" in get("three/LICENSE")[1]
    faces = np.frombuffer(get("faces.bin")[1], "<u4").reshape(-1, 3)
    np.testing.assert_array_equal(faces, default_body().model.faces)


def test_other_paths_are_refused(stream: WebStream, subtests: pytest.Subtests) -> None:
    for path, status in [
        ("nothing", 404),
        ("../vmc.py", 404),
        ("three/../index.html", 404),
        ("%2e%2e/vmc.py", 404),
        ("stream", 426),
        ("three", 404),
    ]:
        with subtests.test(status=status, path=path):
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(stream.url + path, timeout=5)
            assert caught.value.code == status
            caught.value.close()


def test_pages_from_elsewhere_may_not_read(stream, subtests) -> None:
    for origin, host, expected in [
        (None, None, 101),
        ("http://{host}", None, 101),
        ("https://evil.example", None, 403),
        ("null", None, 403),
        ("http://127.0.0.1:1", None, 403),
        # A name of somebody else's that was made to resolve to this computer.
        ("http://evil.example:8765", "evil.example:8765", 403),
        (None, "evil.example", 403),
        ("http://localhost:8765", "localhost:8765", 101),
        ("http://192.168.1.5:8765", "192.168.1.5:8765", 101),
        ("http://[", None, 400),
        (None, "[", 400),
        (None, "127.0.0.1\r\nHost: evil.example", 400),
    ]:
        with subtests.test(expected=expected, host=host, origin=origin):
            own = stream.url.split("/")[2]
            headers = [("Origin", origin.format(host=own))] if origin else []
            request = [f"{name}: {value}" for name, value in headers]
            with socket.create_connection(("127.0.0.1", int(own.split(":")[1])), timeout=5) as raw:
                lines = [
                    "GET /stream HTTP/1.1",
                    f"Host: {host or own}",
                    *request,
                    "Upgrade: websocket",
                    "Connection: Upgrade",
                    "Sec-WebSocket-Version: 13",
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                ]
                raw.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
                status = raw.recv(12).split()[1]
            assert int(status) == expected


def test_a_bad_query_says_what_is_wrong(stream: WebStream) -> None:
    with pytest.raises(InvalidStatus) as caught, _client(stream, "?vertices=float64"):
        pass
    assert caught.value.response.status_code == 400
    assert b"got 'float64', expected one of none, float16, float32" in caught.value.response.body


def test_too_many_clients_and_then_fewer(stream: WebStream) -> None:
    with contextlib.ExitStack() as clients:
        for _ in range(MAX_CLIENTS - 1):
            clients.enter_context(_client(stream))
        with _client(stream):
            _joined(stream, MAX_CLIENTS)
            with pytest.raises(InvalidStatus, match="503"), _client(stream):
                pass
        _joined(stream, MAX_CLIENTS - 1)
        with _client(stream) as client:
            client.recv(5)


@pytest.mark.fault
def test_garbage_on_the_port_disturbs_nobody(stream: WebStream, capfd) -> None:
    port = int(stream.url.rsplit(":", 1)[1].strip("/"))
    for junk in (b"\x16\x03\x01\x02\x00\x01", b"\r\n\r\n", b"GET / HTTP/9\r\n\r\n", b"", b"POST / HTTP/1.1\r\n\r\n"):  # fmt: skip
        with socket.create_connection(("127.0.0.1", port)) as raw:
            raw.sendall(junk)
    with _client(stream) as client:
        client.recv(5)
        stream.write(random_result(0))
        client.recv(5)
    assert capfd.readouterr().err == ""


def test_a_taken_port_and_host_are_one_clear_line(stream: WebStream, subtests) -> None:
    port = int(stream.url.rsplit(":", 1)[1].strip("/"))
    for host, said in (
        ("127.0.0.1", rf"cannot listen on 127\.0\.0\.1:{port}: .*choose another --web port"),
        ("no-such-host.invalid", r"cannot (listen on|find the host)"),
        ("192.0.2.1", r"cannot (listen on|find the host)"),
    ):
        second = WebStream(Address(host=host, port=port), default_body().model.faces)
        with subtests.test(host=host), pytest.raises(OutputError, match=said):
            second.start()
        second.close()


def test_the_end_says_goodbye_and_leaves_no_thread() -> None:
    address = Address(host="127.0.0.1", port=free_port())
    server = WebStream(address, default_body().model.faces).start()
    with _client(server) as client:
        client.recv(5)
        started_s = time.perf_counter()
        server.close()
        server.close()
        assert time.perf_counter() - started_s < 10
        with pytest.raises(ConnectionClosed):
            client.recv(5)
    server.write(random_result(0))
    assert f"web {address}" not in {thread.name for thread in threading.enumerate()}
    WebStream(address, default_body().model.faces).start().close()  # the port is free again


def test_only_this_computer_can_reach_it(stream: WebStream) -> None:
    assert stream._socket is not None
    assert stream._socket.getsockname()[0] == "127.0.0.1"
