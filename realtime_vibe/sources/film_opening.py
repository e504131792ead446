"""Opens films by FFmpeg, and only what holds its pictures itself.

FFmpeg looks at the contents, not at the name: play lists (HLS, DASH, `ffconcat`, SDP) open the files and
hosts they name, and text is drawn as a film of a terminal. What it may take a file for is therefore
limited to formats that name nothing else; guessing from the bytes would have to know all its rules.
"""

import os
import threading
from pathlib import Path
from typing import Any

import cv2

from realtime_vibe.errors import SourceError
from realtime_vibe.sources.opencv import quiet_opencv
from realtime_vibe.system.file_boundary import file_boundary, open_regular

FORMATS = (
    "3g2,3gp,4xm,amv,apng,asf,av1,avi,avs2,avs3,bink,cavsvideo,cine,dirac,dnxhd,dv,evc,film_cpk,flic,flv,"
    "gif,gxf,h261,h263,h264,hevc,ingenient,ipu,ivf,jpeg_pipe,kux,live_flv,lvf,lxf,m4a,m4v,matroska,mgsts,mj2,"
    "mjpeg,mjpeg_2000,mov,mp4,mpeg,mpegts,mpegvideo,mpjpeg,mv,mvi,mxf,nsv,nut,nuv,obu,ogg,pmp,r3d,rm,roq,"
    "smjpeg,swf,vc1,vc1test,vvc,webm,webp_anim,wtv,xmv,yop,yuv4mpegpipe"
)
"""FFmpeg's names of formats that hold their pictures themselves."""

RESTRICTION = f"format_whitelist;{FORMATS}"

OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
"""Where OpenCV reads options for FFmpeg, at each opening."""

PLAY_LISTS = (b"#EXTM3U", b"ffconcat", b"<MPD", b"m=video", b"[playlist]", b"<playlist", b"<asx")
PLAY_LIST_SUFFIXES = frozenset((".m3u", ".m3u8", ".pls", ".xspf", ".asx", ".wpl", ".sdp", ".mpd"))
TEXT_BYTES = frozenset(range(32, 127)) | {9, 10, 12, 13, 27}
_opening = threading.Lock()
"""Held where options change, and while a file is opened, which takes milliseconds."""


def open_contained(target: Any) -> cv2.VideoCapture:
    """Opens an absolute path, `pipe:N` or bytes in memory (`io.BytesIO`); ask it whether it is open."""
    _restrict_formats()
    if isinstance(target, str):
        return cv2.VideoCapture(target, cv2.CAP_FFMPEG)
    return cv2.VideoCapture(target, cv2.CAP_FFMPEG, [])


def open_address(url: str, limits: list[int]) -> cv2.VideoCapture:
    """Opens a URL, which may be that of a play list: the user named that host.

    `limits` are pairs of `cv2.CAP_PROP_*` and a value.
    """
    with _opening:
        _restrict_formats()
        restricted = os.environ.pop(OPTIONS)
        if options := restricted.rpartition(RESTRICTION)[0].rstrip("|"):
            os.environ[OPTIONS] = options
        try:
            return cv2.VideoCapture(url, cv2.CAP_FFMPEG, limits)
        finally:
            os.environ[OPTIONS] = restricted


def open_file(path: Path) -> cv2.VideoCapture:
    """Opens a film in the file system, whatever its name is.

    Raises:
        SourceError: the name cannot be given to OpenCV.
    """
    # The absolute path keeps FFmpeg from taking a name such as `concat:a` for a protocol.
    name = str(path.absolute())
    try:
        name.encode()
    except UnicodeEncodeError:  # OpenCV ends the process at such a name
        return _open_by_handle(path)
    with _opening:
        return open_contained(name)


def _open_by_handle(path: Path) -> cv2.VideoCapture:
    with file_boundary(path, SourceError), open_regular(path) as file:
        link = f"/proc/self/fd/{file.fileno()}"
        if not Path(link).exists():
            raise SourceError("the name is not UTF-8: rename the file")
        with _opening:
            return open_contained(link)


def what_is_no_film(head: bytes, suffix: str = "") -> str:
    """What a file with these first bytes, and this ending of its name, seems to be that FFmpeg could not open."""
    if suffix.lower() in PLAY_LIST_SUFFIXES or any(mark in head for mark in PLAY_LISTS):
        return (
            "is a play list, which names other files and hosts; give the video itself, or the "
            "address of the stream"
        )
    if all(byte in TEXT_BYTES for byte in head):
        return "is a text file, expected a video such as MP4, MKV, AVI or WebM"
    return (
        "cannot be opened as a video (not a video, cut off, or an unknown codec); "
        "try to play it, or convert it: ffmpeg -i IN -c:v libx264 OUT.mp4"
    )


def _restrict_formats() -> None:
    """Lets FFmpeg take what is opened for `FORMATS` alone, beside options of the user's."""
    quiet_opencv()
    options = os.environ.get(OPTIONS, "")
    if RESTRICTION not in options:
        os.environ[OPTIONS] = f"{options}|{RESTRICTION}" if options else RESTRICTION
