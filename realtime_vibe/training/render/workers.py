"""Jobs shared out over processes that end with the command that started them."""

import functools
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from realtime_vibe.errors import RealtimeVibeError

Job = TypeVar("Job")


class WorkerEndedError(RealtimeVibeError):
    """A process was ended from outside before its jobs were done."""


def run_jobs(
    make_worker: Callable[[], Callable[[Job], int]], jobs: Sequence[Job], num_workers: int
) -> Generator[int]:
    """Does all jobs, in any order, and gives what each returned as it comes; jobs and maker travel by pickle.

    Closing the generator, an error, or the end of this process in whatever way ends the others. `make_worker` is called
    once in each process and gives what does one job; no more processes than jobs are started.

    Raises:
        WorkerEndedError: a process ended before its jobs were done, for want of memory perhaps.
        Exception: as a worker raised it; the cause holds its trace.
    """
    if not jobs:
        return
    context = multiprocessing.get_context("spawn")
    lifeline, held = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(
        min(num_workers, len(jobs)), context, initializer=_begin, initargs=(make_worker, lifeline)
    )
    # The lifeline goes first: the pool waits for its processes, which would finish their jobs.
    with lifeline, pool, held:
        with _ctrl_c_held():
            results = [pool.submit(_do, job) for job in jobs]
        try:
            for result in as_completed(results):
                yield result.result()
        except BrokenProcessPool as error:
            raise WorkerEndedError(
                "a process was ended before its jobs were done; is there memory enough? Fewer workers need less"
            ) from error


@contextmanager
def _ctrl_c_held() -> Generator[None]:
    """Ctrl-C waits, here and in what is started: a process that is still importing would print a trace."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # Its own start lets held signals through.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_worker: Callable[[], Callable[[Any], int]]
"""The process's own; made by the first job, so that its errors are that job's."""


def _begin(make_worker: Callable[[], Callable[[Any], int]], lifeline: Connection) -> None:
    """The process's first work."""
    global _worker  # noqa: PLW0603 - what `concurrent.futures` has for what a process keeps
    # Ctrl-C goes to the whole group; the command that started us decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()
    _worker = functools.cache(make_worker)


def _end_with(lifeline: Connection) -> None:
    """A command killed outright cannot end its processes; they notice by themselves."""
    lifeline.poll(None)
    os._exit(1)


def _do(job: Any) -> int:
    return _worker()(job)
