"""Covers what a calibration is made of: heights, the world of a standing person, files, refusals."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_vibe.errors import ConfigError, OutputError, ShapeError
from realtime_vibe.geometry.rotation import rotmat_from_axis_angle
from realtime_vibe.world.calibration import BodyHeight, Calibration, world_from_standing
from realtime_vibe.world.calibration_file import (
    calibration_folder,
    calibration_path,
    load_calibration,
    save_calibration,
)


def _calibration(**changes):
    facts = {
        "T_world_camera": np.eye(4, dtype=np.float32),
        "betas": np.linspace(-1, 1, 10).astype(np.float32),
        "scale": 1.1,
        "shift": np.zeros(2, np.float32),
        "focal_share": 0.9,
        "height_m": 1.75,
    }
    return Calibration(**{**facts, **changes})


def test_the_fitted_shape_is_as_tall_as_wanted_and_otherwise_the_same(model, body, subtests):
    for height_m in [1.2, 1.55, 1.75, 2.1]:
        with subtests.test(height_m=height_m):
            betas = np.array([0.3, -1.0, 0.5, 0, 1.2, 0, 0, -0.7, 0, 0], np.float32)
            height = BodyHeight(model)
            fitted = height.fitted(betas, height_m)
            mesh = body.forward(
                np.eye(3, dtype=np.float32),
                np.tile(np.eye(3, dtype=np.float32), (23, 1, 1)),
                fitted,
                np.zeros(3, np.float32),
            )
            assert np.ptp(mesh.vertices[:, 1]) == pytest.approx(height_m, abs=2e-3)
            assert np.abs(fitted - betas)[1:].max() < 0.6


@pytest.mark.parametrize("height_m", [0.4, 3.0])
def test_a_height_no_body_can_have_is_refused(model, height_m):
    with pytest.raises(ConfigError, match="can be from"):
        BodyHeight(model).fitted(np.zeros(10, np.float32), height_m)


@settings(deadline=None, max_examples=30)
@given(pitch=st.floats(-0.6, 0.6), roll=st.floats(-0.3, 0.3), x=st.floats(-2, 2), y=st.floats(1, 6))
def test_the_world_of_a_standing_person(pitch, roll, x, y):
    """A camera put anywhere finds the floor at 0, up along z and the person over the origin."""
    turn = rotmat_from_axis_angle(np.array([pitch, 0, roll]))
    up = turn @ [0.0, -1.0, 0.0]
    soles = np.array([[x - 0.1, 1.0, y], [x + 0.1, 1.0, y], [x, 1.0, y + 0.1]]) @ turn.T
    pelvis = turn @ [x, 0.1, y]
    T = world_from_standing(up, pelvis, soles)
    placed = T[:3, :3] @ pelvis + T[:3, 3]
    np.testing.assert_allclose(placed, [0, 0, 0.9], atol=1e-4)
    np.testing.assert_allclose(soles @ T[2, :3] + T[2, 3], 0, atol=1e-4)
    np.testing.assert_allclose(T[:3, :3] @ T[:3, :3].T, np.eye(3), atol=1e-5)
    assert np.linalg.det(T[:3, :3]) == pytest.approx(1, abs=1e-5)
    assert T[1, 2] > 0  # y leads away from the camera


def test_a_level_camera_gives_the_world_of_uncalibrated_recordings():
    T = world_from_standing(np.array([0, -1.0, 0]), np.array([0, 0, 3.0]), np.zeros((2, 3)))
    np.testing.assert_allclose(T[:3, :3], [[1, 0, 0], [0, 0, 1], [0, -1, 0]], atol=1e-6)


def test_applying_it_keeps_the_size_in_the_picture(stage):
    params = stage.params(np.eye(3), [0.2, 0.1, 3.0])
    applied = _calibration(scale=1.2).applied(params)
    s, tx, ty = params.weak_camera
    point = np.array([0.3, -0.4])
    np.testing.assert_allclose(
        applied.weak_camera[0] * (1.2 * point + applied.weak_camera[1:]),
        s * (point + np.array([tx, ty])),
        rtol=1e-5,
    )


def test_a_file_keeps_everything(tmp_path):
    path = tmp_path / "deep" / "camera.json"
    before = _calibration()
    save_calibration(path, before)
    after = load_calibration(path)
    np.testing.assert_array_equal(after.betas, before.betas)
    np.testing.assert_array_equal(after.T_world_camera, before.T_world_camera)
    assert (after.scale, after.focal_share, after.height_m) == (1.1, 0.9, 1.75)
    assert [file.name for file in path.parent.iterdir()] == ["camera.json"]
    assert load_calibration(tmp_path / "none.json") is None


def test_a_damaged_file_says_what_to_do(tmp_path, subtests):
    for text in ["", "[]", "{}", '{"format": "realtime-vibe calibration", "version": 99}']:
        with subtests.test(text=text):
            path = tmp_path / "camera.json"
            path.write_text(text)
            with pytest.raises(OutputError, match="delete it"):
                load_calibration(path)


def test_a_file_of_what_no_camera_or_person_has_is_refused(tmp_path, subtests):
    path = tmp_path / "camera.json"
    save_calibration(path, _calibration())
    document = json.loads(path.read_text())
    for name, value in [
        ("betas", [1, 2]),
        ("betas", [1e38] * 10),
        ("shift", [float("nan"), 0]),
        ("T_world_camera", np.zeros((4, 4)).tolist()),
        ("T_world_camera", np.diag([-1, 1, 1, 1]).tolist()),
        ("T_world_camera", np.diag([1, 1, 1, 2]).tolist()),
        ("scale", 0),
        ("scale", 1e-300),
        ("focal_share", 0),
        ("height_m", float("nan")),
    ]:
        with subtests.test(name=name, value=value):
            path.write_text(json.dumps({**document, name: value}))
            with pytest.raises(OutputError, match="delete it"):
                load_calibration(path)
    with pytest.raises(ShapeError):
        _calibration(betas=np.full(10, np.nan, np.float32))


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="holds for this run"):
        save_calibration(tmp_path / "file" / "c.json", _calibration())
    (tmp_path / "c.json").mkdir()
    with pytest.raises(OutputError, match=r"c\.json"):
        save_calibration(tmp_path / "c.json", _calibration())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.json", "file"]


def test_every_camera_and_size_has_its_own_file(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("APPDATA", str(tmp_path))
    names = {
        calibration_path(camera, size, "engine").name
        for camera in ("BRIO /4K\\..", "other")
        for size in ((640, 480), (1280, 720))
    }
    assert len(names) == 4
    assert not any("/" in name or "\\" in name for name in names)
    assert calibration_folder().name == "calibration"
