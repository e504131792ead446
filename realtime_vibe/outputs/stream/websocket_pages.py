"""The few files that the stream's port serves over HTTP, and who may ask for them."""

import ipaddress
import socket
from importlib import resources
from urllib.parse import urlsplit

_TYPES = {
    "index.html": "text/html; charset=utf-8",
    "three/three.module.min.js": "text/javascript",
    "three/three.core.min.js": "text/javascript",
    "three/OrbitControls.js": "text/javascript",
    "three/LICENSE": "text/plain; charset=utf-8",
}


def page(path: str) -> tuple[str, bytes] | None:
    """Type and content of a file by its path in the URL; None when there is none of that name."""
    name = path.removeprefix("/") or "index.html"
    if name not in _TYPES:
        return None
    content = resources.files("realtime_vibe.outputs.stream").joinpath("web", *name.split("/"))
    return _TYPES[name], content.read_bytes()


def is_our_host(host_header: str, bound_host: str) -> bool:
    """Whether a request was really meant for this server.

    A foreign web page can make its own name resolve to this computer; the browser then takes the
    stream for a part of that page. Such a request carries the foreign name, ours carry a number,
    `localhost` or this computer's name.
    """
    name = (urlsplit(f"//{host_header}").hostname or "").rstrip(".")
    own = socket.gethostname().casefold()
    if name in ("localhost", bound_host.casefold(), own, f"{own}.local"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_our_page(origin: str, host_header: str) -> bool:
    """Whether a browser's `Origin` is a page that came from the same host and port."""
    parts = urlsplit(origin)
    return parts.scheme in ("http", "https") and parts.netloc.casefold() == host_header.casefold()
