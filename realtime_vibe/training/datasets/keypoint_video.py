"""Videos of which only 2D keypoints are known: the in-the-wild branch of VIBE's training.

Legend: N rows, L = 33 BlazePose landmarks. Two layouts are read, distinguished by their arrays:

* labelled by our tracker (`python -m realtime_vibe.training.samples.label_videos DIR --out DIR`), one row per
  person and frame: `frame_index`, `time_s`, `dt_s`, `track_id` (N,), `bbox_xyxy` (N, 4), `image_px` (N, 33, 3),
  `world_m` (N, 33, 3), `visibility` (N, 33), `presence` (N,), `size` (2,) = width, height, `fps` ();
* labelled by others, `NAME.npz` beside `NAME.mp4`, one person, one row per frame: `keypoints` (N, 33, 3) =
  x, y [px], confidence, `fps` (), `size` (2,).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.errors import DatasetError
from realtime_vibe.packets import NUM_LANDMARKS
from realtime_vibe.system.npz_file import NpzArchive, open_npz
from realtime_vibe.training.datasets.skip_bad import SkippedFile, load_each

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]

VIDEO_SUFFIXES = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpg", ".webm"})

_ROWS: dict[str, tuple[type[np.generic], tuple[int, ...]]] = {
    "frame_index": (np.int64, ()),
    "time_s": (np.float64, ()),
    "dt_s": (np.float32, ()),
    "track_id": (np.int64, ()),
    "bbox_xyxy": (np.float32, (4,)),
    "image_px": (np.float32, (NUM_LANDMARKS, 3)),
    "world_m": (np.float32, (NUM_LANDMARKS, 3)),
    "visibility": (np.float32, (NUM_LANDMARKS,)),
    "presence": (np.float32, ()),
}
"""Array -> dtype and shape of one row, of a file that our tracker labelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeypointVideo:
    """What is known of one video."""

    name: str
    """The file's name without suffix."""
    size: tuple[int, int]
    """Width, height [px]."""
    fps: float
    """Nominal; 0 where the container did not say."""
    frame_index: IntArray
    """(N,) position of the row's frame in the video, from 0."""
    time_s: NDArray[np.float64]
    """(N,) media time."""
    dt_s: FloatArray
    """(N,) since the person was last seen; 0 on the first row of a track."""
    track_id: IntArray
    """(N,) rows of one number are one person."""
    bbox_xyxy: FloatArray
    """(N, 4) around the keypoints [px]."""
    image_px: FloatArray
    """(N, 33, 3) x, y [px] and depth in the same scale, 0 where others labelled."""
    visibility: FloatArray
    """(N, 33) confidence of each keypoint in [0, 1]."""
    presence: FloatArray
    """(N,) chance that there is a person."""
    world_m: FloatArray | None = None
    """(N, 33, 3) BlazePose's own 3D guess [m]; None where others labelled."""

    @property
    def keypoints(self) -> FloatArray:
        """(N, 33, 3) x, y [px], confidence: all that a 2D loss may use."""
        return np.concatenate([self.image_px[..., :2], self.visibility[..., None]], axis=-1)

    def tracks(self) -> tuple[IntArray, ...]:
        """Row numbers of each person, in order of time; unbroken, as each track has one number."""
        return tuple(np.flatnonzero(self.track_id == track) for track in np.unique(self.track_id))


@dataclass(frozen=True, slots=True, kw_only=True)
class KeypointVideos:
    """All labelled videos of a folder."""

    videos: tuple[KeypointVideo, ...]
    skipped: tuple[SkippedFile, ...] = ()


def load_keypoint_videos(folder: Path, *, skip_bad: bool = False) -> KeypointVideos:
    """Reads every labelled video (`.npz`) under a folder, at any depth, in the order of their paths.

    `skip_bad` leaves bad files out and counts them.

    Raises:
        DatasetError: no such folder, nothing labelled, a video without labels beside it, or a bad file.
    """
    if not folder.is_dir():
        raise DatasetError(f"no folder {folder}, expected one with labelled videos (.npz)")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    labels = [path for path in files if path.suffix == ".npz"]
    bare = [
        path for path in files if is_video(path) and path.with_suffix(".npz") not in set(labels)
    ]
    if not labels and not bare:
        raise DatasetError(f"no labelled videos (.npz) in {folder}")
    videos, skipped = load_each([*labels, *bare], _load, skip_bad=skip_bad)
    return KeypointVideos(videos=tuple(videos), skipped=skipped)


def load_keypoint_video(path: Path) -> KeypointVideo:
    """Reads the labels of one video, in either layout.

    Raises:
        DatasetError: damaged, an array is missing or has the wrong shape, or the video that others
            labelled does not lie beside it.
    """
    with open_npz(path, DatasetError, "expected a labelled video (.npz)") as archive:
        if "image_px" in archive:
            return _ours(archive, path.stem)
        if "keypoints" not in archive:
            raise DatasetError(
                f"arrays {sorted(archive)}, expected image_px (our tracker's) or keypoints"
            )
        video = _others(archive, path.stem)
    if not any(path.with_suffix(suffix).is_file() for suffix in VIDEO_SUFFIXES):
        raise DatasetError(f"{path}: no video {path.stem}.mp4 (.mov, ..) beside these keypoints")
    return video


def stored_arrays(video: KeypointVideo) -> dict[str, NDArray[np.generic]]:
    """The arrays of the layout that our tracker's labels are stored in, for `numpy.savez`.

    Raises:
        DatasetError: others labelled the video, so it has no 3D guess to store.
    """
    if video.world_m is None:
        raise DatasetError(
            f"{video.name}: no world_m; only our tracker's labels are stored this way"
        )
    arrays = {key: np.asarray(getattr(video, key), dtype) for key, (dtype, _) in _ROWS.items()}
    return {**arrays, "size": np.array(video.size), "fps": np.array(video.fps)}


def is_video(path: Path) -> bool:
    """Whether a name is that of a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def _load(path: Path) -> KeypointVideo:
    if is_video(path):
        raise DatasetError(
            f"{path}: no {path.stem}.npz beside it; label it: "
            f"python -m realtime_vibe.training.samples.label_videos {path.parent} --out DIR"
        )
    return load_keypoint_video(path)


def _ours(archive: NpzArchive, name: str) -> KeypointVideo:
    missing = [key for key in (*_ROWS, "size", "fps") if key not in archive]
    if missing:
        raise DatasetError(f"no {', '.join(missing)}; label the video again")
    count = len(_numbers(archive, "frame_index", 1))
    rows = {}
    for key, (dtype, shape) in _ROWS.items():
        array = _numbers(archive, key, 1 + len(shape))
        if array.shape != (count, *shape):
            raise DatasetError(f"{key} has shape {array.shape}, expected {(count, *shape)}")
        rows[key] = array.astype(dtype)
    return KeypointVideo(name=name, size=_size(archive), fps=_fps(archive), **rows)


def _others(archive: NpzArchive, name: str) -> KeypointVideo:
    missing = [key for key in ("size", "fps") if key not in archive]
    if missing:
        raise DatasetError(f"no {', '.join(missing)}, expected keypoints, size and fps")
    keypoints = _numbers(archive, "keypoints", 3).astype(np.float32)
    if keypoints.shape[1:] != (NUM_LANDMARKS, 3):
        raise DatasetError(f"keypoints {keypoints.shape}, expected (N, 33, 3): x, y, confidence")
    fps = _fps(archive)
    if fps <= 0:
        raise DatasetError(f"fps {fps}, expected frames per second")
    count = len(keypoints)
    confidence = np.clip(keypoints[..., 2], 0.0, 1.0)
    points = keypoints[..., :2]
    image_px = np.concatenate([points, np.zeros((count, NUM_LANDMARKS, 1), np.float32)], axis=-1)
    dt_s = np.full(count, 1.0 / fps, np.float32)
    dt_s[:1] = 0.0
    return KeypointVideo(
        name=name,
        size=_size(archive),
        fps=fps,
        frame_index=np.arange(count),
        time_s=np.arange(count) / fps,
        dt_s=dt_s,
        track_id=np.zeros(count, np.int64),
        bbox_xyxy=_boxes(points, confidence),
        image_px=image_px,
        visibility=confidence,
        presence=confidence.max(axis=1, initial=0.0),
    )


def _boxes(points: FloatArray, confidence: FloatArray) -> FloatArray:
    """(N, 4) around the points that somebody saw; zeros where nobody saw any."""
    seen = confidence[..., None] > 0
    low = np.where(seen, points, np.inf).min(axis=1)
    high = np.where(seen, points, -np.inf).max(axis=1)
    boxes = np.concatenate([low, high], axis=-1)
    return np.where(np.isfinite(boxes), boxes, 0.0).astype(np.float32)


def _numbers(archive: NpzArchive, key: str, num_axes: int) -> NDArray[np.generic]:
    array: NDArray[np.generic] = archive[key]
    if array.dtype.kind not in "biuf" or array.ndim != num_axes:
        raise DatasetError(
            f"{key} is {array.dtype} {array.shape}, expected {num_axes} axes of numbers"
        )
    if not np.isfinite(array.astype(np.float64)).all():
        raise DatasetError(f"{key} holds values that are not finite")
    return array


def _size(archive: NpzArchive) -> tuple[int, int]:
    size = _numbers(archive, "size", 1).astype(np.float64)
    if size.shape != (2,) or not ((size >= 1) & (size <= 1e6)).all():
        raise DatasetError(f"size {size.tolist()}, expected width and height [px]")
    return int(size[0]), int(size[1])


def _fps(archive: NpzArchive) -> float:
    fps = float(_numbers(archive, "fps", 0).astype(np.float64))
    if not 0 <= fps <= 1000:
        raise DatasetError(f"fps {fps}, expected at most 1000 frames per second")
    return fps
