"""Covers the HUD: any image size, every state, text that stays inside."""

import math

import numpy as np

from realtime_vibe.outputs.view.hud import HudState, draw_hud

FULL = HudState(
    capture_fps=30.0,
    inference_fps=29.9,
    latency_p50_ms=6.1,
    latency_p95_ms=9.4,
    dropped=12,
    engine="blazepose-gru",
    backend="onnxruntime",
    temporal="stream",
    track_state="tracking",
    is_tracking=True,
    is_recording=True,
    recorded_s=3725.0,
    is_paused=True,
    source_status="camera lost, reopening",
    message="saved a picture with a rather long name and some unicode: \N{SNOWMAN}" * 4,
)


def test_any_size():
    for size in [(64, 48), (48, 64), (1, 1), (5, 300), (360, 640), (640, 480), (3840, 2160)]:
        image = np.full((size[1], size[0], 3), 128, np.uint8)
        draw_hud(image, FULL)
        if min(size) >= 48:
            assert (image != 128).any(), size


def test_text_is_readable_on_white_and_on_black():
    for background in (0, 255):
        image = np.full((480, 640, 3), background, np.uint8)
        draw_hud(image, FULL)
        panel = image[:80, :150].astype(int)
        assert panel.max() - np.median(panel) > 100


def test_the_middle_of_the_picture_stays_free():
    image = np.full((480, 640, 3), 90, np.uint8)
    draw_hud(image, FULL)
    assert (image[130:380, 60:580] == 90).all()


def test_only_what_is_set_is_written():
    plain, busy = (np.full((480, 640, 3), 90, np.uint8) for _ in range(2))
    draw_hud(plain, HudState())
    draw_hud(busy, HudState(is_recording=True))
    upper_right = (slice(0, 60), slice(500, 640))
    assert (plain[upper_right] == 90).all()
    assert (busy[upper_right] != 90).any()
    assert (plain[400:] == 90).all()


def test_unknown_numbers_do_not_break_it():
    image = np.zeros((480, 640, 3), np.uint8)
    draw_hud(image, HudState(capture_fps=math.nan, inference_fps=math.inf, recorded_s=0.0))
    assert image.any()
