"""Covers windows that come back where they were: the file, its damage, screens that are gone, a real desktop."""

import json
import logging
import os
import pickle
import subprocess
import sys
import time
from importlib.util import find_spec

import pytest

from realtime_vibe.outputs.view.window_places import WindowPlace, WindowPlaces, WindowWatch

DESKTOP = WindowPlace(left=0, top=0, width=1700, height=900)
PLACE = WindowPlace(left=300, top=200, width=500, height=400)

RUN = """
import json, pickle, sys, time
from pathlib import Path
from realtime_vibe.outputs.view.desktop import desktop_area, place_of_window
from realtime_vibe.outputs.view.display import Display
from realtime_vibe.outputs.view.hud import HudState
from realtime_vibe.outputs.view.window_places import WindowPlaces

faces, result = pickle.loads(Path(sys.argv[1]).read_bytes())
display = Display(faces, view=sys.argv[3], places=WindowPlaces(Path(sys.argv[2]), desktop_area))
with display:
    for seconds in (1.2, 0.6):
        start_s, rounds, num_open = time.monotonic(), 0, 0
        # The first picture can take long, and the second window longer.
        while (
            time.monotonic() < start_s + seconds or rounds < 20 or num_open < int(sys.argv[4])
        ) and time.monotonic() < start_s + 40:
            rounds += 1
            display.show(result, HudState())
            display.poll()
            time.sleep(0.01)
            places = [place_of_window(title) for title in ("realtime-vibe", "realtime-vibe 3D")]
            num_open = sum(place is not None for place in places)
        print(json.dumps([p and [p.left, p.top, p.width, p.height] for p in places]), flush=True)
"""


def places_in(path, desktop=DESKTOP):
    return WindowPlaces(path, lambda: desktop)


def test_what_is_kept_comes_back_beside_the_others(tmp_path):
    path = tmp_path / "new" / "windows.json"
    other = WindowPlace(left=5, top=6, width=700, height=500)
    assert places_in(path).last("a") is None
    places_in(path).keep("a", PLACE)
    places_in(path).keep("b", other)
    assert (places_in(path).last("a"), places_in(path).last("b")) == (PLACE, other)


@pytest.mark.parametrize(
    "place",
    [
        (1650, 200, 500, 400),
        (-450, 200, 500, 400),
        (300, -20, 500, 400),
        (300, 880, 500, 400),
        (300, 200, 5, 400),
        (-32000, -32000, 160, 30),
    ],
    ids=["right", "left", "above", "below", "tiny", "minimised"],
)
def test_a_place_that_is_off_the_screen_is_not_used(tmp_path, place):
    left, top, width, height = place
    path = tmp_path / "windows.json"
    places_in(path).keep("a", WindowPlace(left=left, top=top, width=width, height=height))
    assert places_in(path).last("a") is None


def test_without_a_known_desktop_windows_open_as_usual(tmp_path):
    places_in(tmp_path / "w.json").keep("a", PLACE)
    assert places_in(tmp_path / "w.json", None).last("a") is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"a": 3}', '{"a": {"left": 1}}', "[" * 100_000, '"\\ud800']
)
def test_a_damaged_file_costs_the_places_and_is_replaced(tmp_path, text):
    path = tmp_path / "windows.json"
    path.write_text(text)
    assert places_in(path).last("a") is None
    places_in(path).keep("a", PLACE)
    assert places_in(path).last("a") == PLACE


@pytest.mark.parametrize("value", [True, 2.5, "300", None, [1]])
def test_a_number_that_is_none_is_not_used(tmp_path, value):
    path = tmp_path / "windows.json"
    entry = {"left": value, "top": 2, "width": 300, "height": 300}
    path.write_text(json.dumps({"a": entry}))
    assert places_in(path).last("a") is None


def test_a_folder_that_cannot_be_written_is_one_debug_line(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.DEBUG, logger="realtime_vibe"):
        places_in(tmp_path / "file" / "windows.json").keep("a", PLACE)
    lines = [record for record in caplog.records if "not kept" in record.message]
    assert [record.levelno for record in lines] == [logging.DEBUG]


def test_the_frame_of_a_window_does_not_make_it_creep():
    now = [0.0]
    watch = WindowWatch(PLACE, clock=lambda: now[0])
    framed = WindowPlace(left=302, top=225, width=500, height=400)
    watch.see(PLACE)  # before the window manager has done its work
    assert watch.place is None
    now[0] = 1.0
    watch.see(framed)
    assert watch.place == PLACE
    watch.see(WindowPlace(left=402, top=325, width=520, height=400))
    assert watch.place == WindowPlace(left=400, top=300, width=520, height=400)
    watch.resized(640, 480)
    assert watch.place is None
    now[0] = 2.0
    watch.see(WindowPlace(left=402, top=325, width=640, height=480))
    assert watch.place == WindowPlace(left=400, top=300, width=640, height=480)


@pytest.fixture
def show(screen, figure, result_of, tmp_path):
    """Shows windows for two seconds; `act` moves them in the middle; gives both measurements."""
    path = tmp_path / "result.pkl"
    path.write_bytes(pickle.dumps((figure.faces, result_of(figure, (0, 0, 3)))))
    environment = {key: value for key, value in os.environ.items() if key != "WAYLAND_DISPLAY"}
    environment["DISPLAY"] = screen

    def run(view, moves=()):
        command = [sys.executable, "-c", RUN, str(path), str(tmp_path / "windows.json"), view]
        command.append("2" if view == "both" else "1")
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
            assert process.stdout is not None
            before = json.loads(process.stdout.readline())
            for title, left, top, width, height in moves:
                found = subprocess.run(
                    ["xdotool", "search", "--name", title],
                    capture_output=True, env=environment, check=True, text=True,
                ).stdout.split()[-1]  # fmt: skip
                for words in (("windowmove", left, top), ("windowsize", width, height)):
                    subprocess.run(
                        ["xdotool", words[0], found, *map(str, words[1:])],
                        env=environment, check=True,
                    )  # fmt: skip
            after = json.loads(process.stdout.readline())
            assert process.wait(60) == 0
        return before, after

    return run


def test_the_preview_comes_back_where_it_was_left(show):
    first, moved = show("preview", [("^realtime-vibe$", 320, 240, 400, 330)])
    assert first[0][:2] == [40, 60]
    assert moved[0] == [320, 240, 400, 330]
    again, still = show("preview")
    assert again[0] == still[0] == moved[0]


@pytest.mark.skipif(find_spec("open3d") is None, reason="open3d is not installed")
def test_both_windows_come_back_and_do_not_creep(show, tmp_path):
    _, moved = show("both", [("^realtime-vibe 3D$", 610, 120, 500, 380)])
    assert moved[1] == [610, 120, 500, 380]
    for _ in range(2):
        again, still = show("both")
        assert again == still == moved
    kept = json.loads((tmp_path / "windows.json").read_text())
    assert set(kept) == {"realtime-vibe", "realtime-vibe 3D"}


def test_an_x_server_that_is_gone_costs_the_place_alone(monkeypatch):
    from realtime_vibe.outputs.view.desktop import desktop_area, place_of_window

    monkeypatch.setenv("DISPLAY", ":7531")
    began_s = time.monotonic()
    if sys.platform.startswith("linux"):
        assert desktop_area() is None
        assert place_of_window("realtime-vibe") is None
    assert time.monotonic() - began_s < 5
