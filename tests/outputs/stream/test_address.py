"""Covers addresses as users write them, and what is said about wrong ones."""

import socket
import sys
import threading

import pytest

from realtime_vibe.errors import ConfigError, OutputError
from realtime_vibe.outputs.stream.address import Address, parse_address, resolve
from realtime_vibe.outputs.stream.websocket_stream import listen


def test_every_spelling(subtests: pytest.Subtests) -> None:
    for text, host, port in [
        ("127.0.0.1:39539", "127.0.0.1", 39539),
        ("192.168.1.7", "192.168.1.7", 9000),
        ("studio-pc:1", "studio-pc", 1),
        (":65535", "127.0.0.1", 65535),
        ("8765", "127.0.0.1", 8765),
        ("", "127.0.0.1", 9000),
        ("[::1]:39540", "::1", 39540),
        ("[fe80::2]", "fe80::2", 9000),
    ]:
        with subtests.test(port=port, host=host, text=text):
            address = parse_address(text, default_port=9000)
            assert (address.host, address.port) == (host, port)
            assert parse_address(str(address), default_port=1) == address


def test_what_is_no_address(subtests: pytest.Subtests) -> None:
    for text in ["host:", "host:x", "host:-1", "::1", "a b:9", "http://a:9", "u@h:9", "1:2:3"]:
        with subtests.test(text=text):
            with pytest.raises(ConfigError, match=r"\[IPV6\]:PORT, such as 127\.0\.0\.1:9000"):
                parse_address(text, default_port=9000)


def test_a_port_out_of_range(subtests: pytest.Subtests) -> None:
    for port in ["0", "65536", "99999999999"]:
        with subtests.test(port=port):
            with pytest.raises(ConfigError, match="1 to 65535"):
                parse_address(f"host:{port}", default_port=9000)


def test_numbers_resolve_to_themselves_and_names_to_ipv4_first() -> None:
    assert resolve(Address(host="127.0.0.1", port=5)) == (socket.AF_INET, ("127.0.0.1", 5))
    assert resolve(Address(host="localhost", port=5))[1] == ("127.0.0.1", 5)


@pytest.mark.skipif(sys.platform == "win32", reason="interfaces have other names there")
def test_an_address_of_a_link_keeps_its_interface() -> None:
    scoped = Address(host="fe80::1%lo", port=5)
    assert resolve(scoped) == (socket.AF_INET6, ("fe80::1", 5, 0, socket.if_nametoindex("lo")))


@pytest.mark.fault
def test_a_host_that_nobody_answers_for_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime_vibe.outputs.stream.address._LOOK_UP_S", 0.05)
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answered.wait(5))
    for find in (resolve, listen):
        with pytest.raises(OutputError, match="cannot find the host 'slow'"):
            find(Address(host="slow", port=9000))
    answered.set()


def test_an_unknown_host_is_one_clear_line(subtests: pytest.Subtests) -> None:
    for host in ["no-such-host.invalid", "x" * 300, "a..b", "nul\0"]:
        with subtests.test(host=host):
            with pytest.raises(OutputError, match="cannot find the host") as caught:
                resolve(Address(host=host, port=9000))
            assert "\n" not in str(caught.value)
