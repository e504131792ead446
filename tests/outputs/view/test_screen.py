"""Covers the question whether a window can be opened at all."""

import os
import socket
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_vibe.errors import OutputError
from realtime_vibe.outputs.view.screen import (
    WindowArea,
    main_screen,
    require_display,
    window_areas,
    x11_preferred,
)

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux only")


def test_no_display_says_what_to_do(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    for of_x in (False, True):
        with pytest.raises(OutputError, match=r"no display .*--view none"):
            require_display(of_x=of_x)


def test_a_display_that_does_not_answer_is_noticed(monkeypatch):
    monkeypatch.setenv("DISPLAY", ":7531")
    with pytest.raises(OutputError, match=r"DISPLAY=:7531 does not answer.*--view none"):
        require_display()


def test_wayland_alone_is_enough_for_3d_but_not_for_the_preview(monkeypatch, tmp_path):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    with pytest.raises(OutputError, match=r"WAYLAND_DISPLAY=wayland-0 does not answer"):
        require_display()
    with socket.socket(socket.AF_UNIX) as compositor:
        compositor.bind(str(tmp_path / "wayland-0"))
        compositor.listen()
        require_display()
        with pytest.raises(OutputError, match="XWayland"):
            require_display(of_x=True)
        with x11_preferred():
            assert os.environ["WAYLAND_DISPLAY"] == "wayland-0"


def test_a_wayland_that_may_be_dead_is_left_aside_where_x_answers(monkeypatch, screen):
    monkeypatch.setenv("DISPLAY", screen)
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-7531")
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    require_display(of_x=True)
    with x11_preferred():
        assert "WAYLAND_DISPLAY" not in os.environ
        assert Path(os.environ["XDG_RUNTIME_DIR"]).is_dir()
    assert os.environ["WAYLAND_DISPLAY"] == "wayland-7531"
    assert "XDG_RUNTIME_DIR" not in os.environ
    assert main_screen() == WindowArea(left=0, top=0, width=1700, height=900)


def test_a_screen_that_was_asked_about_stays(monkeypatch, passing_screen):
    monkeypatch.setenv("DISPLAY", passing_screen)
    for _ in range(3):
        require_display(of_x=True)
        assert main_screen() == WindowArea(left=0, top=0, width=1700, height=900)
        time.sleep(0.1)


def test_macos_and_windows_are_never_refused(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    for platform in ("darwin", "win32"):
        monkeypatch.setattr(sys, "platform", platform)
        require_display(of_x=True)


@given(
    st.integers(800, 8000), st.integers(600, 5000), st.integers(-4000, 4000), st.integers(0, 2000)
)
def test_windows_open_beside_each_other_and_fit_onto_any_screen(width, height, left, top):
    preview, viewer = window_areas(WindowArea(left=left, top=top, width=width, height=height))
    assert preview.left + preview.width < viewer.left
    for area in (preview, viewer):
        assert min(area.width, area.height) > 0
        assert left < area.left
        assert top < area.top
        assert area.left + area.width < left + width
        assert area.top + area.height < top + height


def test_a_screen_that_is_not_there_counts_as_a_usual_one(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    assert min(main_screen().width, main_screen().height) > 0
