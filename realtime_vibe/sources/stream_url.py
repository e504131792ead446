"""Network streams: MJPEG over HTTP, RTSP and what else FFmpeg speaks."""

import threading
from functools import partial
from pathlib import PurePosixPath
from urllib.parse import urlsplit

import cv2

from realtime_vibe.errors import SourceError
from realtime_vibe.sources.base import ChosenSource, FrameSource
from realtime_vibe.sources.film_capture import FilmCapture
from realtime_vibe.sources.film_opening import open_address
from realtime_vibe.sources.live import LiveDevice, LiveSource
from realtime_vibe.sources.opencv import Capture
from realtime_vibe.sources.streamed_video import StreamedMedium, StreamedVideo
from realtime_vibe.sources.web_address import by_proxy, is_film_there
from realtime_vibe.system.file_boundary import file_boundary

SCHEMES = frozenset({"http", "https", "rtsp", "rtsps", "rtmp", "rtmps", "rtp", "udp", "tcp", "srt"})
RECORDING_SUFFIXES = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".ts", ".webm"})
OPEN_TIMEOUT_MS = 3000
READ_TIMEOUT_MS = 2000


def is_url(spec: str) -> bool:
    """Whether `spec` is written as a URL; a Windows drive is not one."""
    return "://" in spec


def stream_source(url: str, *, paced: bool = False) -> FrameSource:
    """A source for `url`, not opened yet: live, or a film (`paced` or not).

    A film's path ends like a video file's, or an HTTP server says that what it has ends.

    Raises:
        SourceError: not a URL with a host, or a protocol that is not supported.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError as error:
        raise SourceError(f"{url}: is not a valid URL ({error})") from None
    if parts.scheme.lower() not in SCHEMES or not host:
        raise SourceError(
            f"{url}: got the protocol {parts.scheme!r}, expected one of "
            f"{', '.join(sorted(SCHEMES))} and a host"
        )
    name = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    is_web = parts.scheme.lower() in {"http", "https"}
    if is_web:
        return WebSource(url, name, paced=paced)
    is_recorded = PurePosixPath(parts.path).suffix.lower() in RECORDING_SUFFIXES
    return _recording(url, name, paced=paced) if is_recorded else _live(url, name)


class WebSource(ChosenSource):
    """What an HTTP server has: a film, or a camera's stream; the server is asked when it is opened.

    Args:
        name: the URL without its password.
        paced: play a film at its own speed.
    """

    def __init__(self, url: str, name: str, *, paced: bool) -> None:
        self._url, self._name, self._paced = url, name, paced
        self._chosen = _live(url, name)

    def open(self) -> None:
        """Asks the server, and opens what it has.

        Raises:
            SourceError: nothing answers, or what answers is no video.
        """
        suffix = PurePosixPath(urlsplit(self._url).path).suffix.lower()
        if is_film_there(self._url, self._name) or suffix in RECORDING_SUFFIXES:
            self._chosen = _recording(self._url, self._name, paced=self._paced)
        self._chosen.open()


def _recording(url: str, name: str, *, paced: bool) -> StreamedVideo:
    return StreamedVideo(
        StreamedMedium(
            name=name,
            open_capture=partial(_open_capture, url, name, is_recorded=True),
            open_limit_s=5.0,
            if_silent="check the address and the connection",
        ),
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


def _open_capture(url: str, name: str, stop: threading.Event, *, is_recorded: bool) -> Capture:
    if stop.is_set():
        raise SourceError(f"{name}: closed while it was being opened")
    # FFmpeg's own time-outs bound the call.
    capture = open_stream(url, name)
    reopen = partial(open_stream, url, name) if is_recorded else None
    with file_boundary(name, SourceError):
        return FilmCapture(capture, is_recorded=is_recorded, reopen=reopen)


def open_stream(url: str, name: str) -> Capture:
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
