"""Accuracy of the live path on clips with known 3D joints, beside BlazePose's own landmarks.

    python -m benchmarks.accuracy ../shared/data/real3d

Every clip folder holds `video.mp4` and `truth.npz` (`joints_camera` (F, 12, 3) [m], `joint_names`,
`first_frame`, `fps`). Both methods see the same frames in the same run, tracked once, unsmoothed
unless --smooth is given: ours through the whole pipeline, BlazePose's world landmarks straight from
the tracker. The root is the middle of the 12 joints of each method. Accel is the norm of
the difference of second differences at 30 frames a second.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_vibe.app import build_pipeline
from realtime_vibe.body.joints import BLAZEPOSE_LANDMARK_NAMES, SMPL_JOINT_NAMES
from realtime_vibe.config import LiveConfig
from realtime_vibe.errors import DatasetError, RealtimeVibeError
from realtime_vibe.packets import Frame
from realtime_vibe.pipeline import MotionCapturePipeline
from realtime_vibe.training.metrics import accel_error, mpjpe, pa_mpjpe

ACCEL_RATE_HZ = 30.0
_TRUTH_KEYS = ("joints_camera", "joint_names", "first_frame", "fps")

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipTruth:
    """What is known about a clip."""

    joints: FloatArray
    """(F, K, 3) camera frame [m]."""
    names: tuple[str, ...]
    first_frame: int
    """Index of the video frame that `joints[0]` belongs to."""
    fps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Errors of one method on one clip, mean over frames."""

    mpjpe_mm: float
    pa_mpjpe_mm: float
    accel_mm: float
    """[mm/frame^2] at 30 frames a second."""
    coverage: float
    """Share of frames with a person."""


def load_truth(path: Path) -> ClipTruth:
    """Reads a `truth.npz`.

    Raises:
        DatasetError: the file is missing, damaged or lacks a key.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            missing = [key for key in _TRUTH_KEYS if key not in archive]
            if missing:
                raise DatasetError(f"{path} lacks {', '.join(missing)}")
            return ClipTruth(
                joints=archive["joints_camera"].astype(np.float64),
                names=tuple(str(name) for name in archive["joint_names"]),
                first_frame=int(archive["first_frame"]),
                fps=float(archive["fps"]),
            )
    except (OSError, ValueError, BadZipFile) as error:
        raise DatasetError(f"{path} cannot be read ({error}); expected an npz file") from error


def joint_indices(names: tuple[str, ...], known: tuple[str, ...]) -> list[int]:
    """Where each of `names` (`l_hip`, `left_hip`) stands in `known`.

    Raises:
        DatasetError: a name is not among them.
    """
    full = [name.replace("l_", "left_", 1) if name.startswith("l_") else name for name in names]
    full = [name.replace("r_", "right_", 1) if name.startswith("r_") else name for name in full]
    unknown = [name for name in full if name not in known]
    if unknown:
        raise DatasetError(f"unknown joints {unknown}; expected some of {list(known)}")
    return [known.index(name) for name in full]


def run_clip(
    pipeline: MotionCapturePipeline, video: Path, truth: ClipTruth
) -> tuple[FloatArray, FloatArray]:
    """Runs a clip and returns (F, K, 3) of ours and of BlazePose; NaN where nobody was found.

    Raises:
        DatasetError: the video cannot be opened.
    """
    ours_at = joint_indices(truth.names, SMPL_JOINT_NAMES)
    theirs_at = joint_indices(truth.names, BLAZEPOSE_LANDMARK_NAMES)
    ours = np.full_like(truth.joints, np.nan)
    theirs = np.full_like(truth.joints, np.nan)
    capture = cv2.VideoCapture(str(video))
    if not capture.isOpened():
        raise DatasetError(f"{video} cannot be opened as a video")
    pipeline.reset()
    for index in range(truth.first_frame + len(truth.joints)):
        is_read, image = capture.read()
        if not is_read:
            break
        result = pipeline.step(
            Frame(
                image_bgr=np.asarray(image, np.uint8),
                index=index,
                captured_at_s=index / truth.fps,
                grabbed_at_s=0.0,
            )
        )
        row = index - truth.first_frame
        if row < 0 or not result.people:
            continue
        person = result.people[0]
        ours[row] = person.mesh.joints[ours_at]
        if person.person.landmarks is not None:
            theirs[row] = person.person.landmarks.world_m[theirs_at]
    capture.release()
    return ours, theirs


def score(predicted: FloatArray, truth: ClipTruth) -> Scores:
    """Errors over the frames that have a prediction."""
    found = np.isfinite(predicted).all(axis=(1, 2))
    if not found.any():
        return Scores(mpjpe_mm=np.nan, pa_mpjpe_mm=np.nan, accel_mm=np.nan, coverage=0.0)
    stride = max(1, round(truth.fps / ACCEL_RATE_HZ))
    # About the root, as for MPJPE: BlazePose's world landmarks do not move through the room.
    moved = predicted - predicted.mean(axis=1, keepdims=True)
    true = truth.joints - truth.joints.mean(axis=1, keepdims=True)
    accel = [accel_error(moved[start::stride], true[start::stride]) for start in range(stride)]
    return Scores(
        mpjpe_mm=float(mpjpe(predicted[found], truth.joints[found]).mean() * 1e3),
        pa_mpjpe_mm=float(pa_mpjpe(predicted[found], truth.joints[found]).mean() * 1e3),
        accel_mm=float(np.nanmean(np.concatenate(accel)) * 1e3),
        coverage=float(found.mean()),
    )


def evaluate(folder: Path, config: LiveConfig) -> dict[str, dict[str, Scores]]:
    """Scores of every clip in a folder: clip name -> method -> scores.

    Raises:
        DatasetError: there is no clip, or one is damaged.
    """
    clips = sorted(path.parent for path in folder.glob("*/truth.npz"))
    if not clips:
        raise DatasetError(f"no clips in {folder}; expected folders with video.mp4 and truth.npz")
    results = {}
    for clip in clips:
        truth = load_truth(clip / "truth.npz")
        built = build_pipeline(config)
        ours, theirs = run_clip(built.pipeline, clip / "video.mp4", truth)
        built.pipeline.close()
        results[clip.name] = {"ours": score(ours, truth), "blazepose": score(theirs, truth)}
    return results


def as_table(results: dict[str, dict[str, Scores]]) -> str:
    """A readable table with a mean row."""
    header = f"{'clip':<18}{'method':<11}{'MPJPE':>8}{'PA-MPJPE':>10}{'Accel':>8}{'found':>8}"
    lines = [header + "   [mm, mm, mm/frame^2 at 30 fps]", "-" * len(header)]
    rows = [(clip, method, s) for clip, by in results.items() for method, s in by.items()]
    for method in ("ours", "blazepose"):
        every = [by[method] for by in results.values()]
        mean = Scores(
            **{
                name: float(np.mean([getattr(s, name) for s in every]))
                for name in ("mpjpe_mm", "pa_mpjpe_mm", "accel_mm", "coverage")
            }
        )
        rows.append(("mean", method, mean))
    lines += [
        f"{clip:<18}{method:<11}{s.mpjpe_mm:8.1f}{s.pa_mpjpe_mm:10.1f}{s.accel_mm:8.1f}{s.coverage:8.0%}"
        for clip, method, s in rows
    ]
    return "\n".join(lines)


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy", description="Accuracy on clips with known 3D joints."
    )
    parser.add_argument("folder", type=Path, help="folder of clip folders")
    parser.add_argument("--engine", default="blazepose-gru", help="engine name or folder")
    parser.add_argument("--refine", action="store_true", help="refine landmarks with heat maps")
    parser.add_argument("--temporal", choices=("stream", "window"), default="stream")
    parser.add_argument("--smooth", type=float, default=0.0, help="One-Euro strength in [0, 1]")
    parser.add_argument("--json", type=Path, help="also write the scores to this file")
    arguments = parser.parse_args()
    config = LiveConfig(
        engine=arguments.engine,
        temporal=arguments.temporal,
        smooth=arguments.smooth,
        refine=arguments.refine,
        view="none",
    )
    try:
        results = evaluate(arguments.folder, config)
    except RealtimeVibeError as error:
        print(f"benchmarks.accuracy: error: {error}", file=sys.stderr)
        return 2
    print(as_table(results))
    if arguments.json:
        content = {
            clip: {
                method: {name: round(getattr(s, name), 3) for name in Scores.__slots__}
                for method, s in by.items()
            }
            for clip, by in results.items()
        }
        arguments.json.write_text(json.dumps(content, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
