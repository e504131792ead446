"""Network streams: MJPEG over HTTP, RTSP and what else FFmpeg speaks."""

import threading
from pathlib import PurePosixPath
from urllib.parse import urlsplit

import cv2

from realtime_vibe.errors import SourceError
from realtime_vibe.sources.film_capture import FilmCapture
from realtime_vibe.sources.film_opening import open_address
from realtime_vibe.sources.live import LiveDevice, LiveSource
from realtime_vibe.sources.opencv import Capture
from realtime_vibe.sources.streamed_video import StreamedMedium, StreamedVideo
from realtime_vibe.sources.web_address import by_proxy, check_web_address
from realtime_vibe.system.file_boundary import file_boundary

SCHEMES = frozenset({"http", "https", "rtsp", "rtsps", "rtmp", "rtmps", "rtp", "udp", "tcp", "srt"})
RECORDING_SUFFIXES = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".ts", ".webm"})
OPEN_TIMEOUT_MS = 3000
READ_TIMEOUT_MS = 2000


def is_url(spec: str) -> bool:
    """Whether `spec` is written as a URL; a Windows drive is not one."""
    return "://" in spec


def stream_source(url: str, *, paced: bool = False) -> LiveSource | StreamedVideo:
    """A source for `url`, not opened yet: live, or a recording (`paced` or not) if its path ends like a video file.

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

    is_checked = False

    def open_capture(stop: threading.Event) -> Capture:
        nonlocal is_checked
        if not is_checked and parts.scheme.lower() in {"http", "https"}:
            check_web_address(url, name)
        is_checked = True
        if stop.is_set():
            raise SourceError(f"{name}: closed while it was being opened")
        # FFmpeg's own time-outs bound the call.
        capture = open_stream(url, name)
        reopen = (lambda: open_stream(url, name)) if is_recorded else None
        with file_boundary(name, SourceError):
            return FilmCapture(capture, is_recorded=is_recorded, reopen=reopen)

    is_recorded = PurePosixPath(parts.path).suffix.lower() in RECORDING_SUFFIXES
    if is_recorded:
        return StreamedVideo(
            StreamedMedium(
                name=name,
                open_capture=open_capture,
                open_limit_s=5.0,
                if_silent="check the address and the connection",
            ),
            paced=paced,
        )
    return LiveSource(
        LiveDevice(
            name=name,
            open_capture=open_capture,
            open_limit_s=5.0,
            patience_s=0.3,
            stuck_s=READ_TIMEOUT_MS / 1e3 + 2.0,
        )
    )


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
