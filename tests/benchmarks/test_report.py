"""Reports: every picture and the page are written, the page needs nothing else, gaps are named."""

import contextlib
import io
import re
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.report import PAGE_NAME, main, write_report
from benchmarks.report_plots import DRAWINGS
from benchmarks.results import Collected, Labels, append
from benchmarks.streaming import LENGTHS

pytest.importorskip("matplotlib")


def _latency(rng):
    found = Collected("latency")
    for pace in ("every frame", "60 fps camera"):
        for stage, ms in (
            ("track", 3.0),
            ("features", 0.05),
            ("temporal", 0.3),
            ("body", 0.6),
            ("step", 4.0),
            ("end_to_end", 4.5),
        ):
            found.add(f"gru, stream, {pace}", rng.gamma(30, ms / 30, 90), metric=stage)
    return found.records


def _backends(rng):
    found = Collected("backends")
    for graph in ("blazepose landmarks", "vibe-resnet50 features"):
        for backend, ms in (("onnxruntime", 4.0), ("openvino", 2.9), ("torch-eager", 9.0)):
            labels = Labels(backend=backend, precision="fp32")
            found.add(graph, rng.gamma(30, ms / 30, 50), labels, metric=f"{backend} fp32")
    found.add("all graphs", (), Labels(backend="tensorrt", note="not installed"), metric="tensorrt")
    return found.records


def _peers(rng):
    found = Collected("peers")
    for name, ms in (("ours, track to mesh", 4.0), ("MediaPipe, landmarks alone", 18.0)):
        found.add("as from a file", rng.gamma(30, ms / 30, 50), metric=name)
    return found.records


def _streaming(rng):
    found = Collected("streaming")
    for mode in ("stream", "window", "whole"):
        for length in LENGTHS[: 2 if mode == "window" else 5]:
            ms = {"stream": 0.3, "window": 4.8, "whole": 0.3 * length}[mode]
            labels = Labels(engine="gru", length=length)
            found.add(f"gru, {mode}, {length} frames", rng.gamma(9999, ms / 9999, 9), labels)
    return found.records


def _people(rng):
    found = Collected("people")
    for people in range(1, 5):
        labels = Labels(engine="gru", people=people)
        for metric in ("frame", "features", "temporal", "body"):
            found.add(f"gru, {people} people", rng.gamma(9, people / 9, 9), labels, metric=metric)
    return found.records


def _glass(rng):
    found = Collected("glass")
    for metric, ms in (
        ("grab to mesh", 9.0),
        ("grab to pixels", 21.0),
        ("mesh to pixels", 12.0),
        ("time between looks", 1.0),
    ):
        found.add("preview", rng.gamma(9, ms / 9, 200), metric=metric)
    return found.records


def _soak(rng):
    found = Collected("soak")
    labels = Labels(engine="gru", length=500)
    found.add("gru, live, 500 frames", rng.gamma(9, 0.5, 400), labels, metric="step")
    found.add("gru, live, 500 frames", [100.0, 100.1], labels, metric="memory", unit="MB")
    found.add("gru, live, 500 frames", [0.0], labels, metric="dropped", unit="frames")
    return found.records


@pytest.fixture(scope="module")
def records():
    rng = np.random.default_rng(0)
    makers = (_latency, _backends, _peers, _streaming, _people, _glass, _soak)
    return [record for make in makers for record in make(rng)]


@pytest.fixture(scope="module")
def report(records, tmp_path_factory):
    """The folder that the command wrote, which the tests below only read."""
    folder = tmp_path_factory.mktemp("report")
    append(folder / "results.jsonl", records)
    out = folder / "new" / "report"
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert main(["--out", str(out), "--from", str(folder / "results.jsonl")]) == 0
    assert str(out / PAGE_NAME) in said.getvalue()
    return out


def test_page_and_pictures_are_written(report):
    names = {path.name for path in report.iterdir()}
    assert names == {PAGE_NAME, *(f"{name}.png" for name in DRAWINGS)}
    for name in DRAWINGS:
        assert (report / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_the_page_needs_nothing_from_elsewhere(report):
    text = (report / PAGE_NAME).read_text()
    assert not re.search(
        r"https?:|//\w|<link|<script|@import|url\(", re.sub(r"base64,[^\"]*", "", text)
    )
    sources = re.findall(r'src="([^"]{0,30})', text)
    assert len(sources) == len(DRAWINGS)
    assert all(source.startswith("data:image/png;base64,") for source in sources)


def test_the_page_says_where_and_what(records, report):
    text = (report / PAGE_NAME).read_text()
    where = records[0].environment
    for word in (where.commit, str(where.machine["cpu"]), where.versions["numpy"], where.date):
        assert word in text
    assert "not installed" in text
    assert "pass: stream mode, 16 to 4096 frames" in text
    for record in records:
        assert record.case in text


def test_gaps_are_named_and_text_is_escaped(tmp_path):
    found = Collected("peers")
    found.add("<b>odd & case</b>", [1.0, 2.0], metric="ours, track to mesh")
    paths = write_report(found.records, tmp_path, {"glass": "no display <here>"})
    assert {path.name for path in paths} == {PAGE_NAME, "peers.png"}
    text = (tmp_path / PAGE_NAME).read_text()
    assert "glass: no display &lt;here&gt;" in text
    assert "latency: not measured" in text
    assert "<b>odd" not in text


def test_a_busy_machine_is_said_on_the_page(records, subtests):
    for load, warns in [(0.02, False), (0.2, False), (1.9, True), (None, False)]:
        with subtests.test(warns=warns, load=load):
            from benchmarks.report_page import page

            where = replace(
                records[0].environment, load=load, machine={"cores": 2, "cpu": "x", "system": "y"}
            )
            busy = [replace(record, environment=where) for record in records]
            assert ("worth quoting" in page(busy, {}, {})) is warns


def test_refusals_are_one_line_and_status_2(records, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    append(tmp_path / "good.jsonl", records[:1])
    good = str(tmp_path / "good.jsonl")
    for arguments in (
        ["--out", str(tmp_path / "file" / "x"), "--from", good],
        ["--out", str(tmp_path), "--from", str(tmp_path / "absent")],
        ["--out", str(tmp_path), "--from", str(tmp_path / "file")],
    ):
        assert main(arguments) == 2
        error = capsys.readouterr().err
        assert error.startswith("benchmarks report: error: ")
        assert error.count("\n") == 1
