"""Covers the measure of sliding feet on bodies whose sliding is known."""

from types import SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import pytest

from benchmarks import foot_skate
from benchmarks.foot_skate import ClipTracks, Track, figures, main, plot


def _track(step_m, noise_m=0.0):
    """The left foot walks by `step_m` a frame along x, the right one stands."""
    soles = np.zeros((20, 2, 2, 3), np.float32)
    soles[:, 0, :, 0] = np.arange(20)[:, None] * step_m
    joints = np.zeros((20, 24, 3), np.float32)
    joints[:, 5] = noise_m
    return Track(soles=soles, joints=joints)


@pytest.fixture
def tracks():
    return ClipTracks(
        name="clip", rate_hz=30.0, capture=_track(0.001), seen=_track(0.01, 0.024),
        held=_track(0.0005), planted=np.tile([True, False], (20, 1)), lock_ms=0.5,
    )  # fmt: skip


def test_the_figures_are_the_speeds_that_were_put_in(tracks):
    row = figures(tracks)
    assert row["planted %"] == pytest.approx(50)
    assert row["held off"] == pytest.approx(300, rel=1e-3)
    assert row["held on"] == pytest.approx(15, rel=1e-3)
    assert row["capture"] == pytest.approx(15, rel=1e-3)  # mean of 30 and of the standing foot
    assert row["true off"] == pytest.approx(150, rel=1e-3)
    assert row["joints"] == pytest.approx(-1e3 * 0.024 * np.sqrt(3) / 24, rel=1e-3)


def test_it_draws(tracks, tmp_path):
    pytest.importorskip("matplotlib")
    plot(tmp_path / "p.png", [tracks])
    assert (tmp_path / "p.png").stat().st_size > 1000


def test_a_clip_in_which_nobody_is_found_is_left_out_and_said(
    tracks, tmp_path, monkeypatch, capsys
):
    clips = []
    monkeypatch.setattr(foot_skate, "find_clips", lambda _: clips)
    monkeypatch.setattr(foot_skate, "build_pipeline", MagicMock())
    monkeypatch.setattr(foot_skate, "_Poser", MagicMock())
    run_clip = foot_skate.run_clip
    monkeypatch.setattr(
        foot_skate, "run_clip", lambda clip, built: clip.tracks or run_clip(clip, built)
    )
    truth = SimpleNamespace(first_frame=0, num_frames=9)
    empty = {"tracks": None, "truth": truth, "open_frames": lambda: (_ for _ in ())}
    clips.append(SimpleNamespace(name="nobody", **empty))
    assert main([str(tmp_path)]) == 2
    clips.append(SimpleNamespace(tracks=tracks))
    assert main([str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert "slide by 15.0 mm/s" in out
    assert err.count("left out: nobody: found in 0 of 9 frames") == 2


def test_a_folder_without_clips_is_one_line(tmp_path, capsys):
    assert main([str(tmp_path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
