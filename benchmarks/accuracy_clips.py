"""Clips with known 3D joints: the record every kind of test set becomes, and our own clip folders.

A clip folder holds `video.mp4` and `truth.npz`. Legend: F truth frames, K joints.

| key | shape | |
|---|---|---|
| `joints_camera` | (F, K, 3) | camera frame (x right, y down, z forward) [m]; NaN: unknown |
| `joint_names` | (K,) | SMPL joint names, `l_hip` for `left_hip` |
| `first_frame` | () | index of the video frame that `joints_camera[0]` belongs to |
| `fps` | () | [1/s] |
| `global_orient` | (F, 3) | optional: axis-angle [rad] from the rest pose to the camera frame |
| `body_pose` | (F, 69) | optional: axis-angle [rad] of the 23 other joints |
| `betas` | (10,) | optional |
| `transl` | (F, 3) | optional, not needed for any score |
| `K` | (3, 3) | optional: the camera's matrix [px], to compare with the image |
| `dist` | (5,) | optional: its distortion, as OpenCV writes it |

`global_orient`, `body_pose` and `betas` come together and belong to the engine's own body.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy_joints import KNOWN_JOINTS, full_joint_name, joint_rows
from realtime_vibe.errors import DatasetError
from realtime_vibe.packets import NUM_BETAS, NUM_SMPL_JOINTS, Frame
from realtime_vibe.sources.opencv import quiet_opencv
from realtime_vibe.system.npz_file import open_npz

TRUTH_NAME, VIDEO_NAME = "truth.npz", "video.mp4"

_USUAL_RATE_HZ = 30.0
_REQUIRED = ("joints_camera", "joint_names", "first_frame", "fps")
_POSE = ("global_orient", "body_pose", "betas")
_POSE_SIZE = 3 * (NUM_SMPL_JOINTS - 1)

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthPose:
    """Parameters of the true body; its vertices are those of the engine's body."""

    global_orient: FloatArray
    """(F, 3) axis-angle [rad], rest frame to camera frame."""
    body_pose: FloatArray
    """(F, 69) axis-angle [rad]."""
    betas: FloatArray
    """(10,)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intrinsics:
    """The true camera."""

    K: FloatArray
    """(3, 3) [px]."""
    dist: FloatArray
    """(5,) OpenCV's distortion."""

    def __post_init__(self) -> None:
        for name, array, shape in (("K", self.K, (3, 3)), ("dist", self.dist, (5,))):
            if array.shape != shape:
                raise DatasetError(f"{name} has shape {array.shape}, expected {shape}")

    def project(self, points: FloatArray) -> FloatArray:
        """Pixels (..., 2) of points (..., 3) in the camera frame [m]; NaN stays NaN."""
        flat = points.reshape(-1, 1, 3)
        pixels, _ = cv2.projectPoints(flat, np.zeros(3), np.zeros(3), self.K, self.dist)
        return np.asarray(pixels, np.float64).reshape(*points.shape[:-1], 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipTruth:
    """What is known about a clip.

    Raises:
        DatasetError: a shape, a name or a number is wrong, or no frame has all its joints.
    """

    joints: FloatArray
    """(F, K, 3) camera frame [m]; frames with NaN are not scored."""
    names: tuple[str, ...]
    """(K,) full names, out of `KNOWN_JOINTS`."""
    first_frame: int
    """Index of the frame that `joints[0]` belongs to."""
    fps: float
    """[1/s]."""
    pose: TruthPose | None = None
    are_marked: bool = False
    """Whether the joints were found in pictures, not computed from a body."""
    joints_px: FloatArray | None = None
    """(F, any, 2) [px] points of the person in the image, to tell this person from others in view;
    None: whoever the tracker follows is taken for the person."""
    intrinsics: Intrinsics | None = None
    """None: the camera is not known."""
    pose_of_other: TruthPose | None = None
    """Parameters of the true body on another model than the engine's, such as gendered ones."""

    def __post_init__(self) -> None:
        shape, num_names = self.joints.shape, len(self.names)
        if len(shape) != 3 or shape[1:] != (num_names, 3) or not self.joints.size:
            raise DatasetError(
                f"joints_camera has shape {shape}, expected (frames, {num_names} names, 3)"
            )
        joint_rows(self.names, KNOWN_JOINTS)
        if len(set(self.names)) != num_names:
            raise DatasetError(f"joint_names has a name twice: {', '.join(self.names)}")
        if not (np.isfinite(self.fps) and self.fps > 0):
            raise DatasetError(f"fps is {self.fps}, expected frames a second above 0")
        if self.first_frame < 0:
            raise DatasetError(f"first_frame is {self.first_frame}, expected 0 or more")
        if not np.isfinite(self.joints).all(axis=(1, 2)).any():
            raise DatasetError("joints_camera has no frame without NaN")
        if self.joints_px is not None and self.joints_px.shape[::2] != (shape[0], 2):
            raise DatasetError(
                f"joints_px has shape {self.joints_px.shape}, expected ({shape[0]}, any, 2)"
            )
        for pose in (self.pose, self.pose_of_other):
            if pose is not None:
                self._check_pose(pose)

    def _check_pose(self, pose: TruthPose) -> None:
        num_frames = len(self.joints)
        for name, array, shape in (
            ("global_orient", pose.global_orient, (num_frames, 3)),
            ("body_pose", pose.body_pose, (num_frames, _POSE_SIZE)),
            ("betas", pose.betas, (NUM_BETAS,)),
        ):
            if array.shape != shape:
                raise DatasetError(f"{name} has shape {array.shape}, expected {shape}")

    @property
    def num_frames(self) -> int:
        """F."""
        return len(self.joints)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationClip:
    """One clip to score; a reader of any test set makes these."""

    name: str
    truth: ClipTruth
    open_frames: Callable[[], Generator[Frame]]
    """Starts the frames over, from the beginning of the clip, so that the tracker can settle before
    `first_frame`; `Frame.index` counts as `first_frame` does. Closing the generator frees the file."""


def find_clips(folder: Path) -> tuple[EvaluationClip, ...]:
    """The clip folders in a folder, or the folder itself if it is one, by name.

    Raises:
        DatasetError: there is none, or one is incomplete or damaged.
    """
    if not folder.is_dir():
        raise DatasetError(f"no folder at {folder}; expected a folder of clip folders")
    holders = [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]
    clips = [path for path in holders if any((path / n).exists() for n in (TRUTH_NAME, VIDEO_NAME))]
    if not clips:
        raise DatasetError(
            f"no clips in {folder}; expected folders with {VIDEO_NAME} and {TRUTH_NAME}"
        )
    return tuple(read_clip_folder(path) for path in clips)


def read_clip_folder(folder: Path) -> EvaluationClip:
    """One clip folder; the video is opened later.

    Raises:
        DatasetError: a file is missing, or the truth is damaged.
    """
    for name in (TRUTH_NAME, VIDEO_NAME):
        if not (folder / name).is_file():
            raise DatasetError(f"clip {folder} has no {name}; expected {VIDEO_NAME} + {TRUTH_NAME}")
    truth = load_truth(folder / TRUTH_NAME)
    return EvaluationClip(
        name=folder.resolve().name,
        truth=truth,
        open_frames=lambda: video_frames(folder / VIDEO_NAME, truth.fps),
    )


def load_truth(path: Path) -> ClipTruth:
    """Reads a `truth.npz`.

    Raises:
        DatasetError: the file is missing or damaged, lacks a key, or a value has the wrong form.
    """
    with open_npz(path, DatasetError, "expected the truth of a clip") as archive:
        return _truth_from_arrays(dict(archive))


def _truth_from_arrays(arrays: Mapping[str, NDArray[np.generic]]) -> ClipTruth:
    missing = [key for key in _REQUIRED if key not in arrays]
    if missing:
        raise DatasetError(f"it lacks {', '.join(missing)}")
    given = [key for key in _POSE if key in arrays]
    if given and len(given) < len(_POSE):
        lacking = ", ".join(key for key in _POSE if key not in given)
        raise DatasetError(f"it has {', '.join(given)} but lacks {lacking}")
    return ClipTruth(
        joints=arrays["joints_camera"].astype(np.float64),
        names=tuple(full_joint_name(str(name)) for name in arrays["joint_names"]),
        first_frame=int(arrays["first_frame"].item()),
        fps=float(arrays["fps"].item()),
        pose=TruthPose(**{key: arrays[key].astype(np.float64) for key in _POSE}) if given else None,
        are_marked=not given,
        intrinsics=_intrinsics(arrays),
    )


def _intrinsics(arrays: Mapping[str, NDArray[np.generic]]) -> Intrinsics | None:
    if "K" not in arrays:
        return None
    dist = arrays["dist"].astype(np.float64) if "dist" in arrays else np.zeros(5)
    return Intrinsics(K=arrays["K"].astype(np.float64), dist=dist)


def whole_video(path: Path) -> Generator[Frame]:
    """The frames of a video at the rate that the file states, or 30 a second.

    Raises:
        DatasetError: it cannot be opened, or holds no picture.
    """
    quiet_opencv()
    capture = cv2.VideoCapture(str(path))
    fps = float(capture.get(cv2.CAP_PROP_FPS))
    capture.release()
    yield from video_frames(path, fps if fps > 0 else _USUAL_RATE_HZ)


def video_frames(path: Path, fps: float) -> Generator[Frame]:
    """The frames of a video, stamped by its frame rate.

    Args:
        path: the file.
        fps: [1/s].

    Raises:
        DatasetError: it cannot be opened, or holds no picture.
    """
    quiet_opencv()  # FFmpeg's complaints would come before our one line
    capture = cv2.VideoCapture(str(path))
    try:
        if not capture.isOpened():
            raise DatasetError(f"{path} cannot be opened as a video")
        index = 0
        while True:
            is_read, image = capture.read()
            if not is_read:
                break
            yield Frame(
                image_bgr=np.asarray(image, np.uint8),
                index=index,
                captured_at_s=index / fps,
                grabbed_at_s=0.0,
            )
            index += 1
        if index == 0:
            raise DatasetError(f"{path} holds no picture that can be decoded")
    finally:
        capture.release()


def picture_frames(paths: Sequence[Path], fps: float) -> Generator[Frame]:
    """Pictures, each in a file of its own, as frames at a steady rate.

    Raises:
        DatasetError: a picture is missing or cannot be read.
    """
    for index, path in enumerate(paths):
        image = cv2.imread(str(path))
        if image is None:
            raise DatasetError(f"{path} is missing or cannot be read as a picture")
        yield Frame(
            image_bgr=np.asarray(image, np.uint8),
            index=index,
            captured_at_s=index / fps,
            grabbed_at_s=0.0,
        )
