"""Covers the HUD: any image size, every state, words for users, text that stays inside."""

import math

import numpy as np

from realtime_vibe.outputs.view.hud import HudLevel, HudState, draw_hud, hud_text

FULL = HudState(
    capture_fps=30.0,
    inference_fps=29.9,
    latency_p50_ms=6.1,
    latency_p95_ms=9.4,
    dropped=12,
    engine="blazepose-gru",
    backend="onnxruntime",
    temporal="stream",
    num_people=1,
    setup_state="camera levelled",
    is_recording=True,
    recorded_s=3725.0,
    is_paused=True,
    source_status="camera lost, reopening",
    message="saved a picture with a rather long name and some unicode: \N{SNOWMAN}" * 4,
)


def words(state, level=HudLevel.BRIEF):
    text = hud_text(state, level)
    return " | ".join(line.text for line in (*text.lines, *text.notes))


def drawn(size, state, level=HudLevel.BRIEF, background=90):
    image = np.full((size[1], size[0], 3), background, np.uint8)
    draw_hud(image, hud_text(state, level))
    return image


def test_any_size():
    for size in [(64, 48), (48, 64), (1, 1), (5, 300), (360, 640), (640, 480), (3840, 2160)]:
        for level in HudLevel:
            image = drawn(size, FULL, level)
            is_written = min(size) >= 48 and level is not HudLevel.HIDDEN
            assert (image != 90).any() or not is_written, size


def test_text_is_readable_on_white_and_on_black():
    for background in (0, 255):
        panel = drawn((640, 480), FULL, background=background)[:50, :150].astype(int)
        assert panel.max() - np.median(panel) > 100


def test_letters_never_get_too_small_to_read():
    """The height of the panel of two lines: 15 px each at least, and growing with the picture."""
    heights = [
        int((drawn(size, HudState()) != 90).any(axis=(1, 2)).sum())
        for size in [(320, 180), (514, 289), (640, 480), (1920, 1080)]
    ]
    assert heights[0] == heights[1] >= 30
    assert heights == sorted(heights)
    assert heights[-1] > 2 * heights[0]


def test_a_corner_is_all_it_takes():
    for size in [(514, 289), (364, 648), (640, 480), (1920, 1080)]:
        rows, columns = np.nonzero((drawn(size, HudState(num_people=2)) != 90).any(axis=2))
        assert rows.max() < 0.2 * size[1] + 20, size
        assert columns.max() < 0.4 * size[0], size


def test_users_read_words_and_engineers_numbers():
    brief, keys, details = (words(FULL, level) for level in list(HudLevel)[:3])
    for word in ("30 fps", "person found", "camera levelled", "h: help", "REC 62:05", "PAUSED"):
        assert word in brief
        assert word in keys
        assert word in details
    assert "onnxruntime" not in brief + keys
    assert "latency" not in brief + keys
    assert "q, Esc: quit" in keys
    for word in ("latency 6.1 ms, p95 9.4", "dropped 12", "blazepose-gru"):
        assert word in details
    assert words(FULL, HudLevel.HIDDEN) == ""
    assert "nobody in view" in words(HudState())
    assert "2 people found" in words(HudState(num_people=2))


def test_h_goes_through_all_levels_and_comes_back():
    level, seen = HudLevel.BRIEF, []
    for _ in HudLevel:
        seen.append(level)
        level = level.following
    assert seen == [HudLevel.BRIEF, HudLevel.KEYS, HudLevel.DETAILS, HudLevel.HIDDEN]
    assert level is HudLevel.BRIEF


def test_only_what_is_set_is_written():
    plain, busy = drawn((640, 480), HudState()), drawn((640, 480), HudState(is_recording=True))
    assert not (plain[..., 2].astype(int) - plain[..., 1] > 100).any()
    assert (busy[..., 2].astype(int) - busy[..., 1] > 100).any()  # in red
    assert (plain[400:] == 90).all()


def test_unknown_numbers_do_not_break_it():
    state = HudState(capture_fps=math.nan, inference_fps=math.inf, recorded_s=0.0)
    assert "- fps" in words(state, HudLevel.DETAILS)
