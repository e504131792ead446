"""Network streams: MJPEG over HTTP, RTSP and what else FFmpeg speaks; and what an HTTP server says about an address."""

import base64
import io
import ipaddress
import logging
import os
import re
import ssl
import threading
import urllib.error
import urllib.request
from functools import partial
from http import HTTPStatus
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import PurePosixPath
from typing import Any, BinaryIO
from urllib.parse import SplitResult, unquote, urljoin, urlsplit, urlunsplit

import cv2

from realtime_vibe.errors import SourceError, one_line, without_secrets
from realtime_vibe.sources.base import FrameSource
from realtime_vibe.sources.film import Film
from realtime_vibe.sources.film_capture import FilmCapture
from realtime_vibe.sources.film_opening import open_address
from realtime_vibe.sources.image_folder import is_video
from realtime_vibe.sources.live import LiveDevice, LiveSource
from realtime_vibe.sources.mp4_track import track_in
from realtime_vibe.system.file_boundary import file_boundary
from realtime_vibe.system.threads import waited_for

logger = logging.getLogger(__name__)

SCHEMES = frozenset({"http", "https", "rtsp", "rtsps", "rtmp", "rtmps", "rtp", "udp", "tcp", "srt"})
OPEN_TIMEOUT_MS = 3000
READ_TIMEOUT_MS = 2000
ANSWER_S = 3.0
_ASKING_S = 10.0
"""For all of a question: looking up the host's name, and each part of an answer that comes in drops, have their own time."""
_HEAD_BYTES = 1 << 16
"""Read at once: the first boxes of a film, and often its index."""
PLAY_LIST_END = b"#EXT-X-ENDLIST"
FIRST_VARIANT = re.compile(rb"#EXT-X-STREAM-INF[^\n]*\n(?:#[^\n]*\n|\s)*([^#\s]+)")
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


def is_url(spec: str) -> bool:
    """Whether `spec` is written as a URL; a Windows drive is not one."""
    return "://" in spec


def stream_source(url: str, *, paced: bool = False) -> FrameSource:
    """What `url` has: live, or a film (`paced` or not).

    A film's path ends like a video file's, or an HTTP server says that what it has ends.

    Raises:
        SourceError: not a URL with a host, a protocol that is not supported, nothing answers, or what answers is no
            video.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError as error:
        raise SourceError(f"{url}: is not a valid URL ({error})") from None
    scheme = parts.scheme.lower()
    if scheme not in SCHEMES or not host:
        raise SourceError(
            f"{url}: got the protocol {parts.scheme!r}, expected one of "
            f"{', '.join(sorted(SCHEMES))} and a host"
        )
    name = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    is_film = is_video(PurePosixPath(parts.path))
    if scheme in {"http", "https"}:
        is_film = is_film_there(url, name) or is_film
    return _recording(url, name, paced=paced) if is_film else _live(url, name)


def _recording(url: str, name: str, *, paced: bool) -> Film:
    return Film(
        name,
        partial(_open_capture, url, name, is_recorded=True),
        if_silent="check the address and the connection",
        paced=paced,
    )


def _live(url: str, name: str) -> LiveSource:
    return LiveSource(
        LiveDevice(
            name=name,
            open_capture=partial(_open_capture, url, name, is_recorded=False),
            open_limit_s=5.0,
            patience_s=0.3,
            stuck_s=READ_TIMEOUT_MS / 1e3 + 2.0,
        )
    )


def _open_capture(url: str, name: str, stop: threading.Event, *, is_recorded: bool) -> FilmCapture:
    if stop.is_set():
        raise SourceError(f"{name}: closed while it was being opened")
    # FFmpeg's own time-outs bound the call.
    capture = open_stream(url, name)
    if not is_recorded:
        with file_boundary(name, SourceError):
            return FilmCapture(capture, is_recorded=False)
    is_web = url.lower().startswith("http")
    film: BinaryIO = io.BufferedReader(_WebFile(url), _HEAD_BYTES) if is_web else io.BytesIO()
    with file_boundary(name, SourceError):
        reopen = partial(open_stream, url, name)
        return FilmCapture(capture, is_recorded=True, reopen=reopen, track=track_in(film))


def open_stream(url: str, name: str) -> cv2.VideoCapture:
    """Opens `url` with short time-outs (FFmpeg's defaults are 30 s).

    Raises:
        SourceError: nothing answers, or what answers is no video.
    """
    limits = [
        cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
        OPEN_TIMEOUT_MS,
        cv2.CAP_PROP_READ_TIMEOUT_MSEC,
        READ_TIMEOUT_MS,
    ]
    capture = open_address(url, limits)
    if not capture.isOpened():
        capture.release()
        raise SourceError(
            f"{name}: no video stream answers there within {OPEN_TIMEOUT_MS / 1e3:.0f} s{by_proxy(url)}; "
            f"{'check name and password, ' if '@' in url else ''}"
            "check the address, and that the camera or server is on and reachable"
        )
    return capture


def is_film_there(url: str, name: str) -> bool:
    """Asks an HTTP server whether a video can be there, before FFmpeg tries; `name` has no password.

    Gives whether what it has ends: a film of a stated length, or a play list that says that nothing will be added.

    Raises:
        SourceError: nothing answers, the server refuses, or what it has is a web page or a still picture.
    """
    bypass_proxy(urlsplit(url).hostname or "")
    try:
        return waited_for(f"ask {name}", partial(_is_film, url, name), _ASKING_S)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 401 and "@" in urlsplit(url).netloc:
            if error.headers.get_all("WWW-Authenticate", [""])[0].lower().startswith("basic"):
                raise SourceError(
                    f"{name}: the server answers 401: it refuses this name and password"
                ) from None
            return False  # another kind of log-in, which FFmpeg knows
        raise SourceError(f"{name}: {_status(error)}{by_proxy(url)}") from None
    except (OSError, HTTPException) as error:
        if isinstance(error, HTTPException):
            return False  # no proper HTTP, as of some cameras
        raise SourceError(
            f"{name}: no video stream answers there in time{by_proxy(url)}; "
            "check the address, and that the camera or server is on and reachable"
        ) from None


def _is_film(url: str, name: str) -> bool:
    with _ask(url) as answer:
        _check_content(answer.headers, name)
        return _ends(answer, url)


def _ask(url: str, start: int = 0) -> HTTPResponse:
    """What an HTTP server answers, from a byte on; the caller closes it."""
    parts = urlsplit(url)
    request = urllib.request.Request(_bare(parts))
    if start:
        request.add_header("Range", f"bytes={start}-")
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        request.add_header("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}")
    # FFmpeg checks no certificates either: those of cameras are signed by nobody.
    tls = urllib.request.HTTPSHandler(context=ssl._create_unverified_context())
    answer: HTTPResponse = urllib.request.build_opener(tls).open(request, timeout=ANSWER_S)
    return answer


class _WebFile(io.RawIOBase):
    """A film on an HTTP server, read as a file is, by one request for each place."""

    def __init__(self, url: str) -> None:
        self._url, self._at = url, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + (self._at if whence == io.SEEK_CUR else 0)  # nobody knows the end
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        room = memoryview(buffer)
        with _ask(self._url, self._at) as answer:
            is_there = not self._at or answer.status == HTTPStatus.PARTIAL_CONTENT
            data = answer.read(len(room)) if is_there else b""
        room[: len(data)] = data
        self._at += len(data)
        return len(data)


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


def _ends(answer: HTTPResponse, url: str) -> bool:
    kind = answer.headers.get_content_type()
    if kind.endswith("mpegurl"):
        play_list = answer.read(MOST_OF_A_PLAY_LIST)
        if first := FIRST_VARIANT.search(play_list):  # a list of lists, of which each says it
            variant = urljoin(url, first[1].decode(errors="replace"))
            if urlsplit(variant).scheme not in {"http", "https"}:
                return False
            with _ask(variant) as answer_of_variant:
                play_list = answer_of_variant.read(MOST_OF_A_PLAY_LIST)
        return PLAY_LIST_END in play_list
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
