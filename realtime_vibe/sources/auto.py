"""The first camera that works, else the bundled demo clip."""

import logging
from collections.abc import Callable

from realtime_vibe.errors import SourceError
from realtime_vibe.sources.base import FrameSource
from realtime_vibe.sources.cameras import CameraInfo, describe_cameras, list_cameras
from realtime_vibe.sources.video_file import VideoFile, demo_clip_path

logger = logging.getLogger(__name__)


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
