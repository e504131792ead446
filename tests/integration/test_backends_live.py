"""Which backend runs which graph of a live run: named in the statistics, and by the engine's folder."""

import json
import shutil
import threading

import numpy as np
import pytest

from realtime_vibe.app.run import build_pipeline, run
from realtime_vibe.app.settings import LiveConfig
from realtime_vibe.backends.graph_folder import engine_folder, file_sha256
from realtime_vibe.errors import EngineError

GRAPHS = {"step", "detector", "landmarks_heat"}


def _built_for_openvino(tmp_path):
    """The default engine and its tracker, as `export.build --target openvino` lays them out."""
    pytest.importorskip("openvino")
    from realtime_vibe.backends.openvino_session import load_openvino

    ov = load_openvino()
    folder = tmp_path / "built"
    folder.mkdir()
    _convert(ov, engine_folder("blazepose-gru"), folder, "engine.json")
    shutil.copy(engine_folder("blazepose-gru") / "body.npz", folder)
    (folder / "tracker").mkdir()
    _convert(ov, engine_folder("blazepose"), folder / "tracker", "blazepose.json")
    return folder


def _convert(ov, source, folder, manifest_name):
    content = json.loads((source / manifest_name).read_text())
    for name, graph in content["graphs"].items():
        file = folder / f"{name}.xml"
        ov.save_model(ov.Core().read_model(source / graph["file"]), file, compress_to_fp16=False)
        weights = file.with_suffix(".bin")
        graph.update(
            file=file.name,
            sha256=file_sha256(file),
            weights={"file": weights.name, "sha256": file_sha256(weights)},
        )
    content.update(target="openvino", precision="fp32")
    content["built"] = {"versions": {"openvino": str(ov.__version__)}}
    (folder / manifest_name).write_text(json.dumps(content))


def _config(**changes):
    return LiveConfig(**{"source": "synthetic", "view": "none", "max_frames": 35, **changes})


def test_statistics_name_what_ran_each_graph(tmp_path):
    stats = tmp_path / "s.json"
    assert run(_config(stats=stats)) == 0
    document = json.loads(stats.read_text())
    assert set(document["backends"]) == GRAPHS
    for backend in document["backends"].values():
        assert backend in document["backend"]
    run(_config(stats=stats, backend="onnxruntime", overwrite=True))
    document = json.loads(stats.read_text())
    assert document["backends"] == dict.fromkeys(GRAPHS, "onnxruntime:CPU")
    assert document["backend"] == "onnxruntime:CPU"


@pytest.mark.parametrize("backend", ["auto", "openvino"])
def test_a_built_folder_runs_with_its_own_backend_and_tracker(tmp_path, backend):
    folder = _built_for_openvino(tmp_path)
    built = build_pipeline(_config(engine=str(folder), backend=backend))
    built.pipeline.close()
    assert built.backends == dict.fromkeys(GRAPHS, "openvino:CPU:f32")
    assert built.backend == "openvino:CPU:f32"


def test_another_backend_than_it_was_built_for_is_refused(tmp_path):
    folder = _built_for_openvino(tmp_path)
    with pytest.raises(
        EngineError, match=r"built for openvino, got --backend onnxruntime: expected"
    ):
        build_pipeline(_config(engine=str(folder), backend="onnxruntime"))


def test_the_tracker_beside_the_engine_is_the_one_that_is_used(tmp_path):
    folder = _built_for_openvino(tmp_path)
    (folder / "tracker" / "landmarks_heat.bin").unlink()
    with pytest.raises(EngineError, match=r"lacks landmarks_heat\.bin"):
        build_pipeline(_config(engine=str(folder)))


def test_openvino_gives_the_same_motion(tmp_path):
    pytest.importorskip("openvino")
    poses = {}
    for backend in ("onnxruntime", "openvino"):
        built = build_pipeline(_config(backend=backend))
        try:
            poses[backend] = _joints_of_the_demo(built.pipeline)
        finally:
            built.pipeline.close()
    assert len(poses["openvino"]) == len(poses["onnxruntime"]) > 10
    apart_m = np.abs(poses["openvino"] - poses["onnxruntime"])
    assert apart_m[0].max() < 5e-4
    # From then on where to look follows from the landmarks, and crops move in steps of 1/32 pixel.
    assert apart_m.mean() < 3e-3


def _joints_of_the_demo(pipeline):
    from realtime_vibe.sources.factory import open_source
    from realtime_vibe.sources.video_file import demo_clip_path

    joints = []
    source = open_source(str(demo_clip_path()), paced=False)
    try:
        for _ in range(15):
            frame = source.read(threading.Event())
            joints += [person.mesh.joints for person in pipeline.step(frame).people]
    finally:
        source.close()
    return np.array(joints)
