"""Renders held-out motion as clips with a known body: `video.mp4` and `truth.npz` in a folder each.

    python -m realtime_vibe.training.render.render_clips --motion DIR --out DIR --clips 12
    python -m benchmarks.accuracy DIR

The motion is as it was recorded, the bodies are new, the camera stands still and sees all of the
person. A clip depends on the seed and its number alone, and is there whole or not at all.
"""

import argparse
import logging
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from realtime_vibe.body.joints import SMPL_JOINT_NAMES
from realtime_vibe.body.model_file import load_body
from realtime_vibe.errors import ConfigError, OutputError, RealtimeVibeError
from realtime_vibe.geometry.rotation import axis_angle_from_rotmat
from realtime_vibe.models.landmark_skeleton import LandmarkSkeleton, skeleton_arrays
from realtime_vibe.training.render.picture import PictureSettings, StreamRenderer
from realtime_vibe.training.render.raycast import require_open3d
from realtime_vibe.training.samples.held_out import CLIP_RATE_HZ, chosen_clips, draw_clip
from realtime_vibe.training.samples.motion import load_clips
from realtime_vibe.training.samples.sequences import SequenceTruth, posed_points

logger = logging.getLogger(__name__)

_USAGE_ERROR = 2
_PICTURE = PictureSettings(tallest_px=640.0, obstacle_chance=0.0)


def run(options: argparse.Namespace) -> int:
    """Renders the clips that are missing, as the command line says; gives how many there are.

    Raises:
        RealtimeVibeError: something is missing, damaged or not installed, or cannot be written.
    """
    for name, least in (("clips", 1), ("frames", 2), ("seed", 0)):
        value = getattr(options, name)
        if value < least:
            raise ConfigError(f"--{name} {value}, expected at least {least}")
    require_open3d()
    body = load_body(options.body)
    layer = LandmarkSkeleton(skeleton_arrays(body))
    recorded = load_clips(options.motion, options.part)
    motions = chosen_clips(recorded, options.clips, options.kind, options.seed)
    for number, clip in enumerate(tqdm(motions, unit="clip", disable=None)):
        folder = options.out / f"{number:02d}_{clip.name}"
        if not folder.exists():
            rng = np.random.default_rng([options.seed, number])
            truth = draw_clip(clip, layer, options.frames, rng)
            renderer = StreamRenderer(truth, 0, body, _PICTURE, rng)
            _write_folder(folder, renderer, truth_arrays(truth, layer))
    return len(motions)


def truth_arrays(truth: SequenceTruth, body: LandmarkSkeleton) -> dict[str, NDArray[np.generic]]:
    """What `truth.npz` holds of the one stream in `truth`."""
    joints, _ = posed_points(truth, body)
    turns = axis_angle_from_rotmat(truth.rotmat[:, 0].numpy())
    return {
        "joints_camera": joints[:, 0].numpy(),
        "joint_names": np.array(SMPL_JOINT_NAMES),
        "first_frame": np.array(0),
        "fps": np.array(CLIP_RATE_HZ),
        "global_orient": turns[:, 0].astype(np.float32),
        "body_pose": turns[:, 1:].reshape(len(turns), -1).astype(np.float32),
        "betas": truth.betas[0].numpy(),
        "transl": truth.transl[:, 0].numpy(),
        "K": _camera_matrix(truth),
    }


def _camera_matrix(truth: SequenceTruth) -> NDArray[np.float32]:
    """(3, 3) [px] of the one stream's camera."""
    focal_px, (x, y) = float(truth.true_focal[0]), truth.principal[0].tolist()
    return np.array([[focal_px, 0, x], [0, focal_px, y], [0, 0, 1]], np.float32)


def _write_folder(
    folder: Path, renderer: StreamRenderer, arrays: dict[str, NDArray[np.generic]]
) -> None:
    """Makes a clip folder, whole or not at all."""
    part = folder.with_name(f"{folder.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        _write_video(part / "video.mp4", renderer, len(arrays["joints_camera"]))
        with (part / "truth.npz").open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        part.replace(folder)
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {error.strerror or error}") from error


def _write_video(path: Path, renderer: StreamRenderer, num_frames: int) -> None:
    size = (renderer.camera.width, renderer.camera.height)
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), CLIP_RATE_HZ, size)
    try:
        if not video.isOpened():
            raise OutputError(f"OpenCV cannot write {path} (MPEG-4)")
        for index in range(num_frames):
            video.write(renderer.frame(index))
    finally:
        video.release()


def parser() -> argparse.ArgumentParser:
    """The command line."""
    result = argparse.ArgumentParser(
        prog="python -m realtime_vibe.training.render.render_clips",
        description=__doc__.splitlines()[0] if __doc__ else None,
    )
    add = result.add_argument
    add("--motion", type=Path, required=True, help="folder of AMASS .npz and .bvh files")
    add("--out", type=Path, required=True, help="folder for the clip folders")
    add("--body", type=Path, default=Path("engines/blazepose-gru/body.npz"))
    add("--clips", type=int, default=12)
    add("--frames", type=int, default=150, help="of each, at most")
    add("--part", choices=("train", "test"), default="test", help="which motion clips")
    add("--kind", choices=("walking", "standing"), help="only motion whose name says so")
    add("--seed", type=int, default=5)
    return result


def main(words: Sequence[str] | None = None) -> int:
    """Runs the command line, None the words of the process; 2 on an error the user can fix."""
    options = parser().parse_args(words)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        count = run(options)
    except RealtimeVibeError as error:
        logger.error("render_clips: error: %s", error)
        return _USAGE_ERROR
    logger.info("%d clips in %s", count, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
