"""Opens an engine's graphs, each with the backend that suits it best."""

import logging
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import MappingProxyType

from realtime_vibe.backends.base import InferenceSession
from realtime_vibe.backends.build import GraphFile, fitting_backends, resolved
from realtime_vibe.backends.choice_cache import ChoiceCache, cache_file, choice_key
from realtime_vibe.backends.factory import BACKENDS, installed_backends, open_file
from realtime_vibe.backends.fastest import fastest, median_times_ms
from realtime_vibe.errors import BackendUnavailableError, EngineError, RealtimeVibeError

_log = logging.getLogger(__name__)

OpenFile = Callable[[GraphFile, str, int], InferenceSession]
"""Graph, backend, threads."""
Measure = Callable[[Mapping[str, InferenceSession]], dict[str, float]]


class GraphOpener:
    """Opens graphs and remembers what runs each of them.

    Args:
        backend: one of `factory.BACKENDS`. `auto` measures the installed backends that fit a graph when it
            first meets it on this machine, for a fifth of a second, and keeps the choice.
        cache: where choices are kept; None: the user's cache folder.
        installed: backends to choose among; None: what is installed here.
        open_file: opens one graph with one backend.
        measure: gives the candidates' times [ms].

    Raises:
        BackendUnavailableError: there is no backend of that name.
    """

    def __init__(
        self,
        backend: str = "auto",
        *,
        cache: ChoiceCache | None = None,
        installed: tuple[str, ...] | None = None,
        open_file: OpenFile = open_file,
        measure: Measure = median_times_ms,
    ) -> None:
        if backend not in BACKENDS:
            raise BackendUnavailableError(
                f"unknown backend '{backend}': expected one of {', '.join(BACKENDS)}"
            )
        self.backend = backend
        self._cache = cache if cache is not None else ChoiceCache(cache_file())
        self._installed = installed
        self._open_file = open_file
        self._measure = measure
        self._used: dict[str, str] = {}

    @property
    def used(self) -> Mapping[str, str]:
        """What really runs each graph that was opened: `{"landmarks": "openvino:CPU:f32"}`."""
        return MappingProxyType(self._used)

    def open(self, file: GraphFile, *, num_threads: int) -> InferenceSession:
        """Loads a graph.

        Args:
            file: the graph.
            num_threads: threads inside one operator.

        Raises:
            EngineError: the graph cannot be loaded, or was built for another backend or machine.
            BackendUnavailableError: the backend is not installed or cannot run here.
        """
        if self.backend == "auto":
            session = self._open_fastest(file, num_threads)
        else:
            session = self._open_file(file, resolved(file, self.backend), num_threads)
        self._used[file.path.stem] = session.backend
        return session

    def cached_choice(self, file: GraphFile, *, num_threads: int) -> str | None:
        """What `auto` would take without measuring; None when it would measure."""
        candidates = self._candidates(file)
        if len(candidates) == 1:
            return candidates[0]
        kept = self._cache.get(choice_key(file, candidates, num_threads))
        return kept if kept in candidates else None

    def _candidates(self, file: GraphFile) -> tuple[str, ...]:
        fitting = fitting_backends(file.build)
        if not fitting:
            raise EngineError(
                f"{file.path} is built for {file.build.target}, which only `python -m benchmarks` runs: "
                "expected an engine for another target"
            )
        if self._installed is None:
            self._installed = installed_backends()
        here = tuple(name for name in fitting if name in self._installed)
        return here or fitting[:1]  # opening it names the cure

    def _open_fastest(self, file: GraphFile, num_threads: int) -> InferenceSession:
        candidates = self._candidates(file)
        if len(candidates) == 1:
            return self._open_file(file, candidates[0], num_threads)
        key = choice_key(file, candidates, num_threads)
        kept = self._cache.get(key)
        if kept in candidates:
            try:
                return self._open_file(file, kept, num_threads)
            except RealtimeVibeError as error:
                _log.debug("%s: %s was chosen before, but: %s", file.path.stem, kept, error)
        with ExitStack() as stack:
            sessions = self._opened(file, candidates, num_threads, stack)
            times_ms = self._measure(sessions)
            if not times_ms:
                raise BackendUnavailableError(
                    f"{file.path} runs on none of {', '.join(candidates)}: see the lines above"
                )
            chosen = fastest(times_ms)
            stack.pop_all()
        for name, session in sessions.items():
            if name != chosen:
                session.close()
        self._cache.put(key, chosen, file.path.stem, times_ms)
        _log.info("%s: %s", file.path.stem, _as_text(chosen, times_ms))
        return sessions[chosen]

    def _opened(
        self, file: GraphFile, candidates: tuple[str, ...], num_threads: int, stack: ExitStack
    ) -> dict[str, InferenceSession]:
        """The candidates that can load the graph; the first one's error when none can."""
        sessions = {}
        errors: list[RealtimeVibeError] = []
        for name in candidates:
            try:
                sessions[name] = self._open_file(file, name, num_threads)
            except RealtimeVibeError as error:
                errors.append(error)
                continue
            stack.callback(sessions[name].close)
        if not sessions:
            raise errors[0]
        for reason in errors:
            _log.warning("auto leaves a backend out: %s", reason)
        return sessions


def _as_text(chosen: str, times_ms: Mapping[str, float]) -> str:
    """`openvino 2.9 ms, onnxruntime 4.3 ms`, the chosen one first."""
    names = sorted(times_ms, key=lambda name: (name != chosen, times_ms[name]))
    return ", ".join(
        f"{name} {times_ms[name]:.{1 if times_ms[name] >= 1 else 2}f} ms" for name in names
    )
