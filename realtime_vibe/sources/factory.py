"""From what the user typed to a source."""

import contextlib
import glob
import logging
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from realtime_vibe.errors import SourceError, without_secrets
from realtime_vibe.sources.base import DEFAULT_FPS, FrameSource
from realtime_vibe.sources.cameras import CameraInfo, describe_cameras, list_cameras
from realtime_vibe.sources.image_folder import ImageFolder, folder_source, glob_source, is_image
from realtime_vibe.sources.stream_url import is_url, stream_source
from realtime_vibe.sources.synthetic import SyntheticSource
from realtime_vibe.sources.video_file import VideoFile, demo_clip_path
from realtime_vibe.sources.video_pipe import is_pipe, pipe_source
from realtime_vibe.sources.webcam import DEFAULT_SIZE, webcam_source
from realtime_vibe.system.file_boundary import file_boundary

logger = logging.getLogger(__name__)

_STANDARD_INPUT = Path("/dev/stdin")


def open_source(
    spec: str,
    *,
    paced: bool,
    size: tuple[int, int] | None = None,
    fps: float | None = None,
) -> FrameSource:
    """Opens the source that `spec` names; the caller closes it.

    Args:
        spec: `auto`, a camera's index or device file, a video, an image, a folder or a pattern of
            images, a URL, `-` for standard input, or `synthetic`.
        paced: play recorded media at its own speed, as for live viewing, else as fast as it is read.
        size: (width, height) [px] to ask a camera or the synthetic source for.
        fps: rate to ask a camera or the synthetic source for, or to assume for images
            and for videos that hold no times, such as raw H.264.

    Raises:
        SourceError: nothing can be made of `spec`, or it does not deliver.
    """
    wanted_size, wanted_fps = size or DEFAULT_SIZE, fps or DEFAULT_FPS
    open_camera = partial(webcam_source, size=wanted_size, fps=wanted_fps)
    if spec == "auto":
        return auto_source(open_camera, paced=paced)
    if spec == "ask":
        raise SourceError(
            "only the command line can ask which camera to take: give a camera's number, or auto"
        )
    if spec == "synthetic":
        return SyntheticSource(size=wanted_size, fps=wanted_fps, paced=paced)
    if spec.isascii() and spec.isdigit():
        return open_camera(int(spec))
    if spec.startswith("/dev/v"):  # video0, v4l/by-id/..
        return open_camera(spec)
    if size is not None:
        logger.warning(
            "%s: a size can only be asked of cameras; left as it is", without_secrets(spec)
        )
    if is_url(spec) and not spec.lower().startswith("file:"):
        return stream_source(spec, paced=paced)
    return recorded_source(spec, paced=paced, fps=fps)


def auto_source(
    new_camera: Callable[[int], FrameSource],
    *,
    paced: bool,
    cameras: Callable[[], tuple[CameraInfo, ...]] = list_cameras,
) -> FrameSource:
    """The first camera that delivers; where none does, the demo clip, and says so.

    `paced` plays it at its own speed, for ever; else once, as fast as it is read.

    Raises:
        SourceError: not even the clip can be played.
    """
    found = cameras()
    for camera in found:
        try:
            source = new_camera(camera.index)
        except SourceError as error:
            logger.warning("%s", error)
            continue
        logger.info('using camera %d "%s"%s', camera.index, camera.name, _others(found, camera))
        return source
    logger.warning("no camera found: playing the bundled demo clip")
    return VideoFile(demo_clip_path(), paced=paced, loop=paced)


def _others(cameras: tuple[CameraInfo, ...], chosen: CameraInfo) -> str:
    """How to take another camera; empty where there is none."""
    others = tuple(camera for camera in cameras if camera is not chosen)
    if not others:
        return ""
    return (
        f"; also {describe_cameras(others)}: take it by --source {others[0].index}, or --source ask"
    )


def recorded_source(spec: str, *, paced: bool, fps: float | None) -> FrameSource:
    """A source for something in the file system; see `open_source`.

    Raises:
        SourceError: `spec` is empty or names nothing that can be played.
    """
    assumed_fps = fps or DEFAULT_FPS
    advice = "expected auto, ask, 0, FILE, FOLDER, GLOB, URL or synthetic"
    if not spec.strip():
        raise SourceError(f"got the source {spec!r}, {advice}")
    with file_boundary(spec, SourceError, advice):
        path = Path(url2pathname(urlsplit(spec).path)) if is_url(spec) else Path(spec)
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            path.stat()  # a name that cannot be one
    if spec == "-":
        path = _STANDARD_INPUT
        if not (is_pipe(path) or path.is_file()):
            raise SourceError(
                "nothing is piped into standard input; expected a video, as in "
                "ffmpeg -i CLIP -f matroska - | realtime-vibe --source -"
            )
    if path.is_dir():
        return folder_source(path, fps=assumed_fps, paced=paced)
    if is_image(path):
        return ImageFolder(path.name, [path], fps=assumed_fps, paced=paced)
    if not path.exists() and (numbered := re.sub(r"%0?\d*d", "*", path.name)) != path.name:
        raise SourceError(
            f"{spec}: numbers are not written so here; give the pattern '{path.with_name(numbered)}'"
        )
    if not path.exists() and glob.has_magic(spec):
        return glob_source(spec, fps=assumed_fps, paced=paced)
    if is_pipe(path):
        return pipe_source(path, paced=paced, fps=fps)
    return VideoFile(path, paced=paced, fps=fps)
