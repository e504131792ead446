"""The picture of joint errors: bars as high as the errors, panels by the number of clips."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("matplotlib")

import cv2

from benchmarks.accuracy_evaluate import Evaluation
from benchmarks.accuracy_joints import choose_joint_set
from benchmarks.accuracy_plot import draw_joint_errors
from benchmarks.accuracy_run import ClipRun
from benchmarks.accuracy_scores import score_clip
from realtime_vibe.app.settings import LiveConfig
from realtime_vibe.body.joints import SMPL_JOINT_NAMES

COMMON = choose_joint_set("common", SMPL_JOINT_NAMES)


def _clip(name, ours_m, theirs_m):
    """Every joint is off by so much, in another direction each frame."""
    rng = np.random.default_rng(0)
    truth = rng.standard_normal((50, 12, 3))
    way = rng.standard_normal(truth.shape)
    way /= np.linalg.norm(way, axis=-1, keepdims=True)
    run = ClipRun(
        truth=truth, ours=truth + ours_m * way, blazepose=truth + theirs_m * way,
        vertex_errors_m=None,
    )  # fmt: skip
    return score_clip(name, run, COMMON, 30.0)


def _evaluation(*clips):
    return Evaluation(
        clips=clips,
        joint_set="common",
        root=COMMON.root,
        config=LiveConfig(smooth=0.0),
        engine="engine",
        backend="cpu",
        precision="fp32",
    )


def _share(path, colour_rgb):
    picture = cv2.imread(str(path))[:, :, ::-1].astype(int)
    return float((np.abs(picture - colour_rgb).max(axis=-1) < 8).mean())


OURS, THEIRS = (0x00, 0x72, 0xB2), (0xB0, 0xB0, 0xB0)


def test_bars_are_as_high_as_the_errors(tmp_path):
    path = tmp_path / "errors.png"
    draw_joint_errors(_evaluation(_clip("a", 0.05, 0.1)), path)
    assert _share(path, THEIRS) / _share(path, OURS) == pytest.approx(2.0, rel=0.1)


def test_panels_are_the_clips_and_their_mean_until_they_are_too_many(tmp_path):
    sizes = []
    for count in (1, 2, 6):
        path = tmp_path / f"{count}.png"
        clips = [_clip(f"clip{n}", 0.05 + 0.01 * n, 0.1) for n in range(count)]
        draw_joint_errors(_evaluation(*clips), path)
        height, width = cv2.imread(str(path)).shape[:2]
        sizes.append((width, height))
    one, three, mean_alone = sizes
    assert one == mean_alone
    assert three[0] > 2 * one[0]


def test_clips_with_nobody_and_without_blazepose_are_drawn(tmp_path):
    clip = _clip("a", 0.05, 0.1)
    empty = np.full(12, np.nan)
    lost = replace(clip, ours=replace(clip.ours, joint_mm=empty, aligned_joint_mm=empty))
    path = tmp_path / "errors.png"
    draw_joint_errors(_evaluation(lost, clip), path)
    assert _share(path, OURS) > 0.001
    draw_joint_errors(_evaluation(replace(clip, blazepose=None)), path)
    assert _share(path, OURS) > 0.01
    assert _share(path, THEIRS) < 0.003  # edges of letters
