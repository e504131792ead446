"""Covers what the documents promise: options, keys, extras, arrays and links that really exist."""

import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

from realtime_vibe import __version__
from realtime_vibe.app.settings import setting_names
from realtime_vibe.body.joints import PARENTS
from realtime_vibe.cli.options import live_parser
from realtime_vibe.geometry.axes import R_WORLD_CAMERA
from realtime_vibe.outputs.record.motion_recorder import MotionRecorder
from realtime_vibe.outputs.view.keys import key_texts
from realtime_vibe.packets import Frame, FrameResult

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONVENTIONS = (ROOT / "docs" / "conventions.md").read_text(encoding="utf-8")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


def test_the_readme_names_every_setting() -> None:
    unnamed = [name for name in setting_names() if f"--{name}" not in README]
    assert unnamed == ["log-level"]  # not worth a line there; --help has it


def test_the_readme_names_every_extra() -> None:
    for extra in PYPROJECT["project"]["optional-dependencies"]:
        assert re.search(rf"^\| .*`{extra}`.* \|", README, re.MULTILINE), extra


def test_links_lead_somewhere(subtests: pytest.Subtests) -> None:
    for document in DOCUMENTS:
        with subtests.test(document=document):
            for target in re.findall(r"\]\(([^)#]+)", document.read_text(encoding="utf-8")):
                if "://" not in target:
                    assert (document.parent / target).exists(), target


def test_the_readme_and_the_help_name_every_key() -> None:
    text = live_parser().format_help().split("keys in the windows:")[1]
    for label in ", ".join(key_texts().values()).split(", "):
        assert re.search(rf"`?\b{label}\b`?", README.split("## Windows and keys")[1])
        assert re.search(rf"\b{label}\b", text), label


def test_the_readme_lists_the_arrays_of_a_recording(tmp_path: Path) -> None:
    picture = np.zeros((2, 2, 3), np.uint8)
    frame = Frame(image_bgr=picture, index=0, captured_at_s=0.0, grabbed_at_s=0.0)
    with MotionRecorder(tmp_path / "o.npz") as recorder:
        recorder.write(FrameResult(frame=frame, people=(), stage_ms={}, focal_px=1.0))
    table = README.split("## The recording")[1].split("## ")[0]
    named = set(re.findall(r"`([a-z_]+)`", " ".join(re.findall(r"^\| (`.*?) \|", table, re.M))))
    with np.load(tmp_path / "o.npz") as archive:
        assert named == set(archive.files)


def test_the_conventions_state_the_matrix_and_the_tree_that_are_used() -> None:
    rows = re.findall(r"\[ +(-?\d) +(-?\d) +(-?\d) +\]", CONVENTIONS)
    np.testing.assert_array_equal(np.array(rows, float), R_WORLD_CAMERA)
    assert "`" + " ".join(map(str, PARENTS)) + "`" in CONVENTIONS


def test_one_version_everywhere() -> None:
    assert PYPROJECT["project"]["version"] == __version__


def test_the_table_of_the_paper_names_what_exists() -> None:
    table = (
        (ROOT / "docs" / "vibe.md").read_text(encoding="utf-8").split("## Where each element is")[1]
    )
    rows = [line.split("|") for line in table.split("##")[0].splitlines() if line.startswith("| ")]
    for _, element, files, functions, _ in rows[1:]:
        paths = [
            ROOT / "realtime_vibe" / name for name in re.findall(r"`([\w/]+(?:\.py|/))`", files)
        ]
        paths += [ROOT / name for name in re.findall(r"`((?:benchmarks|export)/\w+\.py)`", files)]
        sources = "\n".join(path.read_text() for path in paths if path.is_file())
        assert any(path.exists() for path in paths), element
        for name in re.findall(r"`\.?(?:\w+\.)?(\w+)`", functions):
            assert re.search(rf"(class|def) {name}\b|^    {name}:", sources, re.MULTILINE), name
