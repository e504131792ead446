"""`realtime-vibe doctor`: what is installed, what works, and whether the live job can run here.

Nothing but the standard library is imported at the top: a broken or missing package is a finding.
"""

import contextlib
import ctypes
import importlib.util
import io
import json
import platform
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realtime_vibe import __version__
from realtime_vibe.app.settings import LiveConfig
from realtime_vibe.cli.window_trial import try_windows
from realtime_vibe.errors import (
    BackendUnavailableError,
    EngineError,
    OutputError,
    RealtimeVibeError,
)
from realtime_vibe.system.machine import install_command, machine_facts, package_version

if TYPE_CHECKING:
    from realtime_vibe.backends.graph import Graph

OK, ABSENT, BROKEN = "[ok]", "[--]", "[!!]"
"""Works; not here and not needed for the live job; the live job cannot run until this is fixed."""

SELF_TEST_FRAMES = 60
"""Two seconds of the synthetic source."""

_REQUIRED = (
    ("numpy", "numpy"),
    ("opencv-contrib-python", "cv2"),
    ("cv2-enumerate-cameras", "cv2_enumerate_cameras"),
    ("threadpoolctl", "threadpoolctl"),
    ("tqdm", "tqdm"),
)
"""(distribution, module)."""

_EXTRAS = (
    ("cpu", ("onnxruntime",), "the networks on the CPU"),
    ("gpu", ("onnxruntime-gpu",), "the networks on CUDA, instead of cpu"),
    ("openvino", ("openvino",), "faster networks on Intel and AMD CPUs"),
    ("viewer", ("open3d-cpu", "open3d"), "the 3D window"),
    ("mediapipe", ("mediapipe",), "--tracker mediapipe and the comparison with it"),
    ("train", ("torch",), "training; never used live"),
    ("export", ("onnx", "onnxscript"), "making engines; never used live"),
)
"""(extra, any of these distributions, what it adds)."""

_CLASHES = {
    "cv2": "opencv-contrib-python",
    "onnxruntime": "onnxruntime (or onnxruntime-gpu for CUDA)",
}
"""Modules that several distributions bring, and what to install instead of several."""

_LIBRARIES = (
    ("libGL.so.1", "libgl1", "OpenCV and Open3D"),
    ("libgthread-2.0.so.0", "libglib2.0-0", "OpenCV"),
    ("libusb-1.0.so.0", "libusb-1.0-0", "Open3D"),
    ("libgomp.so.1", "libgomp1", "Open3D"),
)
"""(library, Debian package, who needs it) on Linux."""

_LANDMARK_GRAPHS = ("landmarks", "landmarks_heat")
"""Of each tracker model: without and with heat maps."""

_FORBIDDING = ("not to be passed on", "non-commercial", "noncommercial")
"""Words of licences under which a file stays where it is."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    level: str
    text: str

    def __str__(self) -> str:
        return f"{self.level} {self.text}"


def run_doctor(*, engine: str, backend: str) -> int:
    """Prints every finding as it is made; returns 0 when the live job can run here, else 1."""
    checks: tuple[tuple[str, Callable[[], Iterable[Finding]]], ...] = (
        ("system", check_system),
        ("packages", check_packages),
        ("clashes", check_clashes),
        ("system libraries", check_libraries),
        ("backends", check_backends),
        ("display", check_display),
        ("cameras", check_cameras),
        ("engine", lambda: check_engine(engine)),
        ("tracker models", check_tracker_models),
        ("auto", lambda: check_auto(engine)),
        ("self-test", lambda: check_live(engine, backend)),
    )
    broken = 0
    for name, check in checks:
        for finding in _guarded(name, check):
            print(finding, flush=True)
            broken += finding.level == BROKEN
    if broken:
        print(f"\n{broken} to fix before the live job can run (lines with {BROKEN})")
        return 1
    print("\nthe live job can run")
    return 0


def print_cameras() -> int:
    """Prints one line per camera, the number for `--source` first; returns the exit code 0."""
    from realtime_vibe.sources.cameras import list_cameras

    cameras = list_cameras()
    for camera in cameras:
        print(f"{camera.index}  {camera.name}  {camera.path}".rstrip())
    if not cameras:
        print("found no camera", file=sys.stderr)
    return 0


def check_system() -> Iterable[Finding]:
    """Python, operating system and processor."""
    facts = machine_facts()
    yield Finding(OK, f"realtime-vibe {__version__}, Python {platform.python_version()}")
    yield Finding(
        OK, f"{facts['system']} {facts['architecture']}, {facts['cpu']}, {facts['cores']} cores"
    )


def check_packages() -> Iterable[Finding]:
    """Required packages, then each extra."""
    for distribution, module in _REQUIRED:
        version = package_version(distribution)
        try:
            importlib.import_module(module)
        except ImportError as error:
            yield Finding(BROKEN, f"{distribution} cannot be imported: {_first_line(error)}")
        else:
            yield Finding(OK, f"{distribution} {version or '(installed under another name)'}")
    for extra, distributions, adds in _EXTRAS:
        found = [
            f"{name} {package_version(name)}" for name in distributions if package_version(name)
        ]
        if found:
            yield Finding(OK, f"{', '.join(found)}: {adds}")
        else:
            yield Finding(ABSENT, f"no {extra}: {install_command(extra)} adds {adds}")


def check_clashes() -> Iterable[Finding]:
    """Wheels that overwrite each other's files."""
    brought_by = metadata.packages_distributions()
    for module, choice in _CLASHES.items():
        found = sorted(set(brought_by.get(module, ())))
        if len(found) < 2:
            continue
        yield Finding(
            BROKEN,
            f"{' and '.join(found)} overwrite each other: pip uninstall -y {' '.join(found)} && "
            f"pip install {choice}",
        )


def check_libraries() -> Iterable[Finding]:
    """Shared libraries that wheels expect from the system."""
    if sys.platform != "linux":
        return
    missing = []
    for library, package, user in _LIBRARIES:
        try:
            ctypes.CDLL(library)
        except OSError:
            missing.append(package)
            level = BROKEN if "OpenCV" in user else ABSENT
            yield Finding(level, f"no {library}, which {user} need{'' if ' and ' in user else 's'}")
    if missing:
        yield Finding(ABSENT, f"to install them: sudo apt-get install -y {' '.join(missing)}")
    else:
        yield Finding(OK, f"system libraries: {', '.join(library for library, *_ in _LIBRARIES)}")


def check_backends() -> Iterable[Finding]:
    """Runs a graph on every backend that is installed; one that runs is enough."""
    from realtime_vibe.backends.factory import BACKENDS

    absent = []
    num_working = 0
    for name in BACKENDS:
        if name == "auto":
            continue
        try:
            yield Finding(OK, f"backend {name}: {_tried_backend(name)}")
            # TensorRT opens nothing but engines that were built for it.
            num_working += not name.startswith("tensorrt")
        except BackendUnavailableError as error:
            absent.append((name, error))
        except RealtimeVibeError as error:
            yield Finding(BROKEN, f"backend {name}: {error}")
    for place, (name, reason) in enumerate(absent):
        level = BROKEN if place == 0 and num_working == 0 else ABSENT
        yield Finding(level, f"no backend {name}: {reason}")


def _tried_backend(backend: str) -> str:
    """Runs BlazePose's detector on zeros; says what was run and by what.

    Raises:
        BackendUnavailableError: the backend is not installed or cannot run here.
    """
    from realtime_vibe.backends.cuda_driver import CudaDevice
    from realtime_vibe.backends.fastest import zero_feeds
    from realtime_vibe.backends.tensorrt_library import load_tensorrt
    from realtime_vibe.tracking.blazepose_models import BlazePoseFolder, model_folder
    from realtime_vibe.tracking.choices import FULL

    if backend.startswith("tensorrt"):
        version, device = load_tensorrt(backend).version, CudaDevice()
        device.close()
        return (
            f"{version} opens engines built for it on {device.name} ({device.compute_capability})"
        )
    with BlazePoseFolder(model_folder(FULL), backend).session("detector") as session:
        session.run(zero_feeds(session))
        return f"ran BlazePose's detector as {session.backend}"


def check_auto(engine: str) -> Iterable[Finding]:
    """What `--backend auto` takes for each graph, as far as that is known without measuring."""
    from realtime_vibe.backends.factory import installed_backends
    from realtime_vibe.backends.fastest import ChoiceCache, cache_file, cached_choice

    installed, cache = installed_backends(), ChoiceCache(cache_file())
    choices = {}
    for graph in graphs_of(engine):
        # The live run gives small graphs one thread and large ones two.
        kept = [cached_choice(graph, installed, cache, num_threads=number) for number in (1, 2)]
        choices[graph.path.stem] = next((name for name in kept if name), "not measured yet")
    text = ", ".join(f"{name}: {backend}" for name, backend in choices.items())
    yield Finding(OK, f"--backend auto takes {text}")


def graphs_of(engine_name: str) -> "list[Graph]":
    """An engine's graphs, and those of the tracker it needs."""
    from realtime_vibe.app.run import TRACKER_FOLDER
    from realtime_vibe.backends.graph_folder import Engine
    from realtime_vibe.tracking.blazepose_models import BlazePoseFolder, model_folder
    from realtime_vibe.tracking.choices import DEFAULT_TRACKER, FULL

    engine = Engine(engine_name)
    own = engine.path / TRACKER_FOLDER
    tracker = BlazePoseFolder(own if own.is_dir() else model_folder(FULL))
    names = ("detector", DEFAULT_TRACKER.landmark_graph)
    return [*engine.graphs().values(), *(tracker.graph(name) for name in names)]


def check_display() -> Iterable[Finding]:
    """Opens each window for a moment; without a display, nothing is tried."""
    from realtime_vibe.outputs.view.screen import require_display

    try:
        require_display()
    except OutputError as error:
        yield Finding(ABSENT, str(error))
        return
    for view, title in (("preview", "preview window"), ("open3d", "3D window")):
        if view == "open3d" and importlib.util.find_spec("open3d") is None:
            continue  # check_packages says what would bring it
        try:
            try_windows(view)
        except OutputError as error:
            yield Finding(BROKEN, f"{title}: {error}")
        else:
            yield Finding(OK, f"{title} opens")


def check_cameras() -> Iterable[Finding]:
    """The cameras of this machine."""
    from realtime_vibe.sources.cameras import list_cameras

    cameras = list_cameras()
    for camera in cameras:
        yield Finding(OK, f"camera {camera.index}: {camera.name} {camera.path}".rstrip())
    if not cameras:
        yield Finding(ABSENT, "no camera: --source auto plays the demo clip")


def check_engine(name: str) -> Iterable[Finding]:
    """Whether the engine's files are there and have the stated sha256s, and whose they are."""
    from realtime_vibe.backends.graph_folder import Engine
    from realtime_vibe.body.model_file import load_body

    engine = Engine(name)
    files = len(engine.graph_names) + 1
    yield Finding(
        OK,
        f"engine {engine.name} ({engine.target}, {engine.precision}): {files} files match "
        f"their sha256s, {engine.path}",
    )
    licence = str(engine.content.get("licence", ""))
    if any(word in licence.lower() for word in _FORBIDDING):
        yield Finding(ABSENT, f"licence of the engine, which is not to be passed on: {licence}")
    body = load_body(engine.body).metadata
    if body.get("redistributable") is False:
        terms = body.get("licence", "its owner's licence applies")
        yield Finding(ABSENT, f"licence of the body, which is not to be passed on: {terms}")


def check_tracker_models() -> Iterable[Finding]:
    """Which of BlazePose's landmark networks are here with the stated sha256s; `full` has to be."""
    from realtime_vibe.tracking.blazepose_models import BlazePoseFolder, model_folder
    from realtime_vibe.tracking.choices import FULL, TRACKER_MODELS

    for model in TRACKER_MODELS:
        try:
            folder = BlazePoseFolder(model_folder(model))
            graphs = [folder.graph(name) for name in _LANDMARK_GRAPHS]
        except EngineError as error:
            yield Finding(BROKEN if model == FULL else ABSENT, str(error))
        else:
            yield Finding(
                OK, f"tracker model {model}: {len(graphs)} files match their sha256s, {folder.path}"
            )


def check_live(engine: str, backend: str) -> Iterable[Finding]:
    """Two seconds of the whole live path on the synthetic source."""
    import numpy as np

    from realtime_vibe.app.run import run

    with tempfile.TemporaryDirectory() as folder:
        motion, stats = Path(folder) / "motion.npz", Path(folder) / "stats.json"
        config = LiveConfig(
            source="synthetic",
            view="none",
            engine=engine,
            backend=backend,
            max_frames=SELF_TEST_FRAMES,
            record=(motion,),
            stats=stats,
        )
        with contextlib.redirect_stderr(io.StringIO()):  # the progress bar is no finding
            code = run(config)
        if code != 0:
            yield Finding(BROKEN, f"self-test: the run ended with exit code {code}")
            return
        document: dict[str, Any] = json.loads(stats.read_text(encoding="utf-8"))
        with np.load(motion, allow_pickle=False) as recorded:
            num_bodies = int(np.count_nonzero(recorded["valid"]))
    processed = document["frames"]["processed"]
    step_ms = document["stages"]["step"]["p50_ms"]
    good = processed == SELF_TEST_FRAMES and num_bodies > 0 and step_ms is not None
    yield Finding(
        OK if good else BROKEN,
        f"self-test: {processed} frames, a body in {num_bodies}, "
        f"track to mesh {step_ms or 0:.1f} ms p50, {document['backend']}",
    )


def _guarded(name: str, check: Callable[[], Iterable[Finding]]) -> Iterable[Finding]:
    try:
        yield from check()
    except RealtimeVibeError as error:
        yield Finding(BROKEN, f"{name}: {error}")
    except Exception as error:  # noqa: BLE001 - whatever a broken installation raises is a finding
        yield Finding(BROKEN, f"{name}: {type(error).__name__}: {_first_line(error)}")


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
