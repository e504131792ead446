"""Kills recorders with SIGKILL at random moments and rescues their takes.

`python -m tests.outputs.record.killed_takes --kills 50` prints what was rescued; exit code 1 when a row is missing that a
recorder had taken. The moments reach from the first row to the making of the final files.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from realtime_vibe.app.convert import recover
from realtime_vibe.errors import OutputError
from realtime_vibe.outputs.record.motion_recorder import MotionRecorder, spool_path
from tests.outputs.record import posed_takes

NUM_FRAMES = 120
FRAME_S = 0.002
LONGEST_LIFE_S = 0.6
ENDINGS = (".npz", ".bvh", ".csv")


def _record(paths: tuple[Path, ...], acknowledge: int) -> None:
    """A recorder's life: a row every few milliseconds, then the final files."""
    frames = posed_takes.results(np.arange(NUM_FRAMES) / 30)
    with MotionRecorder(*paths, body=posed_takes.real_body()) as recorder:
        for frame in frames:
            recorder.write(frame)
            os.write(acknowledge, b".")
            time.sleep(FRAME_S)


def _killed(paths: tuple[Path, ...], life_s: float) -> tuple[int, bool]:
    """Rows that the recorder had taken when it was killed, and whether it had ended by itself."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _record(paths, writing)
        finally:
            os._exit(0)
    os.close(writing)
    os.read(reading, 1)  # its first row
    time.sleep(life_s)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    taken = 1
    while content := os.read(reading, 65536):
        taken += len(content)
    os.close(reading)
    return taken, not os.WIFSIGNALED(status)


def kill_one(folder: Path, life_s: float) -> str:
    """Records, kills and rescues once; returns what happened.

    Raises:
        AssertionError: something that was recorded is gone.
    """
    paths = tuple(folder / f"take{ending}" for ending in ENDINGS)
    taken, ended = _killed(paths, life_s)
    part = spool_path(paths[0])
    state = (
        "ended"
        if ended
        else "killed while recording"
        if taken < NUM_FRAMES
        else "killed at the end"
    )
    if part.exists():
        try:
            recover(part)
        except OutputError as error:
            raise AssertionError(f"not rescued after {taken} rows: {error}") from error
    for path in paths:
        assert path.exists(), f"{path.name} is missing, {state}"
    with np.load(paths[0]) as motion:
        rescued = len(motion["poses"])
        assert rescued >= taken, f"{rescued} rows rescued of {taken}"
        assert motion["frame_index"].tolist() == list(range(rescued))
    assert len(paths[2].read_text().splitlines()) == rescued + 1
    return state


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    moments = random.Random(given.seed)
    posed_takes.real_body()  # loaded once, before the forks
    rescued: dict[str, int] = {}
    number = 0
    while number < given.kills:
        with tempfile.TemporaryDirectory() as folder:
            try:
                state = kill_one(Path(folder), moments.uniform(0, LONGEST_LIFE_S))
            except AssertionError as error:
                sys.exit(f"take {number}: {error}")
        if state != "ended":  # else it was faster than its killer
            number += 1
            rescued[state] = rescued.get(state, 0) + 1
    sys.stdout.write(f"{given.kills} of {given.kills} takes rescued: {rescued}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
