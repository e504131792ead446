"""Renders shards: exact bodies, and what the real tracker says of their pictures.

Legend: S time, B streams, L = 33 landmarks.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from realtime_vibe.body.model_file import load_body
from realtime_vibe.errors import ConfigError, DatasetError
from realtime_vibe.models.landmark_skeleton import LandmarkSkeleton, skeleton_arrays
from realtime_vibe.packets import NUM_LANDMARKS
from realtime_vibe.tracking.factory import make_blazepose_tracker
from realtime_vibe.training.render.picture import ImageArray, PictureSettings, StreamRenderer, track
from realtime_vibe.training.render.raycast import require_open3d
from realtime_vibe.training.samples.motion import MotionPool, Part, load_clips
from realtime_vibe.training.samples.sequences import (
    SequenceSampler,
    SequenceSettings,
    SequenceTruth,
)
from realtime_vibe.training.samples.shards import save_shard
from realtime_vibe.training.samples.tracker_noise import NoiseLevels


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardSettings:
    """What shards hold and what they are made of; small, so that it can be sent to other processes.

    Raises:
        ConfigError: a size is below 1.
    """

    motion: Path
    """Folder of motion clips."""
    body: Path
    """body.npz with a BlazePose landmark regressor."""
    tracker: Path
    """BlazePose's engine folder."""
    photos: Path | None
    """Folder of background pictures; None: none."""
    streams: int
    frames: int
    """Short streams, many of them: another person in another room teaches more than a later moment."""
    seed: int
    part: Part
    """Which motion clips; see `motion.part_of`."""
    pool_sequences: int = 60
    pool_frames: int = 900
    picture: PictureSettings = field(default_factory=PictureSettings)

    def __post_init__(self) -> None:
        for name in ("streams", "frames"):
            if getattr(self, name) < 1:
                raise ConfigError(f"--{name} {getattr(self, name)}, expected at least 1")
        if self.seed < 0:
            raise ConfigError(f"--seed {self.seed}, expected 0 or more")

    def open(self) -> "ShardWriter":
        """Reads it all; for one thread on one core.

        Raises:
            RealtimeVibeError: something is missing, damaged or not installed.
        """
        torch.set_num_threads(1)
        threadpool_limits(1, user_api="blas")
        cv2.setNumThreads(1)
        return ShardWriter(self)


class ShardWriter:
    """Renders shards; one instance serves one process.

    Raises:
        RealtimeVibeError: something is missing, damaged or not installed.
    """

    def __init__(self, settings: ShardSettings) -> None:
        require_open3d()
        self._body = load_body(settings.body)
        self.layer = LandmarkSkeleton(skeleton_arrays(self._body))
        self._clips = load_clips(settings.motion, settings.part)
        self._settings = settings
        self._picture = settings.picture
        if settings.photos is not None:
            self._picture = replace(settings.picture, photos=_load_photos(settings.photos))
        self.tracker = make_blazepose_tracker(settings.tracker, num_threads=1)

    def __call__(self, job: tuple[Path, int]) -> int:
        """Renders one shard by its file and number, unless it is there; gives its number of frames with a person.

        Raises:
            OutputError: it cannot be written.
        """
        path, number = job
        if path.exists():
            return 0
        rng = np.random.default_rng([self._settings.seed, number])
        truth = self.draw(rng)
        observed = self._observe(truth, rng)
        save_shard(
            path,
            {
                "rotmat": truth.rotmat.numpy().astype(np.float16),
                "betas": truth.betas.numpy(),
                "transl": truth.transl.numpy(),
                "dt_s": truth.dt_s.numpy(),
                "principal": truth.principal.numpy(),
                "true_focal": truth.true_focal.numpy(),
                "nominal_focal": truth.nominal_focal.numpy(),
                **observed,
            },
        )
        return int(observed["found"].sum())

    def draw(self, rng: np.random.Generator) -> SequenceTruth:
        """New streams. Seeds torch's global generator, which the pose jitter comes from."""
        settings = self._settings
        torch.manual_seed(int(rng.integers(2**62)))
        pool = MotionPool(self._clips, settings.pool_sequences, settings.pool_frames, rng)
        sampler = SequenceSampler(
            pool,
            self.layer,
            SequenceSettings(
                num_frames=settings.frames,
                num_streams=settings.streams,
                rate_hz=(10.0, 40.0),
                pose_jitter_rad=(0.02, 0.25),
                span=(0.4, 1.15),
            ),
            NoiseLevels(),
            int(rng.integers(2**62)),
        )
        return sampler.draw()

    def renderer(self, truth: SequenceTruth, row: int, rng: np.random.Generator) -> StreamRenderer:
        """Pictures of one of the streams."""
        return StreamRenderer(truth, row, self._body, self._picture, rng)

    def _observe(
        self, truth: SequenceTruth, rng: np.random.Generator
    ) -> dict[str, NDArray[np.generic]]:
        lead = truth.dt_s.shape
        found = np.zeros(lead, bool)
        image_px = np.zeros((*lead, NUM_LANDMARKS, 2), np.float32)
        world_m = np.zeros((*lead, NUM_LANDMARKS, 3), np.float32)
        visibility = np.zeros((*lead, NUM_LANDMARKS), np.float16)
        for row in range(lead[1]):
            renderer = self.renderer(truth, row, rng)
            middle = np.array([renderer.camera.width, renderer.camera.height], np.float32) / 2
            people = track(renderer, self.tracker, truth.dt_s[:, row].numpy())
            for index, person in enumerate(people):
                if person is None or person.landmarks is None:
                    continue
                marks = person.landmarks
                found[index, row] = True
                image_px[index, row] = (marks.image_px[:, :2] - middle) / renderer.px_of_truth
                world_m[index, row] = marks.world_m
                visibility[index, row] = marks.visibility
        return {
            "found": found,
            "image_px": image_px,
            "world_m": world_m,
            "visibility": visibility,
        }


def _load_photos(folder: Path) -> tuple[ImageArray, ...]:
    paths = [path for path in sorted(folder.rglob("*")) if path.suffix in {".jpg", ".png"}]
    photos = [cv2.imread(str(path)) for path in paths]
    usable = tuple(np.asarray(photo, np.uint8) for photo in photos if photo is not None)
    if not usable:
        raise DatasetError(f"no readable .jpg or .png pictures in {folder}")
    return usable
