"""Comparing runs: silent within the noise, loud at 20 %, honest about what is missing."""

import numpy as np
import pytest

from benchmarks.compare import compare, main
from benchmarks.results import Collected, append


def _run(seed, *, factor=1.0, spread=0.15, count=200, cases=20):
    """Latencies as machines give them: skewed, slowly wandering, now and then a hiccup."""
    rng = np.random.default_rng(seed)
    found = Collected("latency")
    for case in range(cases):
        wander = np.convolve(rng.normal(0, spread, count + 9), np.ones(10) / 10, "valid")
        values = (3 + case) * factor * np.exp(wander + rng.normal(0, spread / 2, count))
        values[rng.random(count) < 0.03] *= 4
        found.add(f"case {case}", values)
    return found.records


def test_equal_runs_raise_no_alarm(subtests):
    for seed in range(5):
        with subtests.test(seed=seed):
            changes = compare(_run(2 * seed), _run(2 * seed + 1))
            assert len(changes) == 20
            assert sum(change.verdict != "within noise" for change in changes) <= 1


@pytest.mark.parametrize(("factor", "verdict"), [(1.2, "slower"), (1 / 1.2, "faster")])
def test_a_fifth_is_found(factor, verdict):
    changes = compare(_run(0), _run(1, factor=factor))
    found = [change.verdict for change in changes]
    assert found.count(verdict) >= 18
    assert set(found) <= {verdict, "within noise"}
    assert np.median([change.ratio for change in changes]) == pytest.approx(factor, rel=0.05)


def test_a_wider_spread_has_a_wider_band():
    quiet, loud = (compare(_run(0, spread=s), _run(1, spread=s), margin=0.0) for s in (0.02, 0.4))
    assert np.mean([c.high - c.low for c in loud]) > 5 * np.mean([c.high - c.low for c in quiet])


def test_what_is_no_time_is_more_or_less():
    one, two = Collected("soak"), Collected("soak")
    one.add("memory", [100.0, 101, 102], unit="MB")
    two.add("memory", [200.0, 201, 202], unit="MB")
    assert compare(one.records, two.records)[0].verdict == "more"
    assert compare(two.records, one.records)[0].verdict == "less"


def test_cases_that_cannot_be_compared_are_left_out(tmp_path, capsys):
    one, two = Collected("people"), Collected("people")
    one.add("a", [1.0, 1.1])
    one.add("b", [1.0])
    one.add("zero", [0.0])
    two.add("a", [1.0, 1.2])
    two.add("b", ())
    two.add("c", [1.0])
    two.add("zero", [0.0])
    assert [change.key[1] for change in compare(one.records, two.records)] == ["a"]
    append(tmp_path / "1.jsonl", one.records)
    append(tmp_path / "2.jsonl", two.records)
    assert main([str(tmp_path / "1.jsonl"), str(tmp_path / "2.jsonl")]) == 0
    out = capsys.readouterr().out
    assert "only after: people, c" in out
    assert "noise band: 95 %" in out


def test_refusals_are_one_line_and_status_2(tmp_path, capsys):
    found = Collected("x")
    found.add("a", [1.0])
    append(tmp_path / "a.jsonl", found.records)
    good = str(tmp_path / "a.jsonl")
    for arguments in ([good, "absent"], [good, good, "--margin", "2"]):
        assert main(arguments) == 2
        error = capsys.readouterr().err
        assert error.startswith("benchmarks compare: error: ")
        assert error.count("\n") == 1
