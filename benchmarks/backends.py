"""Every graph on every installed backend and precision, in turn.

    python -m benchmarks backends
    python -m benchmarks backends --engine out/ov --engine out/rtx --people 1 --people 4 --compile

Timed are the graphs of BlazePose, the default engine, the ResNet-50 engine and of every --engine; of
that last one also torch, from the same random-size weights. All contenders of a graph take turns of
five counted runs; the run before them is left out. Shown are medians and interquartile ranges.
"""

import argparse
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.command_line import (
    add_json,
    command_parser,
    guarded,
    keep,
    positive,
    seconds,
    table,
)
from benchmarks.graphs import EngineGraph, engine_graphs, random_feeds
from benchmarks.interleaved import Contender, Turns, one_line, time_in_turns
from benchmarks.other_work import warn_if_busy
from benchmarks.results import Collected, Labels, Record
from realtime_vibe.app.settings import DEFAULT_ENGINE
from realtime_vibe.backends.base import AnyArray, InferenceSession
from realtime_vibe.backends.factory import BACKENDS, installed_backends, open_session
from realtime_vibe.backends.graph_folder import engine_folder
from realtime_vibe.errors import RealtimeVibeError
from realtime_vibe.tracking.choices import BLAZEPOSE

NAME = "backends"
VIBE_ENGINE = Path("out") / "vibe-engine"
HOW_TO_MAKE_VIBE = (
    "python -m tests.make_official_files out/official && python -m export.vibe "
    "--vibe out/official/vibe_model_w_3dpw.pth.tar --spin out/official/spin_model_checkpoint.pth.tar "
    "--body out/official/SMPL_NEUTRAL.pkl --out out/vibe-engine"
)
_TORCH_GRAPHS = ("vibe-resnet50 features", "vibe-resnet50 step")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """Who runs a graph."""

    contender: Contender
    labels: Labels


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns 0, or 2 after an error that the user can fix."""
    options = _parser().parse_args(arguments)
    return guarded(NAME, lambda: _run(options))


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(NAME, __doc__)
    parser.add_argument("--engine", action="append", type=Path, default=[], help="a folder more")
    parser.add_argument(
        "--vibe-engine", type=Path, default=VIBE_ENGINE, help=f"ResNet-50 engine ({VIBE_ENGINE})"
    )
    parser.add_argument("--only", default="", help="only graphs with this text in their names")
    parser.add_argument("--people", action="append", type=positive, help="people in one run (1)")
    parser.add_argument("--threads", type=positive, default=2, help="threads of each backend (2)")
    parser.add_argument("--seconds", type=seconds, default=7.0, help="time for each graph (7)")
    parser.add_argument("--no-torch", action="store_true", help="leave torch out")
    parser.add_argument("--compile", action="store_true", help="torch.compile too; takes minutes")
    add_json(parser)
    return parser


def _run(options: argparse.Namespace) -> None:
    warn_if_busy()
    collected = Collected(NAME)
    groups = {title: graphs for title, graphs in _groups(options).items() if options.only in title}
    for title, graphs in groups.items():
        people = options.people or [1]
        for num_people in people if graphs[0].has_people else [1]:
            _measure(title, graphs, num_people, options, collected)
    absent = [name for name in BACKENDS if name not in ("auto", *installed_backends())]
    for name in absent:
        collected.add("all graphs", (), Labels(backend=name, note="not installed"), metric=name)
    if absent:
        print(f"\nnot installed: {', '.join(absent)}")
    keep(collected, options.json)


def _groups(options: argparse.Namespace) -> dict[str, list[EngineGraph]]:
    """The same network of all folders side by side."""
    folders = [engine_folder(BLAZEPOSE), engine_folder(DEFAULT_ENGINE)]
    if options.vibe_engine.is_dir():
        folders.append(options.vibe_engine)
    else:
        print(f"no ResNet-50 engine at {options.vibe_engine}; make one: {HOW_TO_MAKE_VIBE}\n")
    for folder in options.engine:
        folders.append(folder)
        if (folder / "tracker").is_dir():
            folders.append(folder / "tracker")
    groups: dict[str, list[EngineGraph]] = {}
    for folder in folders:
        for graph in engine_graphs(folder):
            groups.setdefault(graph.title, []).append(graph)
    return groups


def _measure(
    title: str,
    graphs: list[EngineGraph],
    num_people: int,
    options: argparse.Namespace,
    collected: Collected,
) -> None:
    with ExitStack() as stack:
        entries = list(_opened(graphs, num_people, options.threads, stack))
        if title in _TORCH_GRAPHS and not options.no_torch:
            entries += _torch_entries(title, num_people, options, stack)
        time_in_turns(
            [entry.contender for entry in entries], Turns(rounds=100, budget_s=options.seconds)
        )
    case = title if num_people == 1 else f"{title}, {num_people} people"
    records = [
        collected.add(case, entry.contender.samples_ms, _noted(entry), metric=entry.contender.name)
        for entry in entries
    ]
    print(_as_table(case, records) + "\n")


def _opened(
    graphs: list[EngineGraph], num_people: int, num_threads: int, stack: ExitStack
) -> Iterator[_Entry]:
    """Everybody who can open a graph, and who cannot with the reason."""
    names: set[str] = set()
    for graph in graphs:
        feeds = random_feeds(graph.spec.inputs, num_people)
        for backend in graph.backends(installed_backends()):
            precision = "bf16" if backend.endswith("-bf16") else graph.precision
            name = _name(backend, precision, graph.target)
            if name in names:
                name += f", {graph.folder}"
            names.add(name)
            contender = Contender(name=name, run=_nothing)
            try:
                session = open_session(graph.spec, backend, num_threads=num_threads)
            except RealtimeVibeError as error:
                contender.error = one_line(error)
            else:
                stack.enter_context(closing(session))
                contender.run = _Run(session, feeds)
            labels = Labels(
                engine=graph.engine, backend=backend, precision=precision, people=num_people
            )
            yield _Entry(contender=contender, labels=labels)


def _torch_entries(
    title: str, num_people: int, options: argparse.Namespace, stack: ExitStack
) -> list[_Entry]:
    try:
        import torch

        from benchmarks.torch_sessions import Mode, features_session, step_session
    except ImportError:
        contender = Contender(name="torch", run=_nothing, error="torch is not installed")
        return [_Entry(contender=contender, labels=Labels(backend="torch", people=num_people))]
    torch.set_num_threads(options.threads)
    make = features_session if title.endswith("features") else step_session
    modes: tuple[Mode, ...] = ("eager", "compile") if options.compile else ("eager",)
    kinds = [("cpu", False)]
    if torch.cuda.is_available():
        kinds += [("cuda", False), ("cuda", True)]
    entries = []
    for mode in modes:
        for device, half in kinds:
            session = make(mode, device, half=half)
            stack.enter_context(closing(session))
            name = _name(session.backend, session.precision, "onnx")
            run = _Run(session, random_feeds(session.inputs, num_people))
            labels = Labels(
                engine="random weights",
                backend=session.backend,
                precision=session.precision,
                people=num_people,
            )
            entries.append(_Entry(contender=Contender(name=name, run=run), labels=labels))
    return entries


def _as_table(case: str, records: list[Record]) -> str:
    """Fastest first, against torch eager or else the slowest."""
    timed = [record for record in records if record.summary is not None]
    timed.sort(key=lambda record: record.summary.p50 if record.summary else 0.0)
    reference = next((record for record in timed if record.backend == "torch-eager"), None)
    reference = reference or (timed[-1] if timed else None)
    rows = []
    for record in timed:
        summary = record.summary
        assert summary is not None
        assert reference is not None
        assert reference.summary is not None
        ratio = reference.summary.p50 / summary.p50
        cells = (f"{value:.2f}" for value in (summary.p50, summary.p25, summary.p75, summary.p95))
        rows.append((f"  {record.metric}", *cells, f"{ratio:.2f}x", str(summary.n)))
    against = f"vs {reference.backend}" if reference else ""
    lines = [table((case, "p50 ms", "p25", "p75", "p95", against, "runs"), rows)]
    lines += [f"  {record.metric}: {record.note}" for record in records if record.summary is None]
    return "\n".join(lines)


def _noted(entry: _Entry) -> Labels:
    return replace(entry.labels, note=entry.contender.error)


def _name(backend: str, precision: str, target: str) -> str:
    plain = backend.removesuffix("-bf16")
    return f"{plain} {precision}" + ("" if target in {"onnx", plain} else f" (built for {target})")


class _Run:
    """One run of a session."""

    def __init__(self, session: InferenceSession, feeds: Mapping[str, AnyArray]) -> None:
        self._session, self._feeds = session, feeds

    def __call__(self) -> object:
        return self._session.run(self._feeds)


def _nothing() -> None:
    """What somebody runs who could not be opened."""


if __name__ == "__main__":
    raise SystemExit(main())
