"""Covers the browser page in a headless Chromium: it draws a body that is upright, unmirrored and moves."""

import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from realtime_vibe.body.joints import SMPL_JOINT_NAMES
from realtime_vibe.geometry.axes import T_WORLD_CAMERA
from realtime_vibe.geometry.rotation import rotmat_from_axis_angle
from realtime_vibe.outputs.ground import GroundLevel
from realtime_vibe.outputs.stream.address import Address
from realtime_vibe.outputs.stream.websocket_stream import WebStream
from realtime_vibe.packets import FrameResult
from tests.outputs.stream.chromium import Chromium, find_chromium
from tests.outputs.stream.posed_body import FACING, default_body, posed_person, result_of
from tests.outputs.stream.test_websocket_stream import free_port

SIZE = (640, 480)
JOINT = {name: index for index, name in enumerate(SMPL_JOINT_NAMES)}


def _waving(index: int) -> FrameResult:
    """Somebody who faces the camera, swings the left arm and leaves the right one down.

    The camera looks down by 34 degrees, which is found out while the stream runs.
    """
    tilt = rotmat_from_axis_angle(np.array([0.6, 0, 0], np.float32))
    known = rotmat_from_axis_angle(np.array([-0.6 * min(index / 50, 1.0), 0, 0], np.float32))
    world = np.array(T_WORLD_CAMERA)
    world[:3, :3] = T_WORLD_CAMERA[:3, :3] @ known
    turns = np.zeros((23, 3), np.float32)
    turns[JOINT["right_shoulder"] - 1, 2] = 1.2
    turns[JOINT["left_shoulder"] - 1, 2] = 0.7 * np.sin(index / 10)
    pose = rotmat_from_axis_angle(turns)
    person = posed_person(tilt @ FACING, pose, tilt @ np.array([0.2, 0.1, 3.0]))
    return replace(result_of(index, person), T_world_camera=world)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    executable = find_chromium()
    if executable is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    profile = Path(tempfile.mkdtemp())
    browser = Chromium(executable, profile, SIZE)
    yield browser
    browser.close()
    shutil.rmtree(profile, ignore_errors=True)


@pytest.fixture(scope="module")
def waving_stream() -> Iterator[WebStream]:
    """Sends 50 frames a second until the end."""
    ended = threading.Event()
    with WebStream(
        Address(host="127.0.0.1", port=free_port()), default_body().model.faces
    ) as server:
        server.start()

        def feed() -> None:
            index = 0
            while not ended.wait(0.02):
                server.write(_waving(index))
                index += 1

        feeder = threading.Thread(target=feed)
        feeder.start()
        yield server
        ended.set()
        feeder.join()


def _picture(browser: Chromium) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(browser.screenshot(), np.uint8), cv2.IMREAD_COLOR)


def _places(browser: Chromium) -> dict[str, np.ndarray]:
    """Pixel of each joint in the page."""
    points = browser.evaluate(
        f"[...Array({len(JOINT)}).keys()].map((joint) => window.realtimeVibe.project(joint))"
    )
    return dict(zip(SMPL_JOINT_NAMES, np.array(points), strict=True))


def _open(browser: Chromium, url: str) -> None:
    browser.open("about:blank")
    browser.open(url)
    browser.wait_until("Boolean(window.realtimeVibe && window.realtimeVibe.frames > 5)")


def test_the_body_stands_upright_unmirrored_and_moves(chromium, waving_stream) -> None:
    _open(chromium, waving_stream.url)
    at = _places(chromium)
    assert at["head"][1] < at["pelvis"][1] < at["left_ankle"][1]
    # As the camera saw it: the left hand of somebody who faces us is on our right.
    assert at["left_wrist"][0] > at["pelvis"][0] + 30 > at["right_wrist"][0]
    for x, y in at.values():
        assert 0 < x < SIZE[0]
        assert 0 < y < SIZE[1]
    first = _picture(chromium).astype(int)
    background = first[5, SIZE[0] - 5]
    chest = at["spine3"].round().astype(int)
    assert np.abs(first[chest[1], chest[0]] - background).max() > 40, "no mesh at the chest"
    body = np.abs(first - background).max(axis=2) > 60
    assert 0.02 < body.mean() < 0.5

    frames = chromium.evaluate("window.realtimeVibe.frames")
    moved = 0.0
    for _ in range(20):
        time.sleep(0.1)
        moved = max(moved, np.abs(_places(chromium)["left_wrist"] - at["left_wrist"]).max())
    assert moved > 15
    assert chromium.evaluate("window.realtimeVibe.frames") > frames
    toes_m = chromium.evaluate(f"window.realtimeVibe.height({JOINT['left_foot']})")
    assert 0.0 < toes_m < 0.15
    assert "1 person in view" in chromium.evaluate("document.getElementById('status').textContent")


def test_the_floor_is_that_of_the_windows(chromium, waving_stream) -> None:
    _open(chromium, waving_stream.url)
    times_s = [*np.arange(0, 4, 0.03), 6.0, 6.1]
    lowest_m = [0.9 - 0.4 * (at > 1) - 0.3 * np.sin(2 * at) * (2 < at < 3) for at in times_s]
    ground, expected = GroundLevel(), []
    for at_s, lowest in zip(times_s, lowest_m, strict=True):
        expected.append(-ground.update(lowest, at_s))
        if 1.5 < at_s < 1.52:
            ground.move(0.1)
    levels = chromium.evaluate(f"""(() => {{
        const floor = new window.realtimeVibe.Floor();
        return {[[float(at), -float(low)] for at, low in zip(times_s, lowest_m, strict=True)]}.map(
            ([atS, lowest]) => {{
                floor.follow(lowest, atS);
                const level = floor.level;
                if (atS > 1.5 && atS < 1.52) floor.move(-0.1);
                return level;
            }});
    }})()""")
    np.testing.assert_allclose(levels, expected, atol=1e-5)


def test_a_page_for_streamers_has_nothing_but_the_body(chromium, waving_stream) -> None:
    _open(chromium, waving_stream.url + "?background=%2300ff00&grid=0&text=0&skeleton=0&mirror=1")
    at = _places(chromium)
    assert at["left_wrist"][0] < at["right_wrist"][0]
    picture = _picture(chromium)
    green = (picture == (0, 255, 0)).all(axis=2)
    assert 0.5 < green.mean() < 0.98
    assert green[: SIZE[1] // 20].all()
    assert np.median(picture[~green].mean(axis=1)) > 137, "a mirrored body is lit from behind"


def test_the_page_waits_for_a_program_that_comes_back(chromium) -> None:
    address = Address(host="127.0.0.1", port=free_port())
    status = "document.getElementById('status')?.textContent"  # none yet while a page loads
    with WebStream(address, default_body().model.faces).start() as server:
        server.write(_waving(0))
        chromium.open("about:blank")
        chromium.open(server.url)
        chromium.wait_until("Boolean(window.realtimeVibe && window.realtimeVibe.frames > 0)")
    chromium.wait_until(f"{status}.includes('no connection')")
    with WebStream(address, default_body().model.faces).start() as server:
        server.write(result_of(1))
        chromium.wait_until(f"{status}.includes('nobody in view')")
        _assert_text_and_floor_are_seen(chromium)
        chromium.open("about:blank")
        chromium.open(server.url)  # a page that never saw anybody shows the floor as well
        server.write(result_of(2))
        chromium.wait_until(f"{status}.includes('nobody in view')")
        _assert_text_and_floor_are_seen(chromium)


def _assert_text_and_floor_are_seen(chromium: Chromium) -> None:
    picture = _picture(chromium)
    left, top, right, bottom = chromium.evaluate(
        "(({left, top, right, bottom}) => [left, top, right, bottom].map(Math.round))"
        "(document.getElementById('status').getBoundingClientRect())"
    )
    assert picture[top:bottom, left:right].max() > 180, "the text is hidden"
    floor = picture[SIZE[1] * 2 // 3 :].astype(int)
    lines = np.abs(floor - picture[SIZE[1] // 4, SIZE[0] // 2]).max(axis=2) > 20
    assert 0.02 < lines.mean() < 0.5, "there is no floor"
