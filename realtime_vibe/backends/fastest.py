"""Opens a graph with the backend that runs it fastest on this machine, measured once and kept in a file."""

import hashlib
import json
import logging
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from realtime_vibe.backends.base import AnyArray, InferenceSession
from realtime_vibe.backends.graph import Graph, fitting_backends
from realtime_vibe.errors import BackendUnavailableError, OutputError, RealtimeVibeError
from realtime_vibe.system.file_boundary import file_boundary, read_regular
from realtime_vibe.system.folders import cache_folder
from realtime_vibe.system.machine import machine_facts, package_version
from realtime_vibe.system.placing import write_atomically

FORMAT_VERSION = 2
_LIBRARIES = ("onnxruntime", "onnxruntime-gpu", "openvino")
_MAX_BYTES = 1 << 20

logger = logging.getLogger(__name__)

WARMUP_RUNS = 2
"""First runs allocate and, on GPUs, tune."""
FEWEST_ROUNDS, MOST_ROUNDS = 3, 40
BUDGET_S = 0.2
"""For the runs of one graph; an engine has three or four graphs."""
MARGIN = 0.95
"""The first candidate stays unless another takes less than this share of its time: what is as fast as
makes no difference should not change from one start to the next."""
_PAUSE_S = 0.002
"""Workers of the one before may spin for a millisecond, as between two frames."""

OpenWith = Callable[[str, Graph, int], InferenceSession]
"""Backend, graph, threads."""
Measure = Callable[[Mapping[str, InferenceSession]], dict[str, float]]


def cache_file() -> Path:
    """Where this user's choices are kept; nothing is created."""
    return cache_folder() / "backends.json"


def choice_key(graph: Graph, candidates: tuple[str, ...], num_threads: int) -> str:
    """What a choice between backends depends on (the graph's content among it), as one hexadecimal number."""
    facts = machine_facts()
    parts = {
        "graph": graph.sha256,
        "candidates": candidates,
        "threads": num_threads,
        "machine": [facts["cpu"], facts["cores"], facts["architecture"]],
        "versions": {name: package_version(name) for name in _LIBRARIES},
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class ChoiceCache:
    """Choices by key, in a file that may be missing, damaged or read-only; its folder is made when there is one to keep."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def get(self, key: str) -> str | None:
        """The backend that was chosen; None when it is not known."""
        return self._read().get(key)

    def put(self, key: str, backend: str) -> None:
        """Keeps a choice; where that is impossible the next start measures again."""
        choices = self._read() | {key: backend}
        text = json.dumps({"format_version": FORMAT_VERSION, "choices": choices}, indent=2) + "\n"
        try:
            with file_boundary(self.path, OutputError, fault="cannot be written"):
                self.path.parent.mkdir(parents=True, exist_ok=True)
            # In one step: a start beside this one must never read half a file.
            write_atomically(self.path, lambda file: file.write(text.encode()), overwrite=True)
        except OutputError as error:
            logger.debug("choices of backends are not kept: %s", error)

    def _read(self) -> dict[str, str]:
        try:
            with file_boundary(self.path, OutputError, "it will be written anew"):
                content = json.loads(read_regular(self.path, _MAX_BYTES))
                if content["format_version"] == FORMAT_VERSION:
                    choices = content["choices"].items()
                    return {key: each for key, each in choices if isinstance(each, str)}
        except OutputError as error:
            logger.debug("%s", error)  # none yet, too
        return {}


def open_fastest(
    graph: Graph,
    installed: Sequence[str],
    cache: ChoiceCache,
    *,
    num_threads: int,
    open_with: OpenWith,
    measure: Measure | None = None,
) -> InferenceSession:
    """Loads a graph with the fastest backend that fits it: the one chosen before, else the one measured now.

    `measure` gives the candidates' times [ms]; None: `median_times_ms`.

    Raises:
        EngineError: the graph cannot be loaded, or was built for another machine.
        BackendUnavailableError: no backend is installed or can run it.
    """
    candidates = _candidates(graph, installed)
    if len(candidates) == 1:
        return open_with(candidates[0], graph, num_threads)
    kept = cached_choice(graph, installed, cache, num_threads=num_threads)
    if kept is not None:
        try:
            return open_with(kept, graph, num_threads)
        except RealtimeVibeError as error:
            logger.debug("%s: %s was chosen before, but: %s", graph.path.stem, kept, error)
    with ExitStack() as stack:
        sessions = _opened(graph, candidates, num_threads, open_with, stack)
        times_ms = (measure or median_times_ms)(sessions)
        if not times_ms:
            raise BackendUnavailableError(
                f"{graph.path} runs on none of {', '.join(candidates)}: see the lines above"
            )
        chosen = fastest(times_ms)
        stack.pop_all()
    for name, session in sessions.items():
        if name != chosen:
            session.close()
    cache.put(choice_key(graph, candidates, num_threads), chosen)
    logger.info("%s: %s", graph.path.stem, _as_text(chosen, times_ms))
    return sessions[chosen]


def cached_choice(
    graph: Graph, installed: Sequence[str], cache: ChoiceCache, *, num_threads: int
) -> str | None:
    """What `open_fastest` would take without measuring; None when it would measure."""
    candidates = _candidates(graph, installed)
    if len(candidates) == 1:
        return candidates[0]
    kept = cache.get(choice_key(graph, candidates, num_threads))
    return kept if kept in candidates else None


def median_times_ms(
    sessions: Mapping[str, InferenceSession],
    *,
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, float]:
    """Medians [ms] of sessions of one graph, run in turn; one that cannot run is left out with a warning."""
    able = {}
    for name, session in sessions.items():
        feeds = zero_feeds(session)
        try:
            for _ in range(WARMUP_RUNS):
                session.run(feeds)
        except RealtimeVibeError as error:
            logger.warning("backend %s is left out: %s", name, error)
        else:
            able[name] = (session, feeds)
    times_s: dict[str, list[float]] = {name: [] for name in able}
    end_s = clock() + BUDGET_S
    for number in range(MOST_ROUNDS):
        if number >= FEWEST_ROUNDS and clock() >= end_s:
            break
        for name, (session, feeds) in able.items():
            sleep(_PAUSE_S)
            start_s = clock()
            session.run(feeds)
            times_s[name].append(clock() - start_s)
    return {name: statistics.median(spent) * 1e3 for name, spent in times_s.items()}


def fastest(times_ms: Mapping[str, float]) -> str:
    """The name of the fastest of at least one, or the first when that is nearly as fast."""
    first = next(iter(times_ms))
    best = min(times_ms, key=lambda name: times_ms[name])
    return best if times_ms[best] < MARGIN * times_ms[first] else first


def zero_feeds(session: InferenceSession) -> dict[str, AnyArray]:
    """Zeros for every input, for one person."""
    shapes = {
        spec.name: [size if isinstance(size, int) else 1 for size in spec.shape]
        for spec in session.inputs
    }
    return {spec.name: np.zeros(shapes[spec.name], spec.dtype) for spec in session.inputs}


def _candidates(graph: Graph, installed: Sequence[str]) -> tuple[str, ...]:
    fitting = fitting_backends(graph)
    here = tuple(name for name in fitting if name in installed)
    return here or fitting[:1]  # opening it says how to install it


def _opened(
    graph: Graph,
    candidates: tuple[str, ...],
    num_threads: int,
    open_with: OpenWith,
    stack: ExitStack,
) -> dict[str, InferenceSession]:
    """The candidates that can load the graph; the first one's error when none can."""
    sessions = {}
    errors: list[RealtimeVibeError] = []
    for name in candidates:
        try:
            sessions[name] = open_with(name, graph, num_threads)
        except RealtimeVibeError as error:
            errors.append(error)
            continue
        stack.callback(sessions[name].close)
    if not sessions:
        raise errors[0]
    for reason in errors:
        logger.warning("auto leaves a backend out: %s", reason)
    return sessions


def _as_text(chosen: str, times_ms: Mapping[str, float]) -> str:
    """`openvino 2.9 ms, onnxruntime 4.3 ms`, the chosen one first."""
    names = sorted(times_ms, key=lambda name: (name != chosen, times_ms[name]))
    return ", ".join(
        f"{name} {times_ms[name]:.{1 if times_ms[name] >= 1 else 2}f} ms" for name in names
    )
