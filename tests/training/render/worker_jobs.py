"""Jobs for processes, in a module they can import without torch."""

import os
import time
from functools import partial
from pathlib import Path

from realtime_vibe.errors import DatasetError


def double(job):
    return 2 * job


def make_doubler():
    return double


def refuse():
    raise DatasetError("cannot read nothing.npz")


def stumble(job):
    raise ZeroDivisionError(f"on job {job}")


def make_stumbler():
    return stumble


def vanish(job):
    os._exit(7)


def make_vanisher():
    return vanish


def note_and_wait(folder: Path, job):
    (folder / f"{os.getpid()}").touch()
    time.sleep(60)
    return job


def make_waiter(folder: Path):
    return partial(note_and_wait, folder)
