"""Whether a backend really runs here: a convolutional network, on zeros.

Nothing but the standard library is imported at the top, as in `doctor`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from realtime_vibe.backends.graph import Graph


def tried_backend(backend: str) -> str:
    """Runs BlazePose's detector on zeros; says what was run and by what.

    Raises:
        BackendUnavailableError: the backend is not installed or cannot run here.
    """
    from realtime_vibe.backends import tensorrt_library
    from realtime_vibe.backends.cuda_driver import CudaDevice
    from realtime_vibe.backends.fastest import zero_feeds
    from realtime_vibe.tracking.blazepose_models import BlazePoseFolder, model_folder
    from realtime_vibe.tracking.choices import FULL

    if backend.startswith("tensorrt"):
        is_rtx = backend.endswith("rtx")
        load = tensorrt_library.load_tensorrt_rtx if is_rtx else tensorrt_library.load_tensorrt
        version, device = load().version, CudaDevice()
        device.close()
        return (
            f"{version} opens engines built for it on {device.name} ({device.compute_capability})"
        )
    with BlazePoseFolder(model_folder(FULL), backend).session("detector") as session:
        session.run(zero_feeds(session))
        return f"ran BlazePose's detector as {session.backend}"


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
