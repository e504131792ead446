"""Results files: what is written is read again, later records count, damage is named by its line."""

import json

import numpy as np
import pytest

from benchmarks.results import (
    MAX_SAMPLES,
    Collected,
    Labels,
    append,
    as_json,
    current_commit,
    environment,
    read,
    summarise,
    thinned,
)
from realtime_vibe.errors import DatasetError, OutputError


@pytest.fixture
def collected():
    found = Collected("streaming")
    rng = np.random.default_rng(0)
    for length in (16, 64):
        found.add(
            f"stream {length}",
            rng.lognormal(0, 0.3, 50),
            Labels(engine="e", backend="b", precision="fp16", people=3, length=length),
        )
    found.add("stream 9", (), Labels(note="not run: too long"))
    return found


def test_records_come_back_as_they_were(collected, tmp_path):
    path = tmp_path / "new" / "folder" / "a.jsonl"
    append(path, collected.records)
    assert list(read([path])) == collected.records
    assert all(json.loads(line)["format"] == 1 for line in path.read_text().splitlines())


def test_the_last_record_of_a_case_counts(collected, tmp_path):
    again = Collected("streaming")
    again.add("stream 16", [7.0])
    append(tmp_path / "a.jsonl", collected.records)
    append(tmp_path / "b.jsonl", again.records)
    records = read([tmp_path / "a.jsonl", tmp_path / "b.jsonl"])
    assert [record.case for record in records] == ["stream 16", "stream 64", "stream 9"]
    assert records[0].samples == (7.0,)
    assert records[2].summary is None


def test_a_long_series_is_thinned_but_summarised_whole():
    values = np.arange(50_000.0)
    few = thinned(values)
    assert len(few) == MAX_SAMPLES
    assert (few[0], few[-1]) == (0.0, 49_999.0)
    assert np.all(np.diff(few) > 0)
    summary = summarise(values)
    assert (summary.n, summary.min, summary.max) == (50_000, 0.0, 49_999.0)
    assert summary.p50 == pytest.approx(24_999.5)
    assert summary.iqr == pytest.approx(24_999.5)


def test_the_environment_says_where():
    where = environment()
    assert where.machine["cpu"]
    assert "numpy" in where.versions
    assert where.commit == current_commit()
    assert where.date.endswith("Z")


def test_a_damaged_line_is_named(collected, tmp_path, subtests):
    for damage in [
        lambda line: line[:-20],
        lambda _: "[]",
        lambda line: json.dumps({**json.loads(line), "format": 99}),
        lambda line: json.dumps({**json.loads(line), "more": 1}),
        lambda line: json.dumps({key: v for key, v in json.loads(line).items() if key != "unit"}),
        lambda line: json.dumps({**json.loads(line), "samples": ["x"]}),
        lambda line: json.dumps({**json.loads(line), "case": []}),
        lambda line: line.replace('"samples": [', '"samples": [1e999, '),
        lambda _: "[" * 100_000,
    ]:
        with subtests.test(damage=damage):
            path = tmp_path / "a.jsonl"
            lines = [json.dumps(as_json(record)) for record in collected.records]
            path.write_text("\n".join([lines[0], damage(lines[1]), lines[2]]))
            with pytest.raises(DatasetError, match=r"a\.jsonl:2: "):
                read([path])


def test_no_results_and_no_place_for_them_are_errors(collected, tmp_path):
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(DatasetError, match="no results"):
        read([tmp_path / "empty.jsonl"])
    with pytest.raises(DatasetError, match=r"absent\.jsonl: cannot be read"):
        read([tmp_path / "absent.jsonl"])
    with pytest.raises(OutputError, match="cannot write"):
        append(tmp_path / "empty.jsonl" / "x.jsonl", collected.records)
