"""Covers the comparison of written files with their rows: what is missing, changed or cut is found."""

from pathlib import Path

import numpy as np
import pytest

from realtime_vibe.errors import OutputError
from realtime_vibe.outputs.record.row_blocks import TakeRows
from realtime_vibe.outputs.record.take_files import write_take
from realtime_vibe.outputs.record.written_files import check_frames, check_npz
from tests.outputs.record import posed_takes

TAKE = posed_takes.take(posed_takes.results(np.arange(6) / 30))


def test_an_npz_that_holds_something_else_is_found(tmp_path: Path) -> None:
    (path,) = write_take(tmp_path / "o.npz", TAKE)
    rows = posed_takes.loaded(TAKE.rows)
    check_npz(path, TakeRows.of(rows), TAKE.facts)
    with pytest.raises(OutputError, match="holds other numbers"):
        check_npz(path, TakeRows.of(rows[:5]), TAKE.facts)
    rows["joints_camera"][3, 20, 1] += 1e-6
    with pytest.raises(OutputError, match="joints_camera holds other numbers"):
        check_npz(path, TakeRows.of(rows), TAKE.facts)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(OutputError, match="not as it was written"):
        check_npz(path, TAKE.rows, TAKE.facts)


def test_a_file_that_lost_its_end_is_found(tmp_path: Path, subtests: pytest.Subtests) -> None:
    for suffix in [".bvh", ".glb", ".csv", ".trc"]:
        with subtests.test(suffix=suffix):
            (path,) = write_take(tmp_path / f"o{suffix}", TAKE)
            check_frames(path, 6)
            path.write_bytes(path.read_bytes()[:-10])
            with pytest.raises(OutputError, match="not as it was written"):
                check_frames(path, 6)
