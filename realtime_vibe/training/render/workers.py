"""Jobs shared out over processes that end with the command that started them."""

import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import TypeVar

from realtime_vibe.errors import RealtimeVibeError

Job = TypeVar("Job")

_HELD = (signal.SIGINT, signal.SIGTERM)


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
        RealtimeVibeError: as a worker raised it.
        RuntimeError: a worker raised anything else; the message holds its trace.
    """
    context = multiprocessing.get_context("spawn")
    processes: dict[Connection, SpawnProcess] = {}
    try:
        for first in range(min(num_workers, len(jobs))):
            reader, writer = context.Pipe(duplex=False)
            share = jobs[first::num_workers]
            process = context.Process(
                target=_work, args=(make_worker, share, writer), name=f"worker-{first}"
            )
            with _signals_held():
                process.start()
                # Held by the worker alone: its end then ends the pipe.
                writer.close()
                processes[reader] = process
        yield from _results(processes)
    finally:
        for process in processes.values():
            process.terminate()
        for reader, process in processes.items():
            process.join()
            reader.close()


@contextmanager
def _signals_held() -> Generator[None]:
    """Ctrl-C and SIGTERM wait, here and in what is started: half a start leaves a worker that prints a trace."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # Its own start lets held signals through.
    resource_tracker.ensure_running()
    # The mask is what the worker starts with; a library's thread may still take a signal for this process.
    caught: list[int] = []
    is_main = threading.current_thread() is threading.main_thread()
    handlers = {
        number: signal.signal(number, lambda seen, _frame: caught.append(seen)) or signal.SIG_DFL
        for number in (_HELD if is_main else ())
    }
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for late in caught:
            signal.raise_signal(late)


def _results(processes: dict[Connection, SpawnProcess]) -> Generator[int]:
    running = dict(processes)
    while running:
        for reader in wait(list(running)):
            assert isinstance(reader, Connection)
            try:
                answer = reader.recv()
            except EOFError:
                process = running.pop(reader)
                process.join()
                if process.exitcode:
                    raise WorkerEndedError(
                        f"a process ended with status {process.exitcode} before its jobs were done; "
                        "is there memory enough? Fewer workers need less"
                    ) from None
                continue
            if isinstance(answer, int):
                yield answer
                continue
            error: Exception = answer
            raise error


def _work(
    make_worker: Callable[[], Callable[[Job], int]], jobs: Sequence[Job], answers: Connection
) -> None:
    """One process."""
    # Ctrl-C goes to the whole group; the command that started us decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        work = make_worker()
        for job in jobs:
            answers.send(work(job))
    except RealtimeVibeError as error:
        answers.send(error)
    except Exception:  # noqa: BLE001 - whoever waits for the results gets all of it
        answers.send(RuntimeError(f"a worker failed:\n{traceback.format_exc()}"))


def _end_with_parent() -> None:
    """A command killed outright cannot end its processes; they notice by themselves."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
