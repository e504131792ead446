"""Covers the statistics of a run: the written form, the warm-up, and rates by intervals."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from realtime_vibe.errors import OutputError
from realtime_vibe.outputs.stats import RunFacts, StatsCollector, write_stats
from realtime_vibe.packets import FrameResult

Make = Callable[..., FrameResult]

FACTS = RunFacts(
    frames_grabbed=130,
    frames_dropped=30,
    frames_started_over=1,
    engine="blazepose-gru",
    backend="onnxruntime:CPU",
    precision="fp32",
)


def _collect(make_result: Make, num_frames: int, warmup: int) -> StatsCollector:
    collector = StatsCollector(warmup=warmup)
    for index in range(num_frames):
        grabbed_at_s = 100 + index * 0.02
        collector.add(make_result(index, (), grabbed_at_s), ready_at_s=grabbed_at_s + 0.008)
    return collector


def test_the_document_has_the_agreed_form(tmp_path: Path, make_result: Make) -> None:
    path = tmp_path / "s.json"
    write_stats(path, _collect(make_result, 100, 30).document(FACTS), overwrite=True)
    document = json.loads(path.read_text())
    assert list(document["stages"]) == [
        "track",
        "features",
        "temporal",
        "body",
        "step",
        "end_to_end",
    ]
    for stage in document["stages"].values():
        assert list(stage) == ["count", "p50_ms", "p95_ms", "p99_ms"]
        assert stage["count"] == 70
    assert document["stages"]["end_to_end"]["p50_ms"] == pytest.approx(8.0)
    assert document["stages"]["step"]["p99_ms"] == pytest.approx(5.0)
    assert document["fps"] == pytest.approx(50.0)
    assert document["frames"] == {
        "grabbed": 130,
        "processed": 100,
        "dropped": 30,
        "started_over": 1,
    }
    assert document["warmup_frames"] == 30
    assert document["engine"] == "blazepose-gru"
    assert document["backend"] == "onnxruntime:CPU"
    assert document["precision"] == "fp32"
    assert document["machine"]["cores"] >= 1
    assert document["machine"]["cpu"]
    assert {"python", "numpy"} <= set(document["versions"])


def test_the_warm_up_is_left_out_of_every_figure(make_result: Make) -> None:
    collector = StatsCollector(warmup=2)
    for index, latency_s in enumerate((5.0, 5.0, 0.01, 0.01)):
        collector.add(make_result(index, (), index * 10.0), ready_at_s=index * 10.0 + latency_s)
    assert collector.percentile_ms("end_to_end", 99) == pytest.approx(10.0)
    assert collector.fps == pytest.approx(0.1)


def test_a_run_shorter_than_the_warm_up_claims_nothing(make_result: Make) -> None:
    document = _collect(make_result, 5, 30).document(FACTS)
    assert document["fps"] is None
    assert document["warmup_frames"] == 5
    assert document["stages"]["step"] == {
        "count": 0,
        "p50_ms": None,
        "p95_ms": None,
        "p99_ms": None,
    }
    json.dumps(document, allow_nan=False)


def test_five_stamps_at_ten_hertz_are_ten_frames_per_second(make_result: Make) -> None:
    collector = StatsCollector(warmup=0)
    for index in range(5):
        collector.add(make_result(index, ()), ready_at_s=index / 10)
    assert collector.fps == pytest.approx(10.0)


def test_a_stage_of_another_engine_is_reported_too(make_result: Make) -> None:
    collector = StatsCollector(warmup=0)
    result = make_result(0, ())
    collector.add(
        FrameResult(
            frame=result.frame, people=(), stage_ms={"detect": 7.0}, focal_px=result.focal_px
        ),
        ready_at_s=1.0,
    )
    assert collector.percentile_ms("detect", 50) == pytest.approx(7.0)


def test_an_unwritable_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        write_stats(tmp_path / "gone" / "s.json", {}, overwrite=True)
