"""Covers the rescue of outputs from a spool: of runs that were killed, damaged spools, and two rescues at once."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from realtime_vibe.app.convert import ConvertSettings, convert, recover
from realtime_vibe.errors import OutputError
from realtime_vibe.outputs.record.motion_recorder import MotionRecorder
from realtime_vibe.outputs.record.recording_spool import SpoolFacts, SpoolWriter, TakeOptions
from realtime_vibe.outputs.record.spool_reader import open_spool
from tests.outputs.record import posed_takes

ROOT = Path(__file__).resolve().parents[2]
PLAIN = ConvertSettings()


def test_recover_makes_everything_that_was_asked_for(tmp_path: Path) -> None:
    endings = (".npz", ".bvh", ".glb", ".csv", ".trc")
    part = posed_takes.cut_off(tmp_path, endings, TakeOptions(bvh_names="vrm"))
    written = recover(part)
    assert [path.name for path in written] == [f"o{ending}" for ending in endings]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"o{e}" for e in endings)
    assert "JOINT leftUpperLeg" in (tmp_path / "o.bvh").read_text()


@pytest.mark.fault
def test_recover_keeps_what_was_complete_and_the_spool_with_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    part = posed_takes.cut_off(tmp_path, (".npz", ".bvh"))
    (tmp_path / "o.npz").write_bytes(b"complete")
    now_s = time.time()
    os.utime(part, (now_s - 9,) * 2)
    os.utime(tmp_path / "o.npz", (now_s - 5,) * 2)
    recover(part)
    assert (tmp_path / "o.npz").read_bytes() == b"complete"
    assert (tmp_path / "o.bvh").exists()
    assert part.exists()
    assert "complete already" in caplog.text
    for elsewhen_s in (0, now_s + 999):  # older than the take, or of another clock: something else
        os.utime(tmp_path / "o.npz", (elsewhen_s,) * 2)
        with pytest.raises(OutputError, match="exists"):
            recover(part)
        assert part.exists()


def test_recover_writes_one_file_of_another_format_and_a_renamed_spool_beside_itself(
    tmp_path: Path,
) -> None:
    part = posed_takes.cut_off(tmp_path, (".npz", ".bvh")).rename(tmp_path / "tänzer.npz.part")
    copy = tmp_path / "copy.part"
    shutil.copyfile(part, copy)
    assert recover(copy, tmp_path / "x.trc") == (tmp_path / "x.trc",)
    assert [path.name for path in recover(part)] == ["tänzer.npz", "tänzer.bvh"]


def test_a_spool_converts_while_it_stays(tmp_path: Path) -> None:
    part = posed_takes.cut_off(tmp_path, (".npz",))
    assert convert(part, tmp_path / "x.csv", PLAIN) == (tmp_path / "x.csv",)
    assert part.exists()


def _damage_one_row(part: Path) -> None:
    """Flips a bit in row 4 of 8."""
    content = bytearray(part.read_bytes())
    row = (len(content) - 2 * (content.index(b"\n") + 1)) // 8
    content[-row * 3 - 50] ^= 0x10
    part.write_bytes(content)


@pytest.mark.fault
def test_damage_costs_the_row_it_hits_and_the_spool_is_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    part = posed_takes.cut_off(tmp_path, (".npz",))
    _damage_one_row(part)
    recover(part)
    assert "1 of 8 rows" in caplog.text
    assert part.exists()
    with np.load(tmp_path / "o.npz") as motion:
        assert motion["frame_index"].tolist() == [0, 1, 2, 3, 5, 6, 7]


@pytest.mark.fault
def test_damage_while_recording_is_told_and_the_spool_is_kept(tmp_path: Path) -> None:
    recorder = MotionRecorder(tmp_path / "o.csv", body=posed_takes.real_body())
    for frame in posed_takes.results(np.arange(8) / 30):
        recorder.write(frame)
    part = tmp_path / "o.csv.part"
    _damage_one_row(part)
    with pytest.raises(OutputError, match=r"1 of 8 rows .*kept in .*o\.csv\.part"):
        recorder.close()
    assert len((tmp_path / "o.csv").read_text().splitlines()) == 8
    assert part.exists()


@pytest.mark.fault
def test_a_spool_goes_only_when_an_npz_holds_all_of_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    part = posed_takes.cut_off(tmp_path, (".npz",))
    recover(part, tmp_path / "only.csv")
    thirty = ConvertSettings(options=TakeOptions(rate_hz=30.0))
    recover(part, tmp_path / "thirty.npz", settings=thirty)
    assert caplog.text.count("no .npz holds all of it") == 2
    assert part.exists()
    recover(part, tmp_path / "whole.npz")
    assert not part.exists()


@pytest.mark.fault
def test_a_spool_of_elsewhere_does_not_choose_where_files_go(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, outside = tmp_path / "a", tmp_path / "b"
    folder.mkdir()
    outside.mkdir()
    names = ("o.npz", str(outside / "x.csv"), "../y.csv", "..\\z.csv", "bad\0name.csv", "")
    writer = SpoolWriter(folder / "o.npz.part", SpoolFacts(outputs=names))
    writer.append(posed_takes.rows(posed_takes.results([0.0, 0.1])))
    writer.close()
    recover(folder / "o.npz.part")
    assert sorted(file.name for file in folder.iterdir()) == ["o.npz", "x.csv", "y.csv", "z.csv"]
    assert list(outside.iterdir()) == []
    assert "another folder" in caplog.text


@pytest.mark.fault
def test_two_recoveries_at_once_are_one_clear_error(tmp_path: Path) -> None:
    part = posed_takes.cut_off(tmp_path, (".npz",))
    with open_spool(part, alone=True), pytest.raises(OutputError, match="or recovered"):
        recover(part)
    recover(part)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the doomed recorders are forked")
def test_killed_recorders_lose_nothing() -> None:
    command = [sys.executable, "-m", "tests.outputs.record.killed_takes", "--kills", "4"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "4 of 4 takes rescued" in done.stdout
    assert "killed while recording" in done.stdout
