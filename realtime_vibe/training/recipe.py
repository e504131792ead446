"""Retrains an embedded engine from nothing, in one command.

    python -m realtime_vibe.training.recipe blazepose-gru --motion DIR --out DIR

Every stage is a command of its own; it is printed, so that it can be run by hand. A finished stage is
not run again: stop the recipe at any time and start it anew. `--quick` goes through the same stages in
two minutes and makes an engine that runs but knows little.
"""

import argparse
import importlib.util
import logging
import os
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from realtime_vibe.errors import ConfigError, RealtimeVibeError, TrainingError

logger = logging.getLogger(__name__)

_DONE = "done"
_SEED = 7
_USAGE_ERROR = 2
_ONE_THREAD = {"OMP_NUM_THREADS": "1"}
"""The matrices are small: a second thread gains a tenth, and beside other work loses tenfold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step of a recipe."""

    name: str
    hours: float
    """On two cores without a GPU; estimated from measured rates."""
    module: str
    """Run as `python -m module`."""
    arguments: tuple[str, ...]
    folder: Path
    """Of its results; `done` in it says that the stage is finished."""

    @property
    def is_done(self) -> bool:
        """Whether the stage was finished before."""
        return (self.folder / _DONE).exists()

    @property
    def command(self) -> tuple[str, ...]:
        """The command line; training goes on from a checkpoint when there is one."""
        resume = ("--resume",) if (self.folder / "checkpoint.pt").exists() else ()
        return (sys.executable, "-m", self.module, *self.arguments, *resume)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much of everything a recipe does."""

    frame_steps: int
    sequence_steps: int
    train: tuple[str, ...]
    hours: tuple[float, float]
    """Of the trainings."""
    processes: int
    """Of each training, with data of their own."""


FULL = Scale(frame_steps=1_800, sequence_steps=4_000, train=(), hours=(0.4, 1.3), processes=2)
QUICK = Scale(
    frame_steps=40,
    sequence_steps=40,
    train=("--streams", "8", "--frames", "64", "--pool-sequences", "16", "--pool-frames", "400"),
    hours=(0.0, 0.0),
    processes=1,
)


def blazepose_gru(motion: Path, body: Path, out: Path, scale: Scale) -> tuple[Stage, ...]:
    """The stages of the default engine, from a folder of AMASS .npz and .bvh files to `out`."""
    frames, sequences = out / "frames", out / "sequences"
    engine = out / "engine" / "blazepose-gru"
    data = ("--motion", str(motion), "--body", str(body), *scale.train)
    return (
        _training(
            "train on single frames behind a simulated tracker", scale.hours[0], frames, scale,
            *data, "--steps", str(scale.frame_steps),
            "--per-frame-share", "1", "--discriminator", "none", "--seed", str(_SEED),
        ),
        _training(
            "train on sequences, with the motion discriminator", scale.hours[1], sequences, scale,
            *data, "--steps", str(scale.sequence_steps),
            "--start-from", str(frames / "network.pt"), "--per-frame-share", "0",
            "--learning-rate", "6e-4", "--adversarial-weight", "0.3", "--velocity-weight", "30",
            "--seed", str(_SEED + 1),
        ),
        Stage(
            name="export the engine and compare it with torch",
            hours=0.0,
            module="export.engine",
            arguments=(
                "--checkpoint", str(sequences / "network.pt"), "--body", str(body),
                "--out", str(engine),
            ),
            folder=engine,
        ),
    )  # fmt: skip


def _training(name: str, hours: float, folder: Path, scale: Scale, *arguments: str) -> Stage:
    """One run of the training command, in as many processes as the scale says."""
    train = "realtime_vibe.training.train_landmarks"
    alone = scale.processes == 1
    start = ("--standalone", "--nproc-per-node", str(scale.processes), "-m", train)
    return Stage(
        name=name,
        hours=hours,
        module=train if alone else "torch.distributed.run",
        arguments=(*(() if alone else start), *arguments, "--out", str(folder)),
        folder=folder,
    )


def run(stages: tuple[Stage, ...]) -> None:
    """Runs every stage that is not finished, in order.

    Raises:
        TrainingError: a stage failed; those before it are kept.
    """
    for number, stage in enumerate(stages, start=1):
        title = f"stage {number} of {len(stages)}: {stage.name}"
        if stage.is_done:
            logger.info("%s - done before", title)
            continue
        logger.info("%s (%.1f hours)\n  %s", title, stage.hours, shlex.join(stage.command))
        began_s = time.monotonic()
        status = subprocess.run(stage.command, env=_ONE_THREAD | os.environ, check=False).returncode
        if status != 0:
            raise TrainingError(
                f"{title} ended with status {status}; its message is above. "
                "Run the recipe again to go on from there"
            )
        (stage.folder / _DONE).write_text(f"{time.monotonic() - began_s:.0f} s\n")


def main() -> int:
    """Runs the command line; 2 on an error the user can fix."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("engine", choices=("blazepose-gru",))
    parser.add_argument("--motion", type=Path, required=True, help="folder of AMASS .npz and .bvh")
    parser.add_argument("--out", type=Path, required=True, help="folder for all results")
    parser.add_argument("--body", type=Path, default=Path("engines/blazepose-gru/body.npz"))
    parser.add_argument("--quick", action="store_true", help="everything, very little of it")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    scale = QUICK if options.quick else FULL
    try:
        if importlib.util.find_spec("export") is None:
            raise ConfigError(
                "the package `export` is not importable: run the recipe in a checkout of the project"
            )
        stages = blazepose_gru(options.motion, options.body, options.out, scale)
        run(stages)
    except RealtimeVibeError as error:
        logger.error("%s", error)
        return _USAGE_ERROR
    logger.info("wrote %s", stages[-1].folder)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
