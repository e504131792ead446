"""Covers takes: names that never overwrite, faults that end the take and not the run, several formats at once."""

import logging
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from realtime_vibe.app.convert import recover
from realtime_vibe.app.outputs import LiveOutputs, check_outputs
from realtime_vibe.app.settings import LiveConfig
from realtime_vibe.app.takes import (
    Takes,
    TakeSink,
    check_names,
)
from realtime_vibe.errors import OutputError
from realtime_vibe.outputs.base import check_output_path
from realtime_vibe.outputs.record import motion_recorder
from realtime_vibe.outputs.record.motion_recorder import MotionRecorder, spool_path
from realtime_vibe.outputs.record.take_files import MOTION_SUFFIXES
from realtime_vibe.outputs.record.video_writer import count_frames
from realtime_vibe.packets import FrameResult
from realtime_vibe.sources.base import SourceInfo
from realtime_vibe.world.calibration_file import calibration_path
from tests.outputs.record import posed_takes

resource = pytest.importorskip("resource", reason="this system has no limits on files")

FRAMES = posed_takes.results(np.arange(60) / 30)


class LiveList:
    """The list of writers of a run, its commands carried out at once."""

    every_frame = True
    info: SourceInfo

    def __init__(self) -> None:
        self.writers: list[TakeSink] = []

    def add_writer(self, writer: TakeSink) -> None:
        self.writers.append(writer)

    def remove_writer(self, writer: TakeSink) -> None:
        self.writers.remove(writer)

    def post(self, command: Callable[[], None]) -> None:
        command()

    def feed(self, *frames: FrameResult) -> None:
        for frame in frames:
            for writer in self.writers:
                writer.write(frame)


class Pictures:
    """Stands in for the overlay video: a file that grows by a letter a picture."""

    def __init__(self, path: Path, overwrite: bool) -> None:
        self.path = path
        self.overwrite = overwrite
        self.text = ""

    def write(self, result: FrameResult) -> None:
        self.text += "x"

    def close(self) -> None:
        self.path.write_text(self.text)


def _takes(*paths: Path, overwrite: bool = False) -> Takes:
    config = LiveConfig(view="none", record=paths, overwrite=overwrite)
    check_outputs(config)
    return Takes(config, Pictures, posed_takes.real_body())


def test_all_formats_of_a_take_share_one_spool(tmp_path: Path) -> None:
    paths = [tmp_path / f"o{suffix}" for suffix in (*MOTION_SUFFIXES, ".mkv")]
    takes, live = _takes(*paths), LiveList()
    takes.start_first(live)
    live.feed(*FRAMES)
    assert [path.name for path in tmp_path.iterdir()] == ["o.npz.part"]
    assert takes.is_recording
    assert takes.toggle(live).startswith("writing o.npz")
    takes.wait()
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    assert not takes.is_recording
    assert (tmp_path / "o.mkv").read_text() == "x" * 60


def test_each_take_has_a_name_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "b").mkdir()
    monkeypatch.delattr("ast.literal_eval")  # fails at times where takes are finished at once
    takes, live = _takes(tmp_path / "tänzer.npz", tmp_path / "b" / ".." / "o.csv"), LiveList()
    takes.start_first(live)
    for _ in range(3):
        live.feed(*FRAMES[:3])
        takes.toggle(live)
        takes.toggle(live)
    live.feed(*FRAMES[:2])
    takes.toggle(live)
    takes.wait()
    names = sorted(path.name for path in tmp_path.glob("*.npz"))
    assert len(names) == 4
    assert "tänzer.npz" in names
    assert sum("-take2" in name for name in names) == 1
    assert len(list(tmp_path.glob("*.csv"))) == 4


@pytest.mark.fault
def test_a_taken_name_is_never_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    takes, live = _takes(), LiveList()
    takes.start_first(live)
    assert live.writers == []
    message = takes.toggle(live)
    name = message.removeprefix("recording to ")
    live.feed(FRAMES[0])
    takes.toggle(live)
    takes.wait()
    content = Path(name).read_bytes()
    again = _takes()  # a second program in the same second
    assert name not in again.toggle(LiveList()) or not name.startswith("recording-")
    assert Path(name).read_bytes() == content


def test_names_are_checked_before_anything_starts(
    tmp_path: Path, subtests: pytest.Subtests
) -> None:
    for names, message in [
        (("o.npz", "o.npz"), "twice"),
        (("o.npz", "./o.npz"), "twice"),
        (("o.fbx",), "ends in"),
        (("missing/o.bvh",), "does not exist"),
        (("there.glb",), "--overwrite"),
    ]:
        with subtests.test(message=message, names=names):
            (tmp_path / "there.glb").write_bytes(b"precious")
            with pytest.raises(OutputError, match=message):
                check_outputs(LiveConfig(record=[tmp_path / name for name in names]))
            assert [path.name for path in tmp_path.iterdir()] == ["there.glb"]


def test_one_video_is_not_written_twice(tmp_path: Path) -> None:
    path = tmp_path / "o.mkv"
    (tmp_path / "link").symlink_to(tmp_path)
    for other in (path, tmp_path / "link" / "o.mkv", tmp_path / "O.MKV"):
        with pytest.raises(OutputError, match="given twice"):
            LiveOutputs(LiveConfig(view="none", record=(path,), save_video=other))


def test_inputs_are_never_replaced(tmp_path: Path, subtests: pytest.Subtests) -> None:
    film, picture = tmp_path / "o.mkv", tmp_path / "o.png"
    for path in (film, picture):
        path.touch()
    free = LiveConfig(view="none", overwrite=True, source=str(film), snapshot=picture)
    check_outputs(free)
    for config, clips in [
        (replace(free, save_video=film), ()),
        (replace(free, source="synthetic", record=(film,)), ("0", "x.mkv", str(film))),
        (replace(free, source=str(tmp_path)), ()),
        (replace(free, vmc="127.0.0.1", vmc_avatar=picture), ()),
        (replace(free, record=(tmp_path / "a.csv",)), (str(tmp_path / "a.person2.csv"),)),
    ]:
        with subtests.test(config=config), pytest.raises(OutputError, match="is the input"):
            check_outputs(config, clips)


@pytest.mark.fault
def test_no_file_of_an_engine_or_of_the_program_is_replaced(
    tmp_path: Path, subtests: pytest.Subtests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    kept = calibration_path("camera", (640, 480), "engine")
    names = ["own/body.npz", "own/engine.json", "own/tracker/blazepose.json", "yolo/detector.json"]
    paths = [kept, *(tmp_path / name for name in names)]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for path in paths:
        with subtests.test(path=path), pytest.raises(OutputError, match="belongs to"):
            check_output_path(path, overwrite=True, suffixes=(path.suffix,))


@pytest.mark.fault
def test_one_output_is_not_what_a_person_of_another_is_called(tmp_path: Path) -> None:
    first, second = tmp_path / "a.csv", tmp_path / "a.person12.csv"
    (tmp_path / "a.person2.bvh").touch()
    check_names([first, tmp_path / "a.person2.bvh", tmp_path / "a.person2b.csv"])
    for paths in ((first, second), (second, first)):
        with pytest.raises(OutputError, match="another person"):
            check_names(paths)


@pytest.mark.parametrize("breaks", ["write", "close"])
def test_a_video_that_breaks_ends_alone(
    tmp_path: Path, breaks: str, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Pictures):
        def write(self, result: FrameResult) -> None:
            if breaks == "write":
                raise RuntimeError("no such codec")

        def close(self) -> None:
            if breaks == "close":
                raise RuntimeError("no such codec")

    paths = (tmp_path / "o.mkv", tmp_path / "o.npz")
    takes, live = Takes(LiveConfig(view="none", record=paths), Broken), LiveList()
    takes.start_first(live)
    live.feed(*FRAMES[:5])
    takes.toggle(live)
    with pytest.raises(OutputError, match=r"o\.mkv.*no such codec"):
        takes.wait()
    with np.load(tmp_path / "o.npz") as motion:
        assert len(motion["poses"]) == 5


@pytest.mark.fault
def test_a_full_disk_ends_the_take_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    takes, live = _takes(tmp_path / "o.npz", tmp_path / "o.csv", tmp_path / "o.mkv"), LiveList()
    takes.start_first(live)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        live.feed(*FRAMES)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    lines = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(lines) == 1
    assert "the rest goes on" in lines[0].message
    takes.toggle(live)
    with pytest.raises(OutputError, match=r"ends early.*rows are kept"):
        takes.wait()
    assert (tmp_path / "o.mkv").read_text() == "x" * 60
    with np.load(tmp_path / "o.npz") as motion:
        assert 10 < len(motion["poses"]) < 60
        assert len((tmp_path / "o.csv").read_text().splitlines()) == len(motion["poses"]) + 1


@pytest.mark.fault
def test_a_disk_full_at_the_end_keeps_the_spool(tmp_path: Path) -> None:
    paths = (tmp_path / "o.glb", tmp_path / "o.csv")
    recorder = MotionRecorder(*paths, body=posed_takes.real_body())
    for frame in FRAMES:
        recorder.write(frame)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(OutputError, match=r"o\.glb.*kept in .*o\.glb\.part"):
            recorder.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["o.csv", "o.glb.part"]
    assert len(paths[1].read_text().splitlines()) == 61
    recover(spool_path(paths[0]))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["o.csv", "o.glb", "o.glb.part"]


@pytest.mark.fault
def test_a_folder_removed_while_recording_comes_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    with MotionRecorder(folder / "o.npz", folder / "o.bvh") as recorder:
        for number, frame in enumerate(FRAMES):
            if number == 20:
                shutil.rmtree(tmp_path / "a")
            recorder.write(frame)
    assert "was removed while recording" in caplog.text
    with np.load(folder / "o.npz") as motion:
        assert len(motion["poses"]) == 60
    assert sorted(path.name for path in folder.iterdir()) == ["o.bvh", "o.npz"]


@pytest.mark.fault
def test_a_folder_that_cannot_come_back_leaves_the_rows_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(elsewhere))
    folder = tmp_path / "a"
    folder.mkdir()
    recorder = MotionRecorder(folder / "o.npz")
    for frame in FRAMES:
        recorder.write(frame)
    shutil.rmtree(folder)
    folder.write_text("a file took its name")
    with pytest.raises(OutputError, match=r"kept in .*elsewhere.*\.part"):
        recorder.close()
    (part,) = elsewhere.iterdir()
    recover(part, tmp_path / "rescued.npz")
    with np.load(tmp_path / "rescued.npz") as motion:
        assert len(motion["poses"]) == 60


@pytest.mark.fault
def test_nobody_in_view_makes_the_files_that_can_say_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with MotionRecorder(tmp_path / "o.npz", tmp_path / "o.bvh") as recorder:
        for frame in posed_takes.results([0.0, 0.1], [(), ()]):
            recorder.write(frame)
    assert [path.name for path in tmp_path.iterdir()] == ["o.npz"]
    assert "nobody was found: o.bvh is not written" in caplog.text
    assert "o.npz holds rows without a person" in caplog.text


def test_a_slow_end_does_not_hold_up_the_run(tmp_path: Path) -> None:
    may_end = threading.Event()

    class Slow(Pictures):
        def close(self) -> None:
            assert may_end.wait(30)
            super().close()

    sink = TakeSink("o.mkv", Slow(tmp_path / "o.mkv", overwrite=False))
    sink.write(FRAMES[0])
    sink.close_later()
    assert not (tmp_path / "o.mkv").exists()
    may_end.set()
    sink.wait()
    assert (tmp_path / "o.mkv").exists()


def test_the_world_of_every_moment_is_recorded(tmp_path: Path) -> None:
    raised = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 1.5]], np.float32)
    path = tmp_path / "o.npz"
    with MotionRecorder(path) as recorder:
        for world in (raised, raised + np.float32([0, 0, 0, 1])):
            T_world_camera = np.concatenate([world, np.float32([[0, 0, 0, 1]])])
            recorder.write(replace(FRAMES[0], T_world_camera=T_world_camera))
    with np.load(path) as motion:
        np.testing.assert_allclose(motion["trans"][1] - motion["trans"][0], 1.0, atol=1e-5)
        np.testing.assert_array_equal(motion["world_camera"][0], raised)
        pelvis = FRAMES[0].people[0].mesh.joints[0]
        rest = pelvis - FRAMES[0].people[0].mesh.transl
        expected = raised[:, :3] @ pelvis + raised[:, 3]
        np.testing.assert_allclose(motion["trans"][0] + rest, expected, atol=1e-5)


@pytest.mark.fault
def test_a_run_stopped_while_it_writes_says_how_to_complete_the_recording(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    live, faces = LiveList(), np.zeros((0, 3), np.int32)
    info = SourceInfo(name="x", width=64, height=48, fps=30.0, frame_count=1, is_live=False)
    paths = (tmp_path / "o.npz", tmp_path / "o.mkv")
    outputs = LiveOutputs(LiveConfig(view="none", record=paths))
    live.info = info
    outputs.attach(live, faces, posed_takes.real_body())  # type: ignore[arg-type]
    live.feed(FRAMES[0])
    monkeypatch.setattr(motion_recorder, "write_all", stop)
    with pytest.raises(KeyboardInterrupt):
        live.writers[0].close()
    outputs.say_what_is_left()  # the video's `close` never came
    assert f"realtime-vibe recover {tmp_path / 'o.npz.part'}" in caplog.text
    assert f"stopped before {paths[1]} was complete" in caplog.text
    assert not paths[1].exists() or count_frames(paths[1]) == 1
