"""Fixtures every test may use."""

import os
import signal
from pathlib import Path

import hypothesis
import pytest
from filelock import FileLock

# OpenMP's waiting threads burn the core they wait for; beside another busy process torch slows down
# a hundredfold. Must be set before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from realtime_vibe.sources.opencv import quiet_opencv

# How long an example takes says more about what else the machine does than about the code. Every run tries others.
hypothesis.settings.register_profile(
    "short", deadline=None, max_examples=50, stateful_step_count=20
)
hypothesis.settings.load_profile("short")

# OpenCV reads its settings once, at the first capture or writer of the process, whichever test that
# is in; tests that nothing is printed would depend on the order otherwise.
quiet_opencv()

# A shell that starts the tests in the background tells them to ignore Ctrl-C, and every process that a
# test starts would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent


def made_once(tmp_path_factory, name, make):
    """A folder that the first worker of this run fills by `make(folder)` and all of them read."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder, done = shared / name, shared / f"{name}.done"
    with FileLock(shared / f"{name}.lock"):
        if not done.exists():
            folder.mkdir()
            make(folder)
            done.touch()
    return folder


@pytest.fixture(scope="session", autouse=True)
def cache_of_these_tests(tmp_path_factory):
    """What `--backend auto` reads and writes, also in processes that tests start."""
    before = os.environ.get("XDG_CACHE_HOME")
    # MediaPipe's bundle, which `make setup-test` builds, is all the tests take from the user's own.
    own = Path(before or Path.home() / ".cache") / "realtime-vibe"

    def make(folder):
        (folder / "realtime-vibe").mkdir()
        for bundle in own.glob("*.task"):
            (folder / "realtime-vibe" / bundle.name).symlink_to(bundle)
        _choose_onnxruntime(folder / "realtime-vibe" / "backends.json")

    os.environ["XDG_CACHE_HOME"] = str(made_once(tmp_path_factory, "cache", make))
    yield
    if before is None:
        del os.environ["XDG_CACHE_HOME"]
    else:
        os.environ["XDG_CACHE_HOME"] = before


def _choose_onnxruntime(path):
    """The choice of `auto` for the graphs that ship: it opens them in a third of OpenVINO's time."""
    from realtime_vibe.backends.factory import installed_backends
    from realtime_vibe.backends.fastest import ChoiceCache, choice_key
    from realtime_vibe.backends.graph import fitting_backends
    from realtime_vibe.backends.graph_folder import Engine
    from realtime_vibe.tracking.blazepose_models import BlazePoseFolder

    installed, cache = installed_backends(), ChoiceCache(path)
    folders = [Engine("blazepose-gru")]
    folders += [
        BlazePoseFolder(ROOT / "engines" / name) for name in ("blazepose", "blazepose-lite")
    ]
    for graph in (graph for folder in folders for graph in folder.graphs().values()):
        candidates = tuple(name for name in fitting_backends(graph) if name in installed)
        for num_threads in (1, 2):
            key = choice_key(graph, candidates, num_threads)
            cache.put(key, "onnxruntime")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with clips and motion that lies beside a checkout; skips where it is absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no data folder at {folder}")
    return folder


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory):
    """`yolov3-tiny.weights` with random numbers."""
    return _yolo_weights(tmp_path_factory, "yolov3-tiny", tiny=True)


@pytest.fixture(scope="session")
def full_weights(tmp_path_factory):
    """`yolov3.weights` with random numbers."""
    return _yolo_weights(tmp_path_factory, "yolov3", tiny=False)


def _yolo_weights(tmp_path_factory, name, *, tiny):
    from tests.official_yolo import write_yolo_weights

    file = f"{name}.weights"
    folder = made_once(
        tmp_path_factory, name, lambda folder: write_yolo_weights(folder / file, tiny=tiny)
    )
    return folder / file


@pytest.fixture(scope="session")
def quick_recipe(tmp_path_factory):
    """A folder in which the recipe has run: its results are in `out`."""

    def make(folder):
        from tests.quick_recipe import run_recipe

        assert run_recipe(folder) == 0

    return made_once(tmp_path_factory, "recipe", make)


@pytest.fixture(scope="session")
def official_files(tmp_path_factory):
    """Stand-ins for the licensed files, by the names of `VibeFiles`: random weights, a `short_backbone`."""
    from export.vibe import VibeFiles
    from tests.official_smpl import write_extra_regressor, write_smpl_pickle
    from tests.official_vibe import short_backbone, write_vibe

    def make(folder):
        with short_backbone():
            write_vibe(folder)
        write_smpl_pickle(folder / "SMPL_NEUTRAL.pkl")
        write_extra_regressor(folder / "J_regressor_extra.npy")

    folder = made_once(tmp_path_factory, "official", make)
    return VibeFiles(
        vibe=folder / "vibe_model_w_3dpw.pth.tar",
        spin=folder / "spin_model_checkpoint.pth.tar",
        body=folder / "SMPL_NEUTRAL.pkl",
        mean_params=folder / "smpl_mean_params.npz",
    )


@pytest.fixture(scope="session")
def official_engine(official_files, tmp_path_factory):
    """The folder of the engine made of them, in single precision."""
    from export.vibe import VibeOptions, export_vibe
    from tests.official_vibe import short_backbone

    def make(out):
        with pytest.MonkeyPatch.context() as patch, short_backbone():
            patch.setattr("export.vibe.PARITY_FRAMES", 30)
            export_vibe(official_files, out, VibeOptions())

    return made_once(tmp_path_factory, "vibe", make)


@pytest.fixture(scope="session")
def official_fused_engine(official_files, tmp_path_factory):
    """The same engine in half precision as one graph from crop to parameters, one to the mesh, with another margin."""
    from export.vibe import VibeOptions, export_vibe
    from tests.official_vibe import short_backbone

    def make(out):
        options = VibeOptions(fused=True, whole_frame=True, precision="fp16", crop_scale=1.2)
        with short_backbone():
            export_vibe(official_files, out, options)

    return made_once(tmp_path_factory, "fused", make)
