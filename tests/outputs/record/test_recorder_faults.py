"""Covers what survives a crash, a full disk, a second run and a damaged file; what exists is kept."""

import logging
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from realtime_vibe.app.convert import ConvertSettings, convert, recover
from realtime_vibe.errors import OutputError
from realtime_vibe.outputs.record import take_files
from realtime_vibe.outputs.record.motion_recorder import MotionRecorder, spool_path
from realtime_vibe.outputs.record.recording_spool import SpoolFacts, SpoolWriter, row_type
from realtime_vibe.outputs.record.spool_reader import open_spool
from realtime_vibe.outputs.record.take_rows import WORLD_CAMERA, rows_of
from realtime_vibe.outputs.record.video_writer import VideoWriter, count_frames
from realtime_vibe.packets import FrameResult
from tests.outputs.record import posed_takes

pytestmark = pytest.mark.fault
Make = Callable[..., FrameResult]


def _empty_rows(count: int) -> np.ndarray:
    rows = np.zeros(count, row_type())
    rows["world_camera"] = WORLD_CAMERA
    return rows


def test_existing_output_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "o.npz"
    path.write_bytes(b"precious")
    with pytest.raises(OutputError, match="--overwrite"):
        MotionRecorder(path)
    assert path.read_bytes() == b"precious"
    assert not spool_path(path).exists()


def test_a_file_without_a_byte_is_none_that_exists(tmp_path: Path, make_result: Make) -> None:
    for suffix in (".npz", ".mkv"):
        (tmp_path / f"o{suffix}").touch()  # of a run that was killed before its first bytes
    picture = np.zeros((48, 64, 3), np.uint8)
    with (
        MotionRecorder(tmp_path / "o.npz") as recorder,
        VideoWriter(tmp_path / "o.mkv", fps=30) as video,
    ):
        recorder.write(make_result(0))
        video.write(picture)
        assert (tmp_path / "o.mkv").stat().st_size == 0
        with pytest.raises(OutputError, match="exists"):  # it is being written
            VideoWriter(tmp_path / "o.mkv", fps=30)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["o.mkv", "o.npz"]
    assert np.load(tmp_path / "o.npz")["valid"].all()
    assert count_frames(tmp_path / "o.mkv") == 1


def test_rows_that_nobody_can_have_are_damaged(tmp_path: Path, make_result: Make) -> None:
    path = tmp_path / "o.npz.part"
    good = rows_of(make_result(0), row_type())
    wrong = np.repeat(good, 6)
    wrong["world_camera"][0] *= 2
    wrong["world_camera"][1, :, :3] *= -1
    wrong["rot6d"][2, 5] = 0
    wrong["focal_px"][3] = -1
    wrong["betas"][4, 3] = 1e4
    wrong["joint_confidence"][5] = 7
    writer = SpoolWriter(path, SpoolFacts())
    writer.append(np.concatenate([good, wrong, good]))
    writer.close()
    with open_spool(path) as spool:
        assert (len(spool.rows), spool.num_damaged) == (2, 6)


def test_overwrite_replaces_only_at_the_end(tmp_path: Path, make_result: Make) -> None:
    path = tmp_path / "o.npz"
    path.write_bytes(b"old")
    with MotionRecorder(path, overwrite=True) as recorder:
        recorder.write(make_result(0))
        assert path.read_bytes() == b"old"
    assert path.read_bytes()[:2] == b"PK"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["o.npz"]


def test_an_exception_in_the_run_keeps_the_recording(tmp_path: Path, make_result: Make) -> None:
    path = tmp_path / "o.npz"

    def run() -> None:
        with MotionRecorder(path) as recorder:
            recorder.write(make_result(0))
            raise RuntimeError("camera")

    with pytest.raises(RuntimeError, match="camera"):
        run()
    assert np.load(path)["valid"].tolist() == [True]


_CRASH = """
import os, sys
import numpy as np
from pathlib import Path
from realtime_vibe.outputs.record.motion_recorder import MotionRecorder
from realtime_vibe.packets import BodyMesh, Frame, FrameResult

recorder = MotionRecorder(Path(sys.argv[1]))
for index in range(40):
    frame = Frame(
        image_bgr=np.zeros((4, 6, 3), np.uint8), index=index, captured_at_s=index / 50, grabbed_at_s=0
    )
    recorder.write(FrameResult(frame=frame, people=(), stage_ms={}, focal_px=5.0))
os._exit(9)
"""


def _crash(path: Path) -> Path:
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", _CRASH, str(path)], cwd=root, check=False)
    assert done.returncode == 9
    return spool_path(path)


def test_a_killed_run_loses_no_row(tmp_path: Path) -> None:
    path = tmp_path / "o.npz"
    part = _crash(path)
    with part.open("ab") as file:
        file.write(b"half a row")
    assert recover(part) == (path,)
    assert np.load(path)["frame_index"].tolist() == list(range(40))
    assert np.load(path)["mocap_framerate"] == pytest.approx(50.0)
    assert not part.exists()


def test_a_leftover_is_refused_or_moved_aside_never_lost(
    tmp_path: Path, make_result: Make, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "o.npz"
    part = _crash(path)
    with pytest.raises(OutputError, match=r"realtime-vibe recover .*o\.npz\.part"):
        MotionRecorder(path)
    with caplog.at_level(logging.WARNING), MotionRecorder(path, overwrite=True) as recorder:
        recorder.write(make_result(0))
    aside = part.with_name("o.npz.part.1")
    assert aside.name in caplog.text
    with pytest.raises(OutputError, match="exists"):
        recover(aside)
    other = tmp_path / "other.npz"
    assert recover(aside, other) == (other,)
    assert len(np.load(other)["valid"]) == 40


def test_two_runs_cannot_record_to_one_file(tmp_path: Path, make_result: Make) -> None:
    path = tmp_path / "o.npz"
    with MotionRecorder(path) as recorder:
        recorder.write(make_result(0))
        with pytest.raises(OutputError, match="another run"):
            MotionRecorder(path, overwrite=True)
        with pytest.raises(OutputError, match="still being written"):
            recover(spool_path(path))
    assert len(np.load(path)["valid"]) == 1


def test_two_runs_that_share_an_output_have_one_each(tmp_path: Path) -> None:
    frames = posed_takes.results([0.0, 0.1])
    shared = tmp_path / "x.csv"
    with (
        MotionRecorder(tmp_path / "a.npz", shared) as first,
        MotionRecorder(tmp_path / "b.npz", shared) as second,
    ):
        for frame in frames:
            first.write(frame)
        second.write(frames[0])
    lines = {path.name: len(path.read_text().splitlines()) for path in tmp_path.glob("*.csv")}
    assert lines == {"x.csv": 2, "x-2.csv": 3}


def test_a_foreign_file_that_took_the_spools_name_stays(tmp_path: Path, make_result: Make) -> None:
    path = tmp_path / "o.npz"
    with MotionRecorder(path) as recorder:
        recorder.write(make_result(0))
        spool_path(path).unlink()
        spool_path(path).write_text("of somebody else")
    assert len(np.load(path)["valid"]) == 1
    assert spool_path(path).read_text() == "of somebody else"


@pytest.mark.parametrize("has_head", [True, False])
def test_a_spool_without_a_row_stands_in_nobodys_way(tmp_path: Path, has_head: bool) -> None:
    path = tmp_path / "o.npz"
    if has_head:
        SpoolWriter(spool_path(path), SpoolFacts()).close()
    else:
        spool_path(path).touch()
    MotionRecorder(path).close()
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_file_under_the_spools_name_stays(
    tmp_path: Path, subtests: pytest.Subtests
) -> None:
    part = spool_path(tmp_path / "o.npz")
    for make in (os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/null")):
        for overwrite in (False, True):
            with subtests.test(make=make, overwrite=overwrite):
                make(part)
                with pytest.raises(OutputError, match=r"o\.npz\.part: is in the way"):
                    MotionRecorder(tmp_path / "o.npz", overwrite=overwrite)
                assert list(tmp_path.iterdir()) == [part]
                part.rmdir() if part.is_dir() else part.unlink()


def test_rows_that_cannot_be_are_left_out(tmp_path: Path) -> None:
    rows = _empty_rows(5)
    rows["timestamp_s"] = [0, 0.1, 1e300, 0.3, 0.4]
    rows["joints_camera"][1] = 9e5  # below the largest number, beyond it in the world
    writer = SpoolWriter(tmp_path / "o.npz.part", SpoolFacts(outputs=("o.npz", "o.bvh")))
    writer.append(rows)
    writer.close()
    assert recover(tmp_path / "o.npz.part") == (tmp_path / "o.npz",)
    np.testing.assert_allclose(np.load(tmp_path / "o.npz")["timestamps_s"], [0, 0.3, 0.4])
    assert (tmp_path / "o.npz.part").exists()


def _part(path: Path, times_s: list[float]) -> Path:
    rows = posed_takes.rows(posed_takes.results(np.arange(len(times_s)) / 30))
    rows["timestamp_s"] = times_s
    writer = SpoolWriter(spool_path(path), SpoolFacts(outputs=(path.name,)))
    writer.append(rows)
    writer.close()
    return spool_path(path)


def test_a_clock_that_went_back_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (path,) = recover(_part(tmp_path / "o.npz", [5.0, 5.1, 5.2, 1.0, 1.1, 1.1]))
    assert "clock went back" in caplog.text
    np.testing.assert_allclose(np.load(path)["timestamps_s"], [5, 5.1, 5.2, 5.3, 5.4, 5.4])
    assert convert(path, tmp_path / "o.csv", ConvertSettings()) == (tmp_path / "o.csv",)


@pytest.mark.parametrize("step_s", [1e-12, 3600.0])
@pytest.mark.parametrize("ending", [".bvh", ".trc"])
def test_a_rate_that_no_reader_takes_is_refused_and_the_rows_are_kept(
    tmp_path: Path, step_s: float, ending: str
) -> None:
    part = _part(tmp_path / f"o{ending}", [0.0, step_s, 2 * step_s])
    with pytest.raises(OutputError, match=r"frames/s is no rate.*--record-fps.*kept in"):
        recover(part)
    assert list(tmp_path.iterdir()) == [part]


def test_a_spool_that_asks_for_a_thousand_files_makes_none(tmp_path: Path) -> None:
    facts = SpoolFacts(outputs=tuple(f"{number}.csv" for number in range(1000)))
    writer = SpoolWriter(tmp_path / "o.npz.part", facts)
    writer.append(_empty_rows(1))
    writer.close()
    with pytest.raises(OutputError, match=r"1000 files.*--output"):
        recover(tmp_path / "o.npz.part")
    assert [path.name for path in tmp_path.iterdir()] == ["o.npz.part"]


def test_a_body_that_cannot_be_looked_up_is_not_the_takes_end(tmp_path: Path) -> None:
    frames = posed_takes.results([0.0, 0.1])
    for body_file in ("/" + "n" * 5000, "a\0b", "//nowhere/share/body.npz"):
        part = tmp_path / "o.glb.part"
        facts = SpoolFacts(outputs=("o.glb",), body_file=body_file)
        writer = SpoolWriter(part, facts)
        for frame in frames:
            writer.append(rows_of(frame, row_type()))
        writer.close()
        assert recover(part, settings=ConvertSettings(overwrite=True)) == (tmp_path / "o.glb",)
        part.unlink()  # no .npz holds all of it


@contextmanager
def _largest_file(num_bytes: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_one_clear_error_and_keeps_the_rows(
    tmp_path: Path, make_result: Make
) -> None:
    path = tmp_path / "o.npz"
    recorder = MotionRecorder(path)

    def write_until_full() -> None:
        for index in range(100):
            recorder.write(make_result(index))

    with _largest_file(10_000), pytest.raises(OutputError, match=r"first \d+ rows are kept"):
        write_until_full()
    recorded = recorder._spool.num_rows
    assert recorded > 5
    recorder.close()
    assert np.load(path)["frame_index"][:recorded].tolist() == list(range(recorded))


def test_an_npz_that_cannot_be_written_keeps_the_spool(tmp_path: Path, make_result: Make) -> None:
    path = tmp_path / "o.npz"
    recorder = MotionRecorder(path, overwrite=True)
    recorder.write(make_result(0))
    path.mkdir()  # somebody took the name meanwhile
    with pytest.raises(OutputError, match=r"kept in .*o\.npz\.part"):
        recorder.close()
    path.rmdir()
    assert recover(spool_path(path)) == (path,)


def test_foreign_files_are_not_recovered(tmp_path: Path, subtests: pytest.Subtests) -> None:
    for content in [b"", b"PK\x03\x04", b'{"format": 3}\n', b"x" * 9000]:
        with subtests.test(content=content):
            part = tmp_path / "o.npz.part"
            part.write_bytes(content)
            with pytest.raises(OutputError, match="not a recording"):
                recover(part)
            assert part.read_bytes() == content


def test_recover_names_what_is_missing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.npz.part")
    (tmp_path / "failing.npz.part").symlink_to(
        "/proc/self/mem"
    )  # opens, but its first byte cannot be read
    for name in ("gone.npz.part", "pipe.npz.part", "failing.npz.part", "."):
        with pytest.raises(OutputError, match="cannot be read"):
            recover(tmp_path / name)
    facts = SpoolFacts()
    writer = SpoolWriter(tmp_path / "odd-name", facts)
    writer.append(_empty_rows(1))
    writer.close()
    with pytest.raises(OutputError, match="--output"):
        recover(tmp_path / "odd-name")


@pytest.mark.parametrize("endings", [(".csv",), (".csv", ".npz")])
def test_thousands_of_people_get_a_bounded_number_of_files_and_none_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, endings: tuple[str, ...]
) -> None:
    monkeypatch.setattr(take_files, "MOST_FILES", 2)
    frames = posed_takes.results(
        np.arange(6) / 30, [[0, 1], [0, 1], [0, 2], [3, 2], [3, 2], [4, 2]]
    )
    recorder = MotionRecorder(*(tmp_path / f"o{ending}" for ending in endings))
    for frame in frames:
        recorder.write(frame)
    made = {"o.csv", "o.person2.csv"}
    if len(endings) == 1:
        with pytest.raises(OutputError, match=r"not everybody.*kept in .*o\.csv\.part"):
            recorder.close()
        made.add("o.csv.part")
    else:
        recorder.close()
        made.add("o.npz")
    assert {path.name for path in tmp_path.iterdir()} == made
    longest = (tmp_path / "o.csv").read_text().splitlines()[1:]
    assert [line.endswith(",") for line in longest] == [True, True, False, False, False, False]


def test_rows_of_no_picture_make_finite_arrays(tmp_path: Path) -> None:
    rows = posed_takes.rows(posed_takes.results([0.0, 0.1]))
    rows["image_size"][1] = 0
    writer = SpoolWriter(tmp_path / "o.npz.part", SpoolFacts(outputs=("o.npz",)))
    writer.append(rows)
    writer.close()
    recover(tmp_path / "o.npz.part")
    with np.load(tmp_path / "o.npz") as motion:
        assert all(
            np.isfinite(motion[name]).all() for name in motion if motion[name].dtype.kind == "f"
        )
