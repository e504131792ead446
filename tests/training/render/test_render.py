"""The rendering command: truth and tracker agree, shards are resumable, mistakes are one line."""

import logging
import os
import signal
import time
from dataclasses import replace

import cv2
import numpy as np
import pytest

from realtime_vibe.backends.graph_folder import engine_folder
from realtime_vibe.errors import ConfigError, RealtimeVibeError
from realtime_vibe.system.placing import try_lock
from realtime_vibe.training.render import __main__ as render
from realtime_vibe.training.render.picture import PictureSettings
from realtime_vibe.training.render.shard_writer import ShardSettings
from realtime_vibe.training.samples.rendered import load_streams
from realtime_vibe.training.samples.shards import load_shard, shard_path

pytest.importorskip("open3d", reason="Open3D casts the rays")

TINY = ["--streams", "1", "--frames", "2", "--workers", "1"]


def jobs_here(make_worker, jobs, _num_workers):
    """In place of `run_jobs`, whose processes import everything anew."""
    return (work(job) for work in [make_worker()] for job in jobs)


def settings_of(motion_folder, **changes):
    return ShardSettings(
        **{
            "motion": motion_folder,
            "body": engine_folder("blazepose-gru") / "body.npz",
            "tracker": engine_folder("blazepose"),
            "photos": None,
            "streams": 2,
            "frames": 16,
            "seed": 11,
            "part": "train",
            "pool_sequences": 4,
            "pool_frames": 400,
            **changes,
        }
    )


def words_of(motion_folder, out):
    settings = settings_of(motion_folder)
    return [
        "--motion", str(motion_folder), "--out", str(out), "--body", str(settings.body),
        "--tracker-engine", str(settings.tracker), *TINY,
    ]  # fmt: skip


def test_the_tracker_sees_the_truth(motion_folder, tmp_path):
    # Nothing in front, so that the tracker's landmarks can be where the body is.
    settings = settings_of(motion_folder, picture=PictureSettings(obstacle_chance=0.0))
    path = shard_path(tmp_path, 11, 0)
    found = settings.open()((path, 0))
    shard = load_shard(path)
    assert found == shard["found"].sum() >= 16  # of 32; people lie and stand at the edge, too
    assert shard["rotmat"].shape == (16, 2, 24, 3, 3)
    assert (shard["visibility"] >= 0).all()
    for stream in load_streams(tmp_path):
        depth = stream.frames["transl"][:, None, 2]
        pelvis_px = stream.frames["transl"][:, :2] / depth * stream.person["true_focal"]
        hips_px = stream.frames["image_px"][:, 23:25].mean(axis=1)
        # Torso lengths apart: the rest pelvis lies 22 cm below the origin of transl.
        metre_px = (stream.person["true_focal"] / depth).mean()
        assert np.median(np.linalg.norm(hips_px - pelvis_px, axis=1)) < 0.6 * metre_px


def test_seed_and_number_alone_decide_a_shard(motion_folder, tmp_path):
    settings = settings_of(motion_folder, streams=1, frames=3)
    first, again = settings.open(), settings.open()
    shards = {}
    for name, writer, number in (
        ("first", first, 0), ("other", first, 1), ("again", again, 0),
    ):  # fmt: skip
        path = shard_path(tmp_path, 0, len(shards))
        writer((path, number))
        shards[name] = load_shard(path)
    for key, array in shards["first"].items():
        np.testing.assert_array_equal(array, shards["again"][key], err_msg=key)
    assert not np.array_equal(shards["first"]["betas"], shards["other"]["betas"])


def test_the_command_goes_on_where_it_was(motion_folder, tmp_path):
    out = tmp_path / "shards"
    out.mkdir()
    present, missing = shard_path(out, 3, 0), shard_path(out, 3, 1)
    present.write_bytes(b"made before")
    stale, foreign = out / ".realtime-vibe-1-0123abcd.tmp", out / ".realtime-vibe-2-0123abcd.tmp"
    stale.write_bytes(b"half")
    foreign.write_bytes(b"another process may be at work here")
    with foreign.open("rb") as file:
        try_lock(file)
        assert render.main([*words_of(motion_folder, out), "--shards", "2", "--seed", "3"]) == 0
    assert present.read_bytes() == b"made before"
    assert load_shard(missing)["dt_s"].shape == (2, 1)
    assert not stale.exists()
    assert foreign.exists()


def test_numbers_out_of_range(motion_folder, tmp_path, caplog, subtests):
    for changes, message in [
        (["--shards", "0"], "--shards 0, expected at least 1"),
        (["--workers", "-2"], "--workers -2, expected at least 1"),
        (["--streams", "0"], "--streams 0, expected at least 1"),
        (["--seed", "-1"], "--seed -1, expected 0 or more"),
    ]:
        with subtests.test(message=message, changes=changes):
            assert render.main([*words_of(motion_folder, tmp_path / "out"), *changes]) == 2
            assert message in caplog.text
            assert not (tmp_path / "out").exists()


def test_what_is_missing_is_named(motion_folder, tmp_path, subtests):
    for field, message in [
        ("motion", "expected one with AMASS"),
        ("body", "expected a body file"),
        ("tracker", "blazepose.json: cannot be read"),
        ("photos", "no readable .jpg or .png pictures in"),
    ]:
        with subtests.test(message=message, field=field):
            settings = replace(settings_of(motion_folder), **{field: tmp_path / "absent"})
            with pytest.raises(RealtimeVibeError, match=message) as caught:
                settings.open()
            assert str(tmp_path / "absent") in str(caught.value)


def test_a_worker_s_error_is_one_line_of_the_command(motion_folder, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(render, "run_jobs", jobs_here)
    out = tmp_path / "out"
    words = [*words_of(motion_folder, out), "--body", str(tmp_path / "absent.npz")]
    assert render.main([*words, "--shards", "1"]) == 2
    said = caplog.records[-1]
    assert said.levelno == logging.ERROR
    assert "expected a body file" in said.getMessage()
    assert "\n" not in said.getMessage()
    assert list(out.iterdir()) == []


def test_neither_shards_nor_preview(motion_folder):
    with pytest.raises(ConfigError, match="give one of them"):
        render.run(render.parser().parse_args(["--motion", str(motion_folder)]))


def test_the_preview_shows_both_kinds_of_landmarks(motion_folder, tmp_path, caplog):
    words = words_of(motion_folder, tmp_path / "out")
    sheet = tmp_path / "sheet.png"
    assert render.main([*words, "--preview", str(sheet)]) == 0
    picture = cv2.imread(str(sheet)).astype(int)
    assert picture.shape == (3 * 480, 4 * 480, 3)
    blue, green, red = picture[..., 0], picture[..., 1], picture[..., 2]
    assert ((red > 250) & (green < 60) & (blue < 60)).sum() > 12 * 33
    assert ((green > 250) & (red < 80) & (blue < 80)).sum() > 6 * 33
    assert not (tmp_path / "out").exists()
    assert render.main([*words, "--preview", str(tmp_path / "sheet.xyz")]) == 2
    assert "no picture format has this suffix" in caplog.text


def test_sigterm_ends_the_jobs_and_the_command(motion_folder, tmp_path, monkeypatch, caplog):
    """What becomes of processes then is the jobs' own affair."""
    ended = []

    def endless_jobs(*_):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
            yield 0
        finally:
            ended.append(True)

    monkeypatch.setattr(render, "run_jobs", endless_jobs)
    with caplog.at_level(logging.INFO):
        assert render.main([*words_of(motion_folder, tmp_path / "shards"), "--shards", "5"]) == 130
    assert ended == [True]
    assert "the same command goes on from here" in caplog.text
