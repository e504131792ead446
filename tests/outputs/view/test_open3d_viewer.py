"""Covers the 3D window: what is drawn, steadiness over many updates, errors.

What draws runs in a process of its own: GLFW settles once per process how it draws.
"""

import builtins
import json
import os
import pickle
import subprocess
import sys
import textwrap
from importlib.util import find_spec

import pytest

from realtime_vibe.errors import OutputError
from realtime_vibe.outputs.view import open3d_viewer
from realtime_vibe.outputs.view.open3d_viewer import APT_LINE, Open3dViewer

needs_open3d = pytest.mark.skipif(find_spec("open3d") is None, reason="open3d is not installed")

DRAWING = """
import json, pickle, sys
from pathlib import Path
import numpy as np
from realtime_vibe.outputs.view import open3d_viewer
from realtime_vibe.outputs.view.open3d_viewer import Open3dViewer
from realtime_vibe.outputs.view.screen import WindowArea
from realtime_vibe.system.timing import DrawingPace

area = WindowArea(left=0, top=0, width=320, height=240)
open3d_viewer.window_areas = lambda _: (area, area)
faces, one, moved, two, nobody = pickle.loads(Path(sys.argv[1]).read_bytes())
report = {}

def rss_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6

def picture(viewer, result):
    viewer.show(result)
    return viewer.capture().astype(int)

with Open3dViewer(faces) as viewer:
    empty = picture(viewer, nobody)
    body = picture(viewer, one)
    report["shape"] = body.shape
    report["mean"] = body.mean()
    touched = lambda image: np.abs(image - empty).max(axis=2) > 40
    rows, columns = np.nonzero(touched(body))
    report["body_pixels"] = len(rows)
    report["reach_right"] = int(columns.max()) - 160
    report["reach_left"] = 160 - int(columns.min())
    report["feet_row"] = int(rows.max())
    report["two_pixels"] = int(touched(picture(viewer, two)).sum())
    report["hidden_pixels"] = int(touched(picture(viewer, nobody)).sum())
    viewer.mirror = True
    columns = np.nonzero(touched(picture(viewer, one)))[1]
    report["mirror_reach_left"] = 160 - int(columns.min())
    viewer.mirror = False
    before = picture(viewer, one)
    viewer._scene.visualizer.get_view_control().rotate(200.0, 50.0)
    report["orbit_changes"] = int((viewer.capture() != before).sum())
    viewer.reset_view()
    report["reset_changes"] = int((viewer.capture() != before).sum())

viewer = Open3dViewer(faces)
viewer._pace = DrawingPace(lambda: 0.0)
viewer.open()
for step in range(120):
    if step == 20:
        start_mb = rss_mb()
    viewer.show(moved if step % 2 else one)
    viewer.poll()
    assert viewer.is_open
report["growth_mb"] = rss_mb() - start_mb
viewer.close()
viewer.close()
report["actions_after_close"] = viewer.poll()
print(json.dumps(report))
"""


@pytest.fixture(scope="module")
def report(figure, result_of, screen, tmp_path_factory):
    """What a process that draws into a window says about its pictures."""
    if find_spec("open3d") is None:
        pytest.skip("open3d is not installed")
    scenes = (
        figure.faces,
        result_of(figure, (0, 0, 3)),
        result_of(figure, (0.2, 0, 3.1), at_s=1 / 30),
        result_of(figure, (-0.6, 0, 3), (0.6, 0, 3), at_s=5),
        result_of(figure, at_s=6),
    )
    path = tmp_path_factory.mktemp("open3d") / "scenes.pkl"
    path.write_bytes(pickle.dumps(scenes))
    environment = {**os.environ, "DISPLAY": screen}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(DRAWING), str(path)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_draws_the_body_upright_on_the_grid(report):
    assert report["shape"] == [240, 320, 3]
    assert report["mean"] > 20
    assert report["body_pixels"] > 1500
    assert 120 < report["feet_row"] < 239


def test_left_hand_is_on_the_right_and_in_a_mirror_on_the_left(report):
    assert report["reach_right"] > report["reach_left"] + 10
    assert report["mirror_reach_left"] > report["reach_left"] + 10


def test_people_come_and_go(report):
    assert report["two_pixels"] > 1.5 * report["body_pixels"]
    assert report["hidden_pixels"] < 0.02 * report["body_pixels"]


def test_orbit_and_reset(report):
    assert report["orbit_changes"] > 1000
    assert report["reset_changes"] == 0


def test_memory_stays_flat_over_100_updates(report):
    assert report["growth_mb"] < 5.0


def test_a_closed_viewer_is_harmless(report, figure, result_of):
    assert report["actions_after_close"] == []
    viewer = Open3dViewer(figure.faces)
    viewer.show(result_of(figure, (0, 0, 3)))
    viewer.reset_view()
    assert viewer.poll() == []
    with pytest.raises(OutputError, match="closed"):
        viewer.capture()


def test_no_display_is_one_clear_line(figure, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(OutputError, match="--view none"):
        Open3dViewer(figure.faces).open()


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            ModuleNotFoundError("No module named 'open3d'", name="open3d"),
            r"\[viewer\]",
        ),
        (ImportError("libGL.so.1: cannot open shared object file"), "libGL.so.1.*apt-get install"),
        (OSError("libusb-1.0.so.0: cannot open shared object file"), "libusb.*apt-get install"),
    ],
)
def test_missing_libraries_name_the_remedy(figure, monkeypatch, error, message):
    real_import = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "open3d":
            raise error
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    monkeypatch.delitem(sys.modules, "open3d", raising=False)
    monkeypatch.setattr(open3d_viewer, "require_display", lambda: None)
    with pytest.raises(OutputError, match=message):
        Open3dViewer(figure.faces).open()


@needs_open3d
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux only")
def test_the_apt_line_names_every_library_that_open3d_links_to():
    spec = find_spec("open3d")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    folder = spec.submodule_search_locations[0]
    library = next(
        os.path.join(root, name)  # noqa: PTH118 - a walk gives strings
        for root, _, names in os.walk(folder)
        for name in names
        if name.startswith(("libOpen3D.so", "pybind.cpython"))
    )
    linked = subprocess.run(["ldd", library], capture_output=True, text=True, check=True).stdout
    packages = {
        "libGL.so": "libgl1",
        "libEGL.so": "libegl1",
        "libX11.so": "libx11-6",
        "libusb-1.0.so": "libusb-1.0-0",
        "libgomp.so": "libgomp1",
    }
    for prefix, package in packages.items():
        if f"\t{prefix}" in linked:
            assert package in APT_LINE
