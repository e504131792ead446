"""Whether a backend really runs here: a graph of the default engine, on zeros.

Nothing but the standard library is imported at the top, as in `doctor`.
"""

from typing import TYPE_CHECKING

from realtime_vibe.app.settings import DEFAULT_ENGINE
from realtime_vibe.system.machine import package_version

if TYPE_CHECKING:
    from realtime_vibe.backends.manifest import GraphSpec

_DISTRIBUTIONS = {
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
    "openvino": ("openvino",),
}
"""Who brings a backend, by the first word of its name; TensorRT tells its version itself."""


def version_of(backend: str) -> str:
    """The installed version with a space before it, or nothing."""
    for distribution in _DISTRIBUTIONS.get(backend.partition("-")[0], ()):
        version = package_version(distribution)
        if version is not None:
            return f" {version}"
    return ""


def tried_backend(backend: str) -> str:
    """Runs the default engine's smallest graph on zeros; says what was run and by what.

    Raises:
        BackendUnavailableError: the backend is not installed or cannot run here.
    """
    from realtime_vibe.backends import tensorrt_library
    from realtime_vibe.backends.cuda_driver import CudaDevice
    from realtime_vibe.backends.fastest import zero_feeds
    from realtime_vibe.backends.manifest import open_spec

    if backend.startswith("tensorrt"):
        is_rtx = backend.endswith("rtx")
        load = tensorrt_library.load_tensorrt_rtx if is_rtx else tensorrt_library.load_tensorrt
        version, device = load().version, CudaDevice()
        device.close()
        return (
            f"{version} opens engines built for it on {device.name} ({device.compute_capability})"
        )
    graphs = graphs_of(DEFAULT_ENGINE)
    smallest = min(graphs, key=lambda spec: spec.path.stat().st_size)
    with open_spec(smallest, backend) as session:
        session.run(zero_feeds(session))
        return f"ran {smallest.path.name} as {session.backend}"


def graphs_of(engine: str) -> "list[GraphSpec]":
    """An engine's graphs, and those of the tracker it needs."""
    from realtime_vibe.app.run import TRACKER_FOLDER
    from realtime_vibe.backends.engine_folder import engine_folder
    from realtime_vibe.backends.manifest import graph_spec, load_manifest, read_manifest
    from realtime_vibe.tracking.blazepose_models import BLAZEPOSE_KIND
    from realtime_vibe.tracking.choices import BLAZEPOSE

    manifest = load_manifest(engine_folder(engine))
    own = manifest.folder / TRACKER_FOLDER
    tracker = own if own.is_dir() else engine_folder(BLAZEPOSE)
    content = read_manifest(tracker, BLAZEPOSE_KIND)
    names = ("detector", "landmarks")
    return [
        *manifest.graphs.values(),
        *(graph_spec(tracker, BLAZEPOSE_KIND, content, name) for name in names),
    ]
