"""Network addresses as users write them: `HOST:PORT`, with a usual port where it is left out."""

import socket
from dataclasses import dataclass
from typing import Any

from realtime_vibe.errors import ConfigError, OutputError
from realtime_vibe.system.threads import waited_for

LOOPBACK = "127.0.0.1"
"""Nothing leaves the computer by default. Not `localhost`: some receivers listen on IPv4
alone, and the name may stand for IPv6."""
VMC_PORT = 39539
"""Where programs that show an avatar by the VMC protocol listen."""
VRCHAT_PORT = 9000
"""Where VRChat listens."""
WEB_PORT = 8765
"""Where the page of the live body is by default."""
_LOOK_UP_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to send datagrams."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_address(text: str, *, default_port: int) -> Address:
    """Reads `HOST`, `HOST:PORT`, `:PORT`, `PORT` or `[IPV6]:PORT`; an empty host means this computer.

    Raises:
        ConfigError: it is none of these, or the port is out of range.
    """
    text = text.strip()
    expected = f"expected HOST, HOST:PORT or [IPV6]:PORT, such as {LOOPBACK}:{default_port}"
    if text.isdecimal():
        host, port_text = "", text
    elif text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port_text = rest.removeprefix(":") or str(default_port)
    else:
        host, colon, port_text = text.partition(":")
        port_text = port_text if colon else str(default_port)
    if not port_text.isdecimal() or any(character in host for character in " /@"):
        raise ConfigError(f"'{text}' is no address: {expected}")
    port = int(port_text)
    if not 1 <= port <= 65535:
        raise ConfigError(f"'{text}': port {port} does not exist, expected 1 to 65535")
    return Address(host=host or LOOPBACK, port=port)


def resolve(
    address: Address, kind: socket.SocketKind = socket.SOCK_DGRAM
) -> tuple[socket.AddressFamily, tuple[Any, ...]]:
    """The family and the numeric address of a host, as `socket` takes both; IPv4 where it has both.

    Raises:
        OutputError: no such host is known, or nobody says so in time.
    """
    try:
        found: list[Any] = waited_for(
            f"look up {address.host}",
            lambda: socket.getaddrinfo(address.host, address.port, type=kind),
            _LOOK_UP_S,
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a host's name"
        raise OutputError(
            f"cannot find the host '{address.host}' ({reason}): check its spelling, or give its "
            f"number as in {LOOPBACK}:{address.port}"
        ) from error
    family, _, _, _, numeric = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return family, numeric
