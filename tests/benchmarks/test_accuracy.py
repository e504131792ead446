"""The accuracy command, whole: table, JSON and picture of small clips, and its refusals."""

import json
import sys

import cv2
import numpy as np
import pytest

from benchmarks.accuracy import main


def test_a_real_clip_from_video_to_table_json_and_picture(person_clip, tmp_path, capsys):
    json_path, plot_path = tmp_path / "scores.json", tmp_path / "errors.png"
    pytest.importorskip("matplotlib")
    outputs = ["--json", str(json_path), "--plot", str(plot_path)]
    code = main([str(person_clip), "--overlay", str(person_clip / "video.mp4"), *outputs])
    table = capsys.readouterr().out
    assert code == 0
    assert "at 30 fps" in table
    assert "middle of the scored joints" in table
    # Ours, BlazePose and the gain; then the mesh on the landmarks, and posture.
    assert sum(line.startswith("cam3") for line in table.splitlines()) == 5
    content = json.loads(json_path.read_text())
    clip = content["clips"]["cam3"]
    assert (clip["frames"], clip["fps"], clip["accel_rate_hz"]) == (11, 60.0, 30.0)
    assert clip["ours"]["coverage"] == 1.0
    assert 20 < clip["ours"]["pa_mpjpe_mm"] < 150
    assert clip["ours"]["pve_mm"] is None
    ours, theirs = (clip[method]["mpjpe_mm"] for method in ("ours", "blazepose"))
    assert clip["gain_percent"]["mpjpe_mm"] == pytest.approx(100 * (1 - ours / theirs), abs=0.01)
    assert 0 < clip["ours"]["overlay_percent"]["median"] < 10
    # The video alone has one frame more, before the truth begins.
    measured = content["overlays"]["video"]["median"], clip["ours"]["overlay_percent"]["median"]
    assert measured[0] == pytest.approx(measured[1], rel=0.1)
    assert 0 < clip["ours"]["posture"]["trunk"] < 60
    assert np.mean(list(clip["ours"]["joint_mm"].values())) == pytest.approx(ours, abs=0.01)
    assert content["mean"]["ours"]["mpjpe_mm"] == ours
    assert content["settings"]["temporal"] == "stream"
    picture = cv2.imread(str(plot_path))
    assert picture is not None
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 10


def test_clips_with_nobody_are_reported_as_such(empty_clip, tmp_path, capsys):
    json_path = tmp_path / "scores.json"
    code = main([str(empty_clip.parent), "--temporal", "window", "--json", str(json_path)])
    assert code == 0
    assert " 0      12" in capsys.readouterr().out
    ours = json.loads(json_path.read_text())["clips"]["empty"]["ours"]
    assert ours["coverage"] == 0
    assert ours["mpjpe_mm"] is None


def _refused(arguments, capsys):
    assert main([str(argument) for argument in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("benchmarks.accuracy: error: ")
    assert captured.err.count("\n") == 1
    return captured.err


def test_every_refusal_is_one_line(empty_clip, tmp_path, capsys):
    folder = empty_clip.parent
    assert "nothing to measure" in _refused([], capsys)
    assert "cannot be opened" in _refused(["--overlay", tmp_path / "absent.mp4"], capsys)
    assert "no folder at" in _refused([tmp_path / "absent"], capsys)
    assert "no engine" in _refused([folder, "--engine", "absent"], capsys)
    assert "smooth is 7" in _refused([folder, "--smooth", 7], capsys)
    assert "lacks neck, head" in _refused([folder, "--joints", "lsp14"], capsys)
    assert "make it first" in _refused([folder, "--json", tmp_path / "no" / "x.json"], capsys)
    truth = (empty_clip / "truth.npz").read_bytes()
    (empty_clip / "truth.npz").write_bytes(truth[: len(truth) // 2])
    assert "cannot be read" in _refused([folder], capsys)


def test_a_video_that_is_too_short_or_none_is_refused(tmp_path, write_clip, capsys):
    images = [np.zeros((64, 64, 3), np.uint8)] * 3
    joints = np.random.default_rng(0).standard_normal((9, 12, 3))
    folder = write_clip(tmp_path / "short", images, joints_camera=joints)
    assert "clip short: the video ends after 3 frames" in _refused([folder], capsys)
    (folder / "video.mp4").write_bytes(b"no video")
    assert "cannot be opened as a video" in _refused([folder], capsys)


def test_plots_are_refused_before_the_run(empty_clip, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    assert "expected a .png" in _refused([empty_clip, "--plot", "errors.pdf"], capsys)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "pip install" in _refused([empty_clip, "--plot", "errors.png"], capsys)
