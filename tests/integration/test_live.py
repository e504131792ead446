"""The whole app on real parts: files in, files out, faults said in one line, no thread left."""

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from realtime_vibe.app.live_run import LiveRun
from realtime_vibe.app.run import build_pipeline, run
from realtime_vibe.app.settings import LiveConfig
from realtime_vibe.errors import EngineError, OutputError, RealtimeVibeError, SourceError
from realtime_vibe.outputs.stats import StatsCollector
from realtime_vibe.sources.factory import open_source
from realtime_vibe.sources.video_file import demo_clip_path

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def no_thread_left():
    before = set(threading.enumerate())
    yield
    deadline_s = time.monotonic() + 5
    while time.monotonic() < deadline_s:
        left = [thread for thread in threading.enumerate() if thread not in before]
        if not left:
            return
        time.sleep(0.05)
    pytest.fail(f"threads left behind: {left}")


def _config(**changes):
    return LiveConfig(**{"source": str(demo_clip_path()), "view": "none", **changes})


def test_a_clip_becomes_motion_statistics_picture_and_video(tmp_path):
    out = {
        "record": (tmp_path / "o.npz",), "stats": tmp_path / "s.json",
        "snapshot": tmp_path / "o.png", "save_video": tmp_path / "o.mkv",
    }  # fmt: skip
    assert run(_config(max_frames=40, **out)) == 0
    with np.load(out["record"][0]) as motion:
        assert motion["poses"].shape == (40, 156)
        assert motion["joints_camera"].shape == (40, 24, 3)
        assert motion["valid"].mean() > 0.9
        np.testing.assert_array_equal(motion["frame_index"], np.arange(40))
        assert np.diff(motion["timestamps_s"]).min() > 0
        joints = motion["joints_camera"][motion["valid"]]
    # Camera y points down: the head is above the feet, and the body is in front of the camera.
    assert (joints[:, 15, 1] < joints[:, 7, 1]).all()
    assert (joints[..., 2] > 0.5).all()
    stats = json.loads(out["stats"].read_text())
    assert (stats["frames"]["processed"], stats["frames"]["dropped"]) == (40, 0)
    assert 40 <= stats["frames"]["grabbed"] <= 42  # capture reads ahead by what its slot holds
    assert set(stats["stages"]) == {"track", "features", "temporal", "body", "step", "end_to_end"}
    assert stats["warmup_frames"] == 30
    picture = cv2.imread(str(out["snapshot"]))
    assert picture is not None
    assert picture.std() > 10
    video = cv2.VideoCapture(str(out["save_video"]))
    assert int(video.get(cv2.CAP_PROP_FRAME_COUNT)) >= 38
    video.release()


def test_the_mesh_lies_over_the_person():
    """The projected joints fall inside the person's box, left to the image's right or as tracked."""
    built = build_pipeline(_config())
    with open_source(str(demo_clip_path()), paced=False) as source:
        for _ in range(30):
            frame = source.read(threading.Event())
            result = built.pipeline.step(frame)
    built.pipeline.close()
    person = result.people[0]
    height, width = frame.image_bgr.shape[:2]
    joints = person.mesh.joints
    pixels = joints[:, :2] / joints[:, 2:] * result.focal_px + [width / 2, height / 2]
    x0, y0, x1, y1 = person.person.bbox_xyxy
    margin = 0.08 * max(x1 - x0, y1 - y0)
    inside = (pixels > [x0 - margin, y0 - margin]) & (pixels < [x1 + margin, y1 + margin])
    assert inside.all(axis=1).mean() > 0.9
    landmarks = person.person.landmarks.image_px[:, :2]
    own = np.linalg.norm(pixels[[16, 17, 1, 2]] - landmarks[[11, 12, 23, 24]], axis=1)
    swapped = np.linalg.norm(pixels[[16, 17, 1, 2]] - landmarks[[12, 11, 24, 23]], axis=1)
    assert own.sum() < swapped.sum()


@pytest.mark.parametrize("mode", ["stream", "window"])
def test_both_temporal_modes_run(mode):
    assert run(_config(max_frames=5, temporal=mode, smooth=0.5)) == 0


def test_a_frame_without_people_is_recorded_as_such(tmp_path):
    image = np.full((120, 160, 3), 90, np.uint8)
    for index in range(3):
        cv2.imwrite(str(tmp_path / f"{index}.png"), image)
    assert run(_config(source=str(tmp_path), record=(tmp_path / "o.npz",))) == 0
    with np.load(tmp_path / "o.npz") as motion:
        assert not motion["valid"].any()
        assert len(motion["valid"]) == 3


def test_bad_settings_stop_before_anything_starts(tmp_path, subtests):
    for changes, error, message in [
        ({"source": "nowhere.mp4"}, SourceError, "nowhere.mp4"),
        ({"engine": "nonsense"}, EngineError, "no engine 'nonsense'"),
        ({"record": (tmp_path / "nonexistent" / "o.npz",)}, OutputError, "nonexistent"),
        ({"backend": "coreml"}, RealtimeVibeError, "unknown backend"),
    ]:
        with subtests.test(message=message, error=error, changes=changes):
            with pytest.raises(error, match=message):
                run(_config(**changes))


def test_existing_outputs_are_kept_without_overwrite(tmp_path):
    (tmp_path / "s.json").write_text("mine")
    with pytest.raises(OutputError, match="overwrite"):
        run(_config(stats=tmp_path / "s.json"))
    assert (tmp_path / "s.json").read_text() == "mine"
    assert run(_config(stats=tmp_path / "s.json", overwrite=True, max_frames=3)) == 0
    assert json.loads((tmp_path / "s.json").read_text())["frames"]["processed"] == 3


def test_windows_without_a_display_are_an_error(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(OutputError, match="--view none"):
        run(_config(view="preview"))


class _BrokenWriter:
    def __init__(self):
        self.closed = False

    def write(self, result):
        raise OutputError("the disk is full")

    def close(self):
        self.closed = True


def _take_for_ever(live):
    while True:
        live.take(1.0)


@pytest.mark.fault
def test_an_error_in_the_inference_thread_reaches_the_main_thread():
    built = build_pipeline(_config())
    source = open_source(str(demo_clip_path()), paced=False)
    live = LiveRun(source, built.pipeline, StatsCollector(), every_frame=True, max_frames=None)
    writer = _BrokenWriter()
    live.add_writer(writer)
    live.start()
    try:
        with pytest.raises(OutputError, match="disk is full"):
            _take_for_ever(live)
    finally:
        live.close()
        built.pipeline.close()
    assert writer.closed


@pytest.mark.fault
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_flush_the_recording(tmp_path, number, code):
    record = tmp_path / "o.npz"
    process = subprocess.Popen(
        [sys.executable, "run_live.py", "--source", "synthetic", "--view", "none",
         "--record", str(record), "--stats", str(tmp_path / "s.json")],
        cwd=ROOT, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    spool = tmp_path / "o.npz.part"
    deadline_s = time.monotonic() + 60
    while time.monotonic() < deadline_s and not (spool.exists() and spool.stat().st_size > 20_000):
        time.sleep(0.1)
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == code, said
    with np.load(record) as motion:
        assert len(motion["poses"]) > 0
    assert not spool.exists()
    assert (tmp_path / "s.json").exists()


def test_the_command_line_says_errors_in_one_line():
    done = subprocess.run(
        [sys.executable, "run_live.py", "--source", "missing.mp4", "--view", "none"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "missing.mp4" in done.stderr
    assert "Traceback" not in done.stderr
