"""Opening BlazePose's engine folder: what is refused, and with which advice."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from realtime_vibe.errors import EngineError
from realtime_vibe.tracking.factory import BLAZEPOSE_KIND, make_blazepose_tracker

ENGINE = Path(__file__).resolve().parents[2] / "engines" / "blazepose"
MANIFEST = BLAZEPOSE_KIND.file_name
pytest.importorskip("onnxruntime")


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ENGINE, tmp_path / "blazepose"))


def _edit(engine: Path, **changes: Any) -> None:
    manifest = json.loads((engine / MANIFEST).read_text())
    manifest["graphs"]["landmarks"].update(changes)
    (engine / MANIFEST).write_text(json.dumps(manifest))


@pytest.mark.parametrize("refine", [False, True])
def test_each_choice_needs_its_own_graph_only(engine: Path, refine: bool) -> None:
    used, unused = "landmarks.onnx", "landmarks_heat.onnx"
    if refine:
        used, unused = unused, used
    (engine / unused).unlink()
    make_blazepose_tracker(engine, refine=refine).close()
    (engine / used).unlink()
    with pytest.raises(EngineError, match=rf"lacks {used}: rebuild"):
        make_blazepose_tracker(engine, refine=refine)


def test_only_the_larger_graph_makes_heat() -> None:
    graphs = json.loads((ENGINE / MANIFEST).read_text())["graphs"]
    names = {
        graph: [output["name"] for output in graphs[graph]["outputs"]]
        for graph in ("landmarks", "landmarks_heat")
    }
    assert names["landmarks"] == ["landmarks", "presence", "world_landmarks"]
    assert names["landmarks_heat"] == [*names["landmarks"], "heat"]


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"no blazepose\.json.*export\.blazepose"):
        make_blazepose_tracker(tmp_path)


def test_a_damaged_manifest_is_refused(engine: Path) -> None:
    (engine / MANIFEST).write_text('{"format_version": 1, "graphs": ')
    with pytest.raises(EngineError, match=r"blazepose\.json cannot be read .*export\.blazepose"):
        make_blazepose_tracker(engine)


def test_another_format_is_refused(engine: Path) -> None:
    (engine / MANIFEST).write_text('{"format_version": 99, "graphs": {}}')
    with pytest.raises(EngineError, match="format version 99, expected 1"):
        make_blazepose_tracker(engine)


def test_a_changed_graph_is_refused(engine: Path) -> None:
    with (engine / "detector.onnx").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(
        EngineError, match=r"detector\.onnx has sha256 .*, blazepose\.json says .*rebuild"
    ):
        make_blazepose_tracker(engine)


def test_wrong_shapes_in_the_manifest_are_refused(engine: Path) -> None:
    _edit(engine, outputs=[{"name": "landmarks", "shape": [1, 7], "dtype": "float32"}])
    with pytest.raises(
        EngineError, match=r"landmarks\.onnx: outputs are .*, blazepose\.json says .*\(1, 7\)"
    ):
        make_blazepose_tracker(engine)


def test_a_manifest_without_a_graph_is_refused(engine: Path) -> None:
    (engine / MANIFEST).write_text('{"format_version": 1, "graphs": {}}')
    with pytest.raises(EngineError, match="describes no graph 'detector'"):
        make_blazepose_tracker(engine)
