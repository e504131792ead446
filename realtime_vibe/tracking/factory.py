"""Opens BlazePose's engine folder: checks it against its manifest, then loads the graphs."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from realtime_vibe.backends.base import InferenceSession
from realtime_vibe.backends.factory import open_session
from realtime_vibe.backends.manifest import file_sha256, tensor_spec
from realtime_vibe.errors import EngineError
from realtime_vibe.tracking.blazepose_tracker import BlazePoseTracker

MANIFEST = "blazepose.json"
FORMAT_VERSION = 1
_REBUILD = "rebuild it with: python -m export.blazepose"


def make_blazepose_tracker(
    engine_dir: Path, backend: str = "auto", *, refine: bool = False, num_threads: int = 2
) -> BlazePoseTracker:
    """Builds the tracker from an engine folder.

    Args:
        engine_dir: holds `blazepose.json` and the graphs it names.
        backend: see `realtime_vibe.backends.factory.open_session`.
        refine: take the landmark graph with heat maps: more exact in pixels, and slower.
        num_threads: threads of each network.

    Raises:
        EngineError: a file is missing or is not what the manifest says.
        BackendUnavailableError: the backend cannot run here.
    """
    graphs = _read_manifest(engine_dir / MANIFEST)
    open_one = partial(open_session, backend=backend, num_threads=num_threads)
    detector = _open_graph(engine_dir, "detector", graphs, open_one)
    try:
        name = "landmarks_heat" if refine else "landmarks"
        landmarks = _open_graph(engine_dir, name, graphs, open_one)
    except Exception:
        detector.close()
        raise
    return BlazePoseTracker(detector, landmarks)


def _read_manifest(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise EngineError(f"no {path.name} in {path.parent}: {_REBUILD}")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        version, graphs = manifest["format_version"], dict(manifest["graphs"])
    except (ValueError, KeyError, TypeError) as error:
        raise EngineError(f"{path} is damaged ({error!r}): {_REBUILD}") from error
    if version != FORMAT_VERSION:
        raise EngineError(f"{path} has format {version}, expected {FORMAT_VERSION}: {_REBUILD}")
    return graphs


def _open_graph(
    engine_dir: Path,
    name: str,
    graphs: dict[str, Any],
    open_one: Callable[[Path], InferenceSession],
) -> InferenceSession:
    try:
        entry = graphs[name]
        path, expected_sha256 = engine_dir / entry["file"], entry["sha256"]
        inputs = tuple(tensor_spec(item) for item in entry["inputs"])
        outputs = tuple(tensor_spec(item) for item in entry["outputs"])
    except (KeyError, TypeError) as error:
        raise EngineError(
            f"{engine_dir / MANIFEST} does not describe '{name}' ({error!r}): {_REBUILD}"
        ) from error
    if not path.is_file():
        raise EngineError(f"{path} is missing: {_REBUILD}")
    got_sha256 = file_sha256(path)
    if got_sha256 != expected_sha256:
        raise EngineError(
            f"{path} has sha256 {got_sha256[:12]}..., expected {expected_sha256[:12]}...: {_REBUILD}"
        )
    session = open_one(path)
    for got, expected in ((session.inputs, inputs), (session.outputs, outputs)):
        if got != expected:
            session.close()
            raise EngineError(f"{path} has {got}, expected {expected}: {_REBUILD}")
    return session
