"""Labels videos with our own tracker: `python -m realtime_vibe.training.samples.label_videos DIR --out DIR`.

One `.npz` per video (see `training.datasets.keypoint_video`), written as a whole or not at all; a video
whose file is there is not labelled again, so a job that was cut off goes on where it was.
"""

import argparse
import logging
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from realtime_vibe.backends.graph_folder import engine_folder
from realtime_vibe.errors import DatasetError, OutputError, RealtimeVibeError
from realtime_vibe.packets import Frame, PoseLandmarks, TrackedPerson
from realtime_vibe.sources.image_folder import VIDEO_SUFFIXES
from realtime_vibe.sources.video_file import VideoFile
from realtime_vibe.system.file_boundary import make_folder
from realtime_vibe.system.placing import write_atomically
from realtime_vibe.tracking.base import PersonTracker
from realtime_vibe.tracking.choices import TrackerChoice
from realtime_vibe.tracking.factory import make_blazepose_tracker
from realtime_vibe.training.datasets.keypoint_video import ROWS, KeypointVideo
from realtime_vibe.training.datasets.skip_bad import load_each


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelReport:
    """What became of a folder of videos."""

    labelled: tuple[Path, ...]
    """Files written now."""
    finished: tuple[Path, ...]
    """Files that were there already."""
    skipped: tuple[str, ...] = ()
    """What was wrong with the others, by messages that name the file."""


def label_folder(
    folder: Path, out: Path, tracker: PersonTracker, *, skip_bad: bool = False
) -> LabelReport:
    """Labels every video under a folder that has no labels yet.

    Args:
        folder: searched at any depth; the tree is repeated under `out`.
        tracker: looks at the frames; its tracks end with each video.
        skip_bad: leave videos out that cannot be read, and count them.

    Raises:
        DatasetError: there are no videos, or two have the same name but for the suffix.
        SourceError: a video cannot be read, unless it is to be skipped.
        OutputError: a file cannot be written.
    """
    targets = _targets(folder, out)
    finished = tuple(target for target in targets.values() if target.is_file())
    todo = [video for video, target in targets.items() if not target.is_file()]

    def label(path: Path) -> Path:
        arrays: dict[str, Any] = dict(label_video(path, tracker))
        make_folder(targets[path].parent, OutputError)
        write_atomically(
            targets[path], lambda file: np.savez_compressed(file, **arrays), overwrite=True
        )
        return targets[path]

    labelled, skipped = load_each(todo, label, skip_bad=skip_bad)
    return LabelReport(labelled=tuple(labelled), finished=finished, skipped=skipped)


def label_video(path: Path, tracker: PersonTracker) -> KeypointVideo:
    """Runs the tracker over every frame of a video.

    Raises:
        SourceError: the video cannot be read.
    """
    tracker.reset()
    with VideoFile(path) as source:
        info = source.info
        frames = tqdm(
            _frames(source), desc=path.name, total=info.frame_count, leave=False, disable=None
        )
        rows = [
            _row(frame, person, person.landmarks)
            for frame in frames
            for person in tracker.update(frame)
            if person.landmarks
        ]
    columns = {
        name: np.array([row[name] for row in rows], dtype).reshape(-1, *shape)
        for name, (dtype, shape) in ROWS.items()
    }
    return columns | {
        "size": np.array([info.width, info.height]),
        "fps": np.array(info.fps or 0.0),
    }


def _frames(source: VideoFile) -> Iterator[Frame]:
    stop = threading.Event()
    while (frame := source.read(stop)) is not None:
        yield frame


def _targets(folder: Path, out: Path) -> dict[Path, Path]:
    """Video -> file of its labels."""
    videos = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file()
    )
    if not videos:
        raise DatasetError(f"no videos in {folder}, expected .mp4, .mov, .mkv, .avi or .webm files")
    targets: dict[Path, Path] = {}
    for video in videos:
        target = (out / video.relative_to(folder)).with_suffix(".npz")
        if target in targets.values():
            raise DatasetError(
                f"{video}: another video has this name; its labels would be {target} too"
            )
        targets[video] = target
    return targets


def _row(frame: Frame, person: TrackedPerson, landmarks: PoseLandmarks) -> dict[str, Any]:
    """What is known of a person in a frame, by the names in `ROWS`."""
    return {
        "frame_index": frame.index,
        "time_s": frame.captured_at_s,
        "dt_s": person.dt_s,
        "track_id": person.track_id,
        "bbox_xyxy": person.bbox_xyxy,
        "image_px": landmarks.image_px,
        "world_m": landmarks.world_m,
        "visibility": landmarks.visibility,
        "presence": landmarks.presence,
    }


def main(words: Sequence[str] | None = None) -> int:
    """Command line, None the words of the process; returns 0, or 2 after one line about what is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m realtime_vibe.training.samples.label_videos",
        description="Finds 2D keypoints of people in videos, for training without 3D truth.",
    )
    parser.add_argument("folder", metavar="DIR", type=Path, help="videos, at any depth")
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="for the .npz files")
    parser.add_argument("--engine", metavar="NAME|DIR", default="blazepose", help="the tracker's")
    parser.add_argument("--backend", metavar="auto|NAME", default="auto")
    parser.add_argument(
        "--skip-bad", action="store_true", help="count bad videos instead of ending"
    )
    given = parser.parse_args(words)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        choice = TrackerChoice(backend=given.backend)
        with make_blazepose_tracker(engine_folder(given.engine), choice) as tracker:
            report = label_folder(given.folder, given.out, tracker, skip_bad=given.skip_bad)
    except RealtimeVibeError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(
        f"{len(report.labelled)} videos labelled, {len(report.finished)} were already, "
        f"{len(report.skipped)} skipped\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
