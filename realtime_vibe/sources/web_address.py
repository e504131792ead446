"""What an HTTP server says about an address, which FFmpeg keeps to itself."""

import base64
import ipaddress
import logging
import os
import ssl
import urllib.error
import urllib.request
from http.client import HTTPException, HTTPMessage, HTTPResponse
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from realtime_vibe.errors import SourceError, one_line, without_secrets

logger = logging.getLogger(__name__)

ANSWER_S = 3.0
PLAY_LIST_END = b"#EXT-X-ENDLIST"
MOST_OF_A_PLAY_LIST = 1 << 20
STATUS_HELP = {
    401: "it asks for a name and a password: write http://NAME:PASSWORD@HOST/..",
    403: "this user may not see it; check name and password, and the camera's settings",
    404: "there is nothing at this path; look up the path of the camera's stream",
    407: "the proxy asks for a name and a password",
    429: "it was asked too often: wait a minute, and close other viewers",
    500: "the server itself failed; restart it, or look into its log",
    503: "the server is there but busy or starting; try again, and close other viewers",
}


def is_film_there(url: str, name: str) -> bool:
    """Asks an HTTP server whether a video can be there, before FFmpeg tries; `name` has no password.

    Returns:
        Whether what it has ends: a film of a stated length, or a play list that says that nothing will be added.

    Raises:
        SourceError: nothing answers, the server refuses, or what it has is a web page or a still picture.
    """
    parts = urlsplit(url)
    bypass_proxy(parts.hostname or "")
    request = urllib.request.Request(_bare(parts))
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        request.add_header("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}")
    # FFmpeg checks no certificates either: those of cameras are signed by nobody.
    tls = urllib.request.HTTPSHandler(context=ssl._create_unverified_context())
    try:
        with urllib.request.build_opener(tls).open(request, timeout=ANSWER_S) as answer:
            _check_content(answer.headers, name)
            return _ends(answer)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 401 and parts.username is not None:
            return False  # another kind of log-in, which FFmpeg knows
        raise SourceError(f"{name}: {_status(error)}{by_proxy(url)}") from None
    except (OSError, HTTPException) as error:
        if isinstance(error, HTTPException):
            return False  # no proper HTTP, as of some cameras
        raise SourceError(
            f"{name}: no video stream answers there within {ANSWER_S:.0f} s{by_proxy(url)}; "
            "check the address, and that the camera or server is on and reachable"
        ) from None


def bypass_proxy(host: str) -> None:
    """Keeps a proxy of the environment's out of the way to this machine and this network."""
    known = os.environ.get("no_proxy", os.environ.get("NO_PROXY", ""))
    if is_near(host) and host not in known.split(","):
        os.environ["no_proxy"] = f"{known},{host}" if known else host


def is_near(host: str) -> bool:
    """Whether a host is this machine or in a private network."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith((".local", ".lan", ".home.arpa"))
    return address.is_private or address.is_loopback or address.is_link_local


def _bare(parts: SplitResult) -> str:
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, place, parts.path or "/", parts.query, ""))


def _check_content(headers: HTTPMessage, name: str) -> None:
    kind = headers.get_content_type() if "Content-Type" in headers else ""
    if kind.startswith("image/"):
        raise SourceError(
            f"{name}: is a single picture ({kind}), expected a stream; look up the address of the "
            "camera's video, often /video or /mjpeg, or download the picture and give its file"
        )
    if kind in {"text/html", "application/json"}:
        raise SourceError(
            f"{name}: is a web page ({kind}), expected a video; give the address of the stream itself"
        )


def _ends(answer: HTTPResponse) -> bool:
    kind = answer.headers.get_content_type()
    if kind.endswith("mpegurl"):
        return PLAY_LIST_END in answer.read(MOST_OF_A_PLAY_LIST)
    is_film = kind.startswith("video/") or kind == "application/octet-stream"
    return is_film and "Content-Length" in answer.headers


def _status(error: urllib.error.HTTPError) -> str:
    if 300 <= error.code < 400:  # the library follows others and explains in several lines
        return f"the server answers {error.code} and leads nowhere; give the address it leads to"
    said = one_line(f"the server answers {error.code} {error.reason}".rstrip())
    return f"{said}; {STATUS_HELP.get(error.code, 'check the address and the server')}"


def by_proxy(url: str) -> str:
    """Names the proxy that stands before the host of `url`; empty where there is none."""
    parts = urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if not proxy or urllib.request.proxy_bypass(parts.hostname or ""):
        return ""
    return f" (by the proxy {without_secrets(proxy)}; set no_proxy={parts.hostname} to go without)"
