"""Makes training pairs through the real tracker: exact bodies, rendered, and what it says of them.

    python -m realtime_vibe.training.render --motion DIR --out DIR --shards 200

Every shard is one file of some streams of consecutive frames. A shard depends on the seed and its
number alone, and is there whole or not at all: stop the command at any time and run it again. It can
run in several processes, and on several machines with other seeds. `--preview sheet.png` shows what
the pictures look like, with the tracker's landmarks and the true ones.
"""

import argparse
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import FrameType

from tqdm import tqdm

from realtime_vibe.errors import ConfigError, OutputError, RealtimeVibeError
from realtime_vibe.system.file_boundary import file_boundary
from realtime_vibe.system.placing import remove_leftovers
from realtime_vibe.training.render.raycast import require_open3d
from realtime_vibe.training.render.render_preview import write_contact_sheet
from realtime_vibe.training.render.shard_writer import ShardSettings
from realtime_vibe.training.render.workers import run_jobs
from realtime_vibe.training.samples.shards import shard_path

logger = logging.getLogger(__name__)

_USAGE_ERROR = 2
_STOPPED = 130


def render(settings: ShardSettings, folder: Path, num_shards: int, num_workers: int) -> None:
    """Renders all missing shards, showing progress, until there are so many.

    Raises:
        ConfigError: a number is below 1, or Open3D is not installed.
        OutputError: the folder cannot be written to.
        RealtimeVibeError: as a worker raised it.
    """
    for name, value in (("shards", num_shards), ("workers", num_workers)):
        if value < 1:
            raise ConfigError(f"--{name} {value}, expected at least 1")
    require_open3d()
    jobs = [(shard_path(folder, settings.seed, number), number) for number in range(num_shards)]
    with file_boundary(folder, OutputError, "name another folder", fault="cannot be written to"):
        folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder)
    missing = [job for job in jobs if not job[0].exists()]
    logger.info("%d of %d shards are there already", len(jobs) - len(missing), len(jobs))
    frames, started_s = 0, time.monotonic()
    with (
        closing(run_jobs(settings.open, missing, num_workers)) as results,
        tqdm(results, total=len(missing), unit="shard", disable=None) as bar,
    ):
        for found in bar:
            frames += found
            bar.set_postfix(frames_per_s=round(frames / (time.monotonic() - started_s), 1))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    result = argparse.ArgumentParser(
        prog="python -m realtime_vibe.training.render",
        description=__doc__.splitlines()[0] if __doc__ else None,
    )
    add = result.add_argument
    add("--motion", type=Path, required=True, help="folder of AMASS .npz and .bvh files")
    add("--out", type=Path, help="folder for the shards")
    add("--preview", type=Path, metavar="PNG", help="draw a sheet of samples instead")
    add("--body", type=Path, default=Path("engines/blazepose-gru/body.npz"))
    add("--tracker-engine", type=Path, default=Path("engines/blazepose"))
    add("--backgrounds", type=Path, help="folder of pictures used now and then")
    add("--shards", type=int, default=270, help="how many there are to be in the end")
    add("--streams", type=int, default=16, help="people in a shard")
    add("--frames", type=int, default=48, help="of each")
    add("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    add("--seed", type=int, default=11)
    add("--part", choices=("train", "test"), default="train", help="which motion clips")
    return result


def run(options: argparse.Namespace) -> None:
    """Renders as the command line says.

    Raises:
        RealtimeVibeError: whatever a user can fix.
    """
    settings = ShardSettings(
        motion=options.motion,
        body=options.body,
        tracker=options.tracker_engine,
        photos=options.backgrounds,
        streams=options.streams,
        frames=options.frames,
        seed=options.seed,
        part=options.part,
    )
    if options.preview is not None:
        write_contact_sheet(replace(settings, streams=12), options.preview)
        logger.info("wrote %s", options.preview)
    elif options.out is not None:
        render(settings, options.out, options.shards, options.workers)
    else:
        raise ConfigError("no --out DIR for the shards and no --preview PNG: give one of them")


def main(words: Sequence[str] | None = None) -> int:
    """Runs the command line, None the words of the process: 0, 2 on an error the user can fix, 130 when stopped."""
    options = parser().parse_args(words)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        run(options)
    except RealtimeVibeError as error:
        logger.error("render: error: %s", error)
        return _USAGE_ERROR
    except KeyboardInterrupt:
        logger.info("stopped; the same command goes on from here")
        return _STOPPED
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
