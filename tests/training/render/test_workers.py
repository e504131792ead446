"""Processes that share jobs: all done, errors raised, and none left behind however the command ends."""

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from realtime_vibe.errors import DatasetError
from realtime_vibe.training.render.workers import WorkerEndedError, run_jobs
from tests.training.render import worker_jobs

ROOT = Path(__file__).resolve().parents[3]
WAITERS = """
from functools import partial
from pathlib import Path
from realtime_vibe.training.render.workers import run_jobs
from tests.training.render.worker_jobs import make_waiter
list(run_jobs(partial(make_waiter, Path({folder!r})), [1, 2], 2))
"""


def is_alive(pid):
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def until(condition, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def test_every_job_is_done_once():
    with closing(run_jobs(worker_jobs.make_doubler, range(5), 2)) as results:
        assert sorted(results) == [0, 2, 4, 6, 8]


def test_no_jobs_start_no_process():
    assert list(run_jobs(worker_jobs.refuse, [], 3)) == []


def test_an_error_of_a_worker_comes_back_as_it_was():
    with pytest.raises(DatasetError, match=r"cannot read nothing\.npz"):
        list(run_jobs(worker_jobs.refuse, [1], 1))


def test_a_bug_in_a_worker_brings_its_trace():
    with pytest.raises(ZeroDivisionError, match="on job 4") as caught:
        list(run_jobs(worker_jobs.make_stumbler, [4], 1))
    assert "in stumble" in str(caught.value.__cause__)


def test_a_worker_that_vanishes_is_an_error_and_no_endless_wait():
    with pytest.raises(WorkerEndedError, match="was ended before"):
        list(run_jobs(worker_jobs.make_vanisher, [1], 1))


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_the_command(tmp_path, ending):
    command = subprocess.Popen(
        [sys.executable, "-c", WAITERS.format(folder=str(tmp_path))],
        cwd=ROOT,
        stderr=subprocess.PIPE,
    )
    try:
        until(lambda: len(list(tmp_path.iterdir())) == 2)
        workers = [int(path.name) for path in tmp_path.iterdir()]
        assert all(is_alive(pid) for pid in workers)
        os.kill(command.pid, ending)
        until(lambda: not any(is_alive(pid) for pid in workers))
    finally:
        command.kill()
        command.communicate()
