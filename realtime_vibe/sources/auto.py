"""The first camera that works, else the bundled demo clip."""

import logging
from collections.abc import Callable

from realtime_vibe.errors import SourceError
from realtime_vibe.sources.base import ChosenSource, FrameSource
from realtime_vibe.sources.cameras import CameraInfo, describe_cameras, list_cameras
from realtime_vibe.sources.video_file import VideoFile, demo_clip_path

logger = logging.getLogger(__name__)


class AutoSource(ChosenSource):
    """Tries every camera in turn; where none delivers, plays the demo clip and says so.

    `paced` plays it at its own speed, for ever; else once, as fast as it is read.
    """

    def __init__(
        self,
        new_camera: Callable[[int], FrameSource],
        *,
        paced: bool,
        cameras: Callable[[], tuple[CameraInfo, ...]] = list_cameras,
    ) -> None:
        self._new_camera = new_camera
        self._cameras = cameras
        self._chosen: FrameSource = VideoFile(demo_clip_path(), paced=paced, loop=paced)

    def open(self) -> None:
        """Opens the first camera that delivers, else the clip.

        Raises:
            SourceError: not even the clip can be played.
        """
        cameras = self._cameras()
        for camera in cameras:
            source = self._new_camera(camera.index)
            try:
                source.open()
            except SourceError as error:
                logger.warning("%s", error)
                continue
            self._chosen = source
            logger.info(
                'using camera %d "%s"%s', camera.index, camera.name, _others(cameras, camera)
            )
            return
        logger.warning("no camera found: playing the bundled demo clip")
        self._chosen.open()


def _others(cameras: tuple[CameraInfo, ...], chosen: CameraInfo) -> str:
    """How to take another camera; empty where there is none."""
    others = tuple(camera for camera in cameras if camera is not chosen)
    if not others:
        return ""
    return (
        f"; also {describe_cameras(others)}: take it by --source {others[0].index}, or --source ask"
    )
