"""Videos of which only 2D keypoints are known: the in-the-wild branch of VIBE's training.

Our tracker labels them (`python -m realtime_vibe.training.samples.label_videos DIR --out DIR`): one `.npz` a
video, one row per person and frame. Legend: N rows, L = 33 BlazePose landmarks.

| key | shape | |
|---|---|---|
| `frame_index`, `time_s` | (N,) | the row's frame: position in the video, media time |
| `dt_s` | (N,) | time since the person was last seen [s]; 0 on the first row of a track |
| `track_id` | (N,) | rows of one number are one person |
| `bbox_xyxy` | (N, 4) | around the keypoints [px] |
| `image_px` | (N, L, 3) | x, y [px] and depth in the same scale |
| `world_m` | (N, L, 3) | the tracker's 3D guess |
| `visibility` | (N, L) | confidence of each keypoint, 0 to 1 |
| `presence` | (N,) | chance that there is a person |
| `size` | (2,) | width and height of the picture [px] |
| `fps` | () | nominal frame rate; 0 where the container did not say |
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.errors import DatasetError
from realtime_vibe.packets import NUM_LANDMARKS
from realtime_vibe.system.npz_file import open_npz
from realtime_vibe.training.datasets.skip_bad import load_each

KeypointVideo = dict[str, NDArray[Any]]
"""Arrays of the table."""

ROWS: dict[str, tuple[type[np.generic], tuple[int, ...]]] = {
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
"""Type and shape of one row of each array but the last two."""


def load_keypoint_videos(folder: Path, *, skip_bad: bool = False) -> list[KeypointVideo]:
    """Reads the labels of every video under a folder, at any depth, in the order of their paths.

    `skip_bad` leaves bad files out and logs them.

    Raises:
        DatasetError: no such folder, nothing labelled, or a bad file.
    """
    if not folder.is_dir():
        raise DatasetError(f"no folder {folder}, expected one with labelled videos (.npz)")
    paths = sorted(folder.rglob("*.npz"))
    if not paths:
        raise DatasetError(
            f"no labelled videos (.npz) in {folder}: label some with "
            f"python -m realtime_vibe.training.samples.label_videos VIDEOS --out {folder}"
        )
    return load_each(paths, load_keypoint_video, skip_bad=skip_bad)[0]


def load_keypoint_video(path: Path) -> KeypointVideo:
    """Reads the labels of one video.

    Raises:
        DatasetError: damaged, an array is missing or has the wrong shape.
    """
    with open_npz(path, DatasetError, "label the video again") as archive:
        video = {name: archive[name] for name in (*ROWS, "size", "fps")}
        count = len(np.atleast_1d(video["frame_index"]))
        shapes = {name: (count, *shape) for name, (_, shape) in ROWS.items()}
        for name, shape in {**shapes, "size": (2,), "fps": ()}.items():
            array = video[name]
            if array.dtype.kind not in "biuf" or array.shape != shape:
                raise ValueError(f"{name} is {array.dtype} {array.shape}, expected numbers {shape}")
            if not np.isfinite(array.astype(np.float64)).all():
                raise ValueError(f"{name} holds values that are not finite")
        size, fps = video["size"].astype(np.float64), float(video["fps"])
        if not ((size >= 1) & (size <= 1e6)).all():
            raise ValueError(f"size {video['size'].tolist()}, expected width and height [px]")
        if not 0 <= fps <= 1000:
            raise ValueError(f"fps {fps}, expected at most 1000 frames per second")
    return video | {name: video[name].astype(dtype) for name, (dtype, _) in ROWS.items()}
