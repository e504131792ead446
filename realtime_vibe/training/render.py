"""Makes training pairs through the real tracker: exact bodies, rendered, and what it says of them.

    python -m realtime_vibe.training.render --motion DIR --out DIR --shards 200

Every shard is one file of some streams of consecutive frames. A shard depends on the seed and its
number alone, and is there whole or not at all: stop the command at any time and run it again. It can
run in several processes, and on several machines with other seeds.

Legend: S time, B streams, L = 33 landmarks.
"""

import argparse
import logging
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing.queues import Queue
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from realtime_vibe.body.model_file import BodyModel, load_body
from realtime_vibe.errors import DatasetError, RealtimeVibeError
from realtime_vibe.models.smpl_layer import SmplLayer
from realtime_vibe.packets import Frame, TrackedPerson
from realtime_vibe.tracking.blazepose_tracker import BlazePoseTracker
from realtime_vibe.tracking.factory import make_blazepose_tracker
from realtime_vibe.training.backdrop import add_obstacle, make_backdrop, make_camera_look
from realtime_vibe.training.figure import Figure, make_figure
from realtime_vibe.training.motion import MotionPool, load_clips
from realtime_vibe.training.raycast import draw, make_light, make_paint
from realtime_vibe.training.sequences import SequenceSampler, SequenceSettings, SequenceTruth
from realtime_vibe.training.split import Part, only_part
from realtime_vibe.training.tracker_noise import NoiseLevels

_LOGGER = logging.getLogger(__name__)

FORMAT_VERSION = 1
_TALLEST_PX = 230.0
"""Height of a figure in the picture; the landmark network sees 256 pixels anyhow."""
_TALLEST_IMAGE_PX = 480.0

ImageArray = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderSettings:
    """What one shard holds."""

    streams: int = 16
    frames: int = 48
    """Short streams, many of them: another person in another room teaches more than a later moment."""
    pool_sequences: int = 60
    pool_frames: int = 900
    seed: int = 11
    part: Part = "train"
    """Which motion clips; see `split`."""
    obstacle_chance: float = 0.12
    """Of each stream: something stands before the person."""


class StreamRenderer:
    """Pictures of one stream.

    Args:
        truth: of all streams of a shard.
        row: which of them.
        body: to dress.
        photos: backgrounds; may be empty.
        settings: chances.
        rng: source of all choices.
    """

    def __init__(
        self,
        truth: SequenceTruth,
        row: int,
        body: BodyModel,
        photos: tuple[ImageArray, ...],
        settings: RenderSettings,
        rng: np.random.Generator,
    ) -> None:
        self._rng = rng
        self._rotmat = truth.rotmat[:, row].numpy()
        self._transl = truth.transl[:, row].numpy()
        half = truth.principal[row].numpy()
        self.scale = _picture_scale(self._transl, float(truth.true_focal[row]), half)
        # Even sizes: the principal point stays in the middle.
        self.size = tuple(int(value) for value in 2 * np.round(half * self.scale))
        self.focal_px = float(truth.true_focal[row]) * self.size[1] / (2 * float(half[1]))
        self._figure = make_figure(body, truth.betas[row].numpy(), rng)
        self._paint, self._light = make_paint(rng), make_light(rng)
        width, height = self.size
        horizon = height * rng.uniform(0.2, 0.8)
        self._backdrop = make_backdrop(width, height, horizon, photos, rng)
        self._front: NDArray[np.bool_] | None = None
        if rng.random() < settings.obstacle_chance:
            self._front = add_obstacle(self._backdrop, rng)
        self._look = make_camera_look(rng)

    @property
    def figure(self) -> Figure:
        """The dressed person."""
        return self._figure

    def frame(self, index: int) -> ImageArray:
        """Picture (H, W, 3) BGR of one moment."""
        width, height = self.size
        vertices = self._figure.posed(self._rotmat[index], self._transl[index])
        drawn = draw(
            self._figure, vertices, self._paint, self._light, (self.focal_px, width, height)
        )
        image = self._backdrop.copy()
        if drawn is not None:
            rows, columns, color = drawn.rows, drawn.columns, drawn.color
            if self._front is not None:
                free = ~self._front[rows, columns]
                rows, columns, color = rows[free], columns[free], color[free]
            image[rows, columns] = color
        return self._look.apply(image, self._rng)


def _picture_scale(
    transl: NDArray[np.float32], focal_px: float, half: NDArray[np.float32]
) -> float:
    """Factor on the image size that keeps the figure small enough to be cheap."""
    nearest = float(np.quantile(transl[:, 2], 0.1))
    tallest = 1.75 * focal_px / max(nearest, 0.3)
    return min(1.0, _TALLEST_PX / tallest, _TALLEST_IMAGE_PX / (2 * float(half[1])))


def track(
    renderer: StreamRenderer, tracker: BlazePoseTracker, dt_s: NDArray[np.float32]
) -> Iterator[TrackedPerson | None]:
    """What the tracker says, frame by frame; None where it finds nobody."""
    tracker.reset()
    now_s = 0.0
    for index, step_s in enumerate(dt_s):
        now_s += float(step_s)
        people = tracker.update(
            Frame(
                image_bgr=renderer.frame(index),
                index=index,
                captured_at_s=now_s,
                grabbed_at_s=now_s,
            )
        )
        yield people[0] if people else None


class ShardWriter:
    """Renders shards; one instance serves one process.

    Args:
        motion: folder of motion clips.
        body_path: body.npz.
        engine_dir: BlazePose's engine folder.
        photos: folder of background pictures, or None.
        settings: what a shard holds.
    """

    def __init__(
        self,
        motion: Path,
        body_path: Path,
        engine_dir: Path,
        photos: Path | None,
        settings: RenderSettings,
    ) -> None:
        self._settings = settings
        self._body = load_body(body_path)
        self._layer = SmplLayer(self._body)
        self._clips = only_part(load_clips(motion), settings.part)
        self._photos = _load_photos(photos)
        self._tracker = make_blazepose_tracker(engine_dir, num_threads=1)

    def write(self, path: Path, number: int) -> int:
        """Renders shard `number` to `path`; gives its number of frames with a person."""
        settings = self._settings
        rng = np.random.default_rng([settings.seed, number])
        torch.manual_seed(int(rng.integers(2**62)))
        pool = MotionPool(self._clips, settings.pool_sequences, settings.pool_frames, rng)
        sampler = SequenceSampler(
            pool,
            self._layer,
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
        truth = sampler.draw()
        arrays = self._observe(truth, rng)
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            np.savez(
                file,
                format_version=FORMAT_VERSION,
                rotmat=truth.rotmat.numpy().astype(np.float16),
                betas=truth.betas.numpy(),
                transl=truth.transl.numpy(),
                dt_s=truth.dt_s.numpy(),
                principal=truth.principal.numpy(),
                true_focal=truth.true_focal.numpy(),
                nominal_focal=truth.nominal_focal.numpy(),
                **arrays,
            )
        part.replace(path)
        return int(arrays["found"].sum())

    def _observe(
        self, truth: SequenceTruth, rng: np.random.Generator
    ) -> dict[str, NDArray[np.generic]]:
        lead = truth.dt_s.shape
        found = np.zeros(lead, bool)
        image_px = np.zeros((*lead, 33, 2), np.float32)
        world_m = np.zeros((*lead, 33, 3), np.float32)
        visibility = np.zeros((*lead, 33), np.float16)
        for row in range(lead[1]):
            renderer = StreamRenderer(truth, row, self._body, self._photos, self._settings, rng)
            half = 0.5 * np.array(renderer.size, np.float32)
            to_truth = truth.principal[row].numpy() / half
            people = track(renderer, self._tracker, truth.dt_s[:, row].numpy())
            for index, person in enumerate(people):
                if person is None or person.landmarks is None:
                    continue
                marks = person.landmarks
                found[index, row] = True
                image_px[index, row] = (marks.image_px[:, :2] - half) * to_truth
                world_m[index, row] = marks.world_m
                visibility[index, row] = marks.visibility
        return {
            "found": found,
            "image_px": image_px,
            "world_m": world_m,
            "visibility": visibility,
        }


def _load_photos(folder: Path | None) -> tuple[ImageArray, ...]:
    if folder is None:
        return ()
    paths = [path for path in sorted(folder.rglob("*")) if path.suffix in {".jpg", ".png"}]
    photos = [cv2.imread(str(path)) for path in paths]
    usable = tuple(np.asarray(photo, np.uint8) for photo in photos if photo is not None)
    if not usable:
        raise DatasetError(f"no readable .jpg or .png pictures in {folder}")
    return usable


def shard_path(folder: Path, seed: int, number: int) -> Path:
    """Where a shard lies."""
    return folder / f"shard-{seed:03d}-{number:05d}.npz"


def _work(
    writer_of: "partial[ShardWriter]",
    jobs: list[tuple[Path, int]],
    done: "Queue[tuple[int, int]]",
    parent: int,
) -> None:
    """One process: every job that is not done yet, as long as the command that started it lives."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    writer = writer_of()
    for path, number in jobs:
        if os.getppid() != parent:
            return
        if not path.exists():
            done.put((number, writer.write(path, number)))


def render(
    writer_of: "partial[ShardWriter]", jobs: list[tuple[Path, int]], num_workers: int
) -> None:
    """Renders all missing shards, showing progress.

    Raises:
        DatasetError: a worker process failed.
    """
    missing = [job for job in jobs if not job[0].exists()]
    _LOGGER.info("%d of %d shards are there already", len(jobs) - len(missing), len(jobs))
    context = multiprocessing.get_context("spawn")
    done: Queue[tuple[int, int]] = context.Queue()
    workers = [
        context.Process(
            target=_work, args=(writer_of, missing[first::num_workers], done, os.getpid())
        )
        for first in range(num_workers)
    ]
    for worker in workers:
        worker.start()
    frames = 0
    started_s = time.monotonic()
    try:
        with tqdm(total=len(missing), unit="shard") as bar:
            for _ in missing:
                while done.empty():
                    if any(worker.exitcode for worker in workers):
                        raise DatasetError("a rendering process failed; its message is above")
                    time.sleep(0.1)
                frames += done.get()[1]
                bar.update()
                bar.set_postfix(frames_per_s=round(frames / (time.monotonic() - started_s), 1))
        for worker in workers:
            worker.join()
    finally:
        for worker in workers:
            worker.terminate()


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--motion", type=Path, required=True, help="folder of motion clips")
    parser.add_argument("--out", type=Path, required=True, help="folder for the shards")
    parser.add_argument("--body", type=Path, default=Path("engines/blazepose-gru/body.npz"))
    parser.add_argument("--tracker-engine", type=Path, default=Path("engines/blazepose"))
    parser.add_argument("--backgrounds", type=Path, help="folder of pictures used now and then")
    parser.add_argument("--shards", type=int, default=270, help="768 frames each")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=RenderSettings().seed)
    parser.add_argument("--part", choices=("train", "test"), default="train")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    settings = RenderSettings(seed=options.seed, part=options.part)
    writer_of = partial(
        ShardWriter,
        options.motion,
        options.body,
        options.tracker_engine,
        options.backgrounds,
        settings,
    )
    options.out.mkdir(parents=True, exist_ok=True)
    jobs = [
        (shard_path(options.out, settings.seed, number), number) for number in range(options.shards)
    ]
    try:
        render(writer_of, jobs, max(1, options.workers))
    except RealtimeVibeError as error:
        print(f"render: error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
