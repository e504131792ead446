"""Covers the library's front door: every frame of a file, names, threads that end, errors, laziness."""

import contextlib
import gc
import os
import runpy
import sys
import threading
import time
import types
from pathlib import Path

import cv2
import numpy as np
import pytest

import realtime_vibe
from realtime_vibe.app.api import LiveStream
from realtime_vibe.backends.graph_folder import Engine
from realtime_vibe.body.model_file import load_body
from realtime_vibe.body.smpl import SmplBody
from realtime_vibe.errors import ConfigError, OutputError
from realtime_vibe.geometry.rotation import rotmat_from_axis_angle
from realtime_vibe.outputs.record.recording_spool import SpoolWriter
from realtime_vibe.sources.video_file import demo_clip_path
from realtime_vibe.system.threads import SlotClosed

ROOT = Path(__file__).resolve().parents[2]
CLIP = str(demo_clip_path())


@pytest.fixture(autouse=True)
def no_thread_left():
    before = set(threading.enumerate())
    yield
    gc.collect()
    deadline_s = time.monotonic() + 5
    while left := set(threading.enumerate()) - before:
        if time.monotonic() > deadline_s:
            pytest.fail(f"threads left behind: {left}")
        time.sleep(0.02)


def test_a_slow_reader_of_a_file_gets_every_frame_in_order():
    indexes = []
    for frame in realtime_vibe.stream(CLIP, max_frames=12):
        indexes.append(frame.index)
        time.sleep(0.03)
    assert indexes == list(range(12))


def test_a_slow_reader_of_a_live_source_gets_the_newest():
    with realtime_vibe.stream("synthetic", max_frames=20, every_frame=False) as frames:
        steps = []
        for frame in frames:
            steps.append(frame.index)
            time.sleep(0.08)
    assert np.diff(steps).min() >= 1
    assert np.ptp(steps) > 1.5 * len(steps)  # at 30 Hz two frames pass while the reader sleeps


def test_given_pictures_and_a_single_one(tmp_path):
    clip = cv2.VideoCapture(CLIP)
    pictures = [clip.read()[1] for _ in range(3)]
    settings = {"record_dir": tmp_path, "record": "csv"}
    results = list(realtime_vibe.stream(frames=iter(pictures), fps=25, **settings))
    assert [result.time_s for result in results] == [0, 0.04, 0.08]
    assert (tmp_path / "frames.csv").is_file()
    assert len(realtime_vibe.process_image(pictures[0]).people) == 1
    on_its_side = cv2.rotate(pictures[0], cv2.ROTATE_90_COUNTERCLOCKWISE)
    for result in (
        next(iter(realtime_vibe.stream(frames=[on_its_side], fps=25, rotate=90))),
        realtime_vibe.process_image(on_its_side, rotate=90),
    ):
        np.testing.assert_array_equal(result.image_bgr, pictures[0])
    with pytest.raises(realtime_vibe.RealtimeVibeError, match="one of them"):
        realtime_vibe.stream(0, frames=[])
    for wrong, message in [
        ((None, {}), "None"),
        ((pictures[0], {"every_frame": False}), "every_frame is for films"),
        ((pictures[0], {"frames": pictures}), "frames is for films"),
        ((pictures[0] / 255, {}), "of float64, expected"),
    ]:
        with pytest.raises(realtime_vibe.RealtimeVibeError, match=message):
            realtime_vibe.process_image(wrong[0], **wrong[1])


def test_names_lead_to_the_arrays():
    with realtime_vibe.stream(Path(CLIP), max_frames=3) as frames:
        faces = frames.faces
        frame = list(frames)[-1]
    person = frame.people[0]
    mesh, params = person.result.mesh, person.result.params
    np.testing.assert_array_equal(person.joints["left_wrist"], mesh.joints[20])
    np.testing.assert_array_equal(person.rotations["pelvis"], params.global_orient)
    np.testing.assert_array_equal(person.rotations["right_hand"], params.body_pose[-1])
    assert len(person.joints) == len(person.rotations) == 24
    assert faces.max() < len(person.vertices)
    assert frame.image_bgr.ndim == 3
    assert frame.time_s > 0
    assert frame.T_world_camera.shape == (4, 4)
    assert dict(person.joints.items()).keys() == set(person.joints.keys())
    assert "left_wrist" in person.joints
    assert "left_wrst" not in person.joints
    for typed in ("left_wrst", "L_Wrist"):
        with pytest.raises(KeyError, match="did you mean 'left_wrist'"):
            person.joints[typed]


def test_arrays_with_smplx_names_pose_the_same_body():
    with realtime_vibe.stream(CLIP, max_frames=2) as frames:
        frame = list(frames)[-1]
    person = frame.people[0]
    stacked = frame.stacked()
    for name, value in stacked.items():
        np.testing.assert_array_equal(value, [getattr(person, name)])
    pose = stacked["body_pose"][0].reshape(23, 3)
    joints = SmplBody(load_body(Engine("blazepose-gru").body)).joints(
        rotmat_from_axis_angle(person.global_orient),
        rotmat_from_axis_angle(pose),
        person.betas,
        person.transl,
    )
    np.testing.assert_allclose(joints, person.joints, atol=1e-5)
    assert person.confidence.shape == (24,)
    assert 0.1 < person.confidence["right_knee"] <= 1.0
    box = person.result.person.bbox_xyxy
    assert (person.landmarks_px[person.visibility > 0.5] >= box[:2]).all()


def test_nobody_is_no_rows():
    empty = np.zeros((8, 8, 3), np.uint8)
    shapes = {
        name: array.shape for name, array in realtime_vibe.process_image(empty).stacked().items()
    }
    assert shapes == {
        "betas": (0, 10),
        "global_orient": (0, 3),
        "body_pose": (0, 69),
        "transl": (0, 3),
    }


def test_threads_end_when_the_loop_is_left_by_break():
    for frame in realtime_vibe.stream(CLIP):
        assert frame.index == 0
        break


def test_threads_end_when_the_loop_is_left_by_an_error():
    def leave():
        for _ in realtime_vibe.stream(CLIP):
            raise KeyError("own")

    with pytest.raises(KeyError, match="own"):
        leave()


def test_a_closed_stream_gives_nothing_more():
    frames = realtime_vibe.stream(CLIP, max_frames=5)
    next(frames)
    frames.close()
    frames.close()
    assert list(frames) == []


@pytest.mark.fault
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_leaves_what_its_parent_records_alone(tmp_path):
    path = tmp_path / "o.npz"
    frames = realtime_vibe.stream(CLIP, max_frames=6, record=path)
    next(frames)
    child = os.fork()
    if child == 0:
        try:
            with contextlib.suppress(ConfigError):
                next(frames)  # its threads are not here: waiting would never end
            frames.close()
        finally:
            os._exit(path.exists())
    assert os.waitpid(child, 0)[1] == 0
    assert len(list(frames)) == 5
    assert [file.name for file in tmp_path.iterdir()] == ["o.npz"]


def test_a_stream_that_is_closed_while_another_thread_opens_it_is_closed(monkeypatch):
    is_opening, may_open, is_closed = threading.Event(), threading.Event(), threading.Event()

    def open_slowly(stream):
        is_opening.set()
        may_open.wait()
        stream._cleanup.callback(is_closed.set)
        return types.SimpleNamespace(take=take)

    def take(_):
        raise SlotClosed

    monkeypatch.setattr(LiveStream, "_open", open_slowly)
    frames = realtime_vibe.stream("synthetic")
    users = [threading.Thread(target=list, args=(frames,)), threading.Thread(target=frames.close)]
    users[0].start()
    is_opening.wait()
    users[1].start()
    may_open.set()
    for user in users:
        user.join()
    assert is_closed.is_set()


def test_outputs_are_written_while_streaming(tmp_path):
    path = tmp_path / "o.npz"
    assert len(list(realtime_vibe.stream(CLIP, max_frames=4, record=path))) == 4
    with path.open("rb") as file, np.load(file) as motion:
        assert len(motion["poses"]) == 4


@pytest.mark.fault
def test_an_output_that_failed_is_raised_at_the_end(tmp_path, monkeypatch):
    def fill_up(writer, rows):
        if writer.num_rows == 2:
            raise OutputError("the disk is full")
        append(writer, rows)

    append = SpoolWriter.append
    monkeypatch.setattr(SpoolWriter, "append", fill_up)
    results = realtime_vibe.stream(CLIP, max_frames=4, record=tmp_path / "o.npz")
    for _ in range(4):
        next(results)
    with pytest.raises(OutputError, match=r"o\.npz ends early: the disk is full"):
        next(results)


def test_every_mistake_is_one_kind_of_error(subtests):
    for settings, message in [
        ({"source": "nowhere.mp4"}, "nowhere.mp4"),
        ({"smoth": 1}, "did you mean 'smooth'"),
        ({"view": "both"}, "opens no windows"),
        ({"smooth": 7}, "smooth"),
        ({"source": CLIP, "engine": "none-such"}, "none-such"),
    ]:
        with subtests.test(message=message, settings=settings):
            with pytest.raises(realtime_vibe.RealtimeVibeError, match=message):
                list(realtime_vibe.stream(**settings))


def test_the_package_knows_what_it_does_not_have():
    assert "stream" in dir(realtime_vibe)
    with pytest.raises(AttributeError, match="nothing_such"):
        _ = realtime_vibe.nothing_such


@pytest.mark.parametrize(
    ("script", "words", "expected"),
    [
        ("print_left_wrist.py", (), "person 0"),
        ("robot_arm.py", (), "bent"),
        ("own_sink.py", ("heads.csv",), ""),
    ],
)
def test_the_examples_run(tmp_path, monkeypatch, capsys, script, words, expected):
    shots = tmp_path / "shots"
    shots.mkdir()
    clip = cv2.VideoCapture(CLIP)
    for number in range(4):
        cv2.imwrite(str(shots / f"{number}.png"), clip.read()[1])
    clip.release()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [script, str(shots), *words])
    runpy.run_path(str(ROOT / "examples" / script), run_name="__main__")
    assert expected in capsys.readouterr().out
    if script == "own_sink.py":
        assert len((tmp_path / "heads.csv").read_text().splitlines()) >= 4


def test_examples_are_short():
    for path in (ROOT / "examples").glob("*.py"):
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        assert 5 < len(lines) <= 24, path
