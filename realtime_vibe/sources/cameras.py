"""Which cameras there are."""

import sys
from dataclasses import dataclass

import cv2
import cv2_enumerate_cameras

from realtime_vibe.sources.opencv import quiet_opencv


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraInfo:
    """A camera that the system knows; it may still be in use or refuse."""

    index: int
    """What `--source` takes."""
    name: str
    """The product's name."""
    path: str
    """The device file on Linux, the device's path in the system elsewhere; may be empty."""


def camera_backends() -> tuple[int, ...]:
    """OpenCV's capture interfaces worth trying on this system, best first.

    Never `CAP_ANY`: it tries interfaces for other devices and prints their failures. On Windows
    DirectShow opens at once where Media Foundation takes 4 to 12 s.
    """
    if sys.platform == "win32":
        return (cv2.CAP_DSHOW, cv2.CAP_MSMF)
    if sys.platform == "darwin":
        return (cv2.CAP_AVFOUNDATION,)
    return (cv2.CAP_V4L2,)


def list_cameras() -> tuple[CameraInfo, ...]:
    """All cameras, ordered by index; empty where there is none."""
    quiet_opencv()
    found = cv2_enumerate_cameras.enumerate_cameras(camera_backends()[0])
    cameras = (
        CameraInfo(index=camera.index, name=camera.name or "unnamed", path=camera.path or "")
        for camera in found
    )
    return tuple(sorted(cameras, key=lambda camera: camera.index))


def describe_cameras(cameras: tuple[CameraInfo, ...]) -> str:
    """One line for messages: `found: 0 "Integrated Camera", 2 "BRIO"`, or `found no camera`."""
    if not cameras:
        return "found no camera"
    return "found: " + ", ".join(f'{camera.index} "{camera.name}"' for camera in cameras)
