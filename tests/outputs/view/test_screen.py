"""Covers the question whether a window can be opened at all."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_vibe.errors import OutputError
from realtime_vibe.outputs.view.screen import (
    require_display,
    require_x_display,
    screen_size,
    window_areas,
)

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux only")


def test_no_display_says_what_to_do(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    for require in (require_display, require_x_display):
        with pytest.raises(OutputError, match=r"no display .*--view none"):
            require()


def test_a_display_that_does_not_answer_is_noticed(monkeypatch):
    monkeypatch.setenv("DISPLAY", ":7531")
    with pytest.raises(OutputError, match=r"DISPLAY=:7531 does not answer.*--view none"):
        require_display()


def test_wayland_alone_is_enough_for_3d_but_not_for_the_preview(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    require_display()
    with pytest.raises(OutputError, match="XWayland"):
        require_x_display()


def test_macos_and_windows_are_never_refused(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    for platform in ("darwin", "win32"):
        monkeypatch.setattr(sys, "platform", platform)
        require_x_display()


@given(st.integers(800, 8000), st.integers(600, 5000))
def test_windows_open_beside_each_other_and_fit_onto_any_screen(width, height):
    preview, viewer = window_areas((width, height))
    assert preview.left + preview.width < viewer.left
    for area in (preview, viewer):
        assert min(area.left, area.top, area.width, area.height) > 0
        assert area.left + area.width < width
        assert area.top + area.height < height


def test_a_screen_that_is_not_there_counts_as_a_usual_one(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    assert min(screen_size()) > 0
