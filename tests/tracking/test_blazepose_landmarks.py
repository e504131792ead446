"""Decoding of the landmark network: region to image, region axes to camera axes, heat maps."""

import math
from pathlib import Path

import numpy as np
import pytest

from realtime_vibe.backends.factory import open_session
from realtime_vibe.geometry.crop import RotatedSquare
from realtime_vibe.sources.video_file import demo_clip_path
from realtime_vibe.tracking.blazepose_landmarks import (
    BlazePoseLandmarks,
    decode,
    refine,
    window_places,
)

ENGINE = Path(__file__).resolve().parents[2] / "engines" / "blazepose"


def _region(roll_rad: float) -> RotatedSquare:
    return RotatedSquare(center_x_px=300, center_y_px=200, side_px=512, roll_rad=roll_rad)


def _raw() -> np.ndarray:
    raw = np.random.default_rng(1).uniform(60, 200, (39, 5)).astype(np.float32)
    raw[:, 3] = np.linspace(-80, 80, 39)
    raw[33, :2], raw[34, :2] = (128, 128), (128, 28)
    return raw


def test_an_upright_region_scales_and_shifts() -> None:
    raw = _raw()
    world = np.random.default_rng(2).normal(size=(39, 3)).astype(np.float32)
    pose = decode(raw, world, 0.8, _region(0.0))
    np.testing.assert_allclose(
        pose.landmarks.image_px[:, :2], raw[:33, :2] * 2 + [300 - 256, 200 - 256], atol=1e-3
    )
    np.testing.assert_allclose(pose.landmarks.image_px[:, 2], raw[:33, 2] * 2, rtol=1e-5)
    np.testing.assert_allclose(pose.landmarks.world_m, world[:33])
    assert pose.landmarks.presence == 0.8
    visibility = pose.landmarks.visibility
    assert visibility.min() < 1e-6
    assert np.all(np.diff(visibility) >= 0)


@pytest.mark.parametrize("roll_rad", [0.3, -2.0, math.pi / 2])
def test_world_landmarks_turn_with_the_region(roll_rad: float) -> None:
    world = np.zeros((39, 3), np.float32)
    world[0] = [0.0, -0.5, 0.2]  # above the hips in the region's axes
    pose = decode(_raw(), world, 1.0, _region(roll_rad))
    expected = [0.5 * math.sin(roll_rad), -0.5 * math.cos(roll_rad), 0.2]
    np.testing.assert_allclose(pose.landmarks.world_m[0], expected, atol=1e-6)


def test_the_next_region_follows_the_auxiliary_points() -> None:
    pose = decode(_raw(), np.zeros((39, 3), np.float32), 1.0, _region(0.7))
    assert pose.next_region.roll_rad == pytest.approx(0.7, abs=1e-5)
    assert pose.next_region.side_px == pytest.approx(2.5 * 200, rel=1e-5)
    assert pose.next_region.center_x_px == pytest.approx(300, abs=1e-3)


def test_cold_heat_changes_nothing() -> None:
    raw = _raw()
    np.testing.assert_array_equal(refine(raw, np.full((39, 49), -9.0, np.float32)), raw)


def test_a_hot_cell_attracts_its_point_and_no_other() -> None:
    raw = _raw()
    raw[:2, :2] = 101.0  # cell (25, 25)
    heat = np.full((39, 49), -40.0, np.float32)
    heat[0].reshape(7, 7)[2, 5] = 40.0  # one row up, two columns right of the middle
    refined = refine(raw, heat)
    np.testing.assert_allclose(refined[0, :2], [27 * 4, 24 * 4], atol=1e-3)
    np.testing.assert_array_equal(refined[1:], raw[1:])
    np.testing.assert_array_equal(raw[0, :2], 101.0)


def test_points_outside_the_input_are_left_alone() -> None:
    raw = _raw()
    raw[0, :2], raw[1, :2] = (-20.0, 300.0), (1e9, -1e9)
    refined = refine(raw, np.full((39, 49), 9.0, np.float32))
    np.testing.assert_array_equal(refined[:2], raw[:2])


def test_a_window_at_the_border_is_moved_inside() -> None:
    raw = _raw()
    raw[0, :2] = 1.0
    refined = refine(raw, np.full((39, 49), 9.0, np.float32))
    np.testing.assert_allclose(refined[0, :2], 3 * 4, atol=1e-4)  # cells 0..6
    np.testing.assert_array_equal(refined[33:], raw[33:])  # what places the next region


def test_window_places_run_over_rows_of_one_map_per_point() -> None:
    middles = np.random.default_rng(0).integers(3, 61, (39, 2))
    maps = np.arange(39 * 64 * 64).reshape(39, 64, 64)
    expected = [
        maps[index, y - 3 : y + 4, x - 3 : x + 4].reshape(-1)
        for index, (x, y) in enumerate(middles.tolist())
    ]
    np.testing.assert_array_equal(maps.reshape(-1)[window_places(middles)], expected)


def test_lite_sees_the_same_person_as_full() -> None:
    pytest.importorskip("onnxruntime")
    from benchmarks.clips import read_clip

    image = read_clip(demo_clip_path(), 1).images[0]
    height, width = image.shape[:2]
    region = RotatedSquare(
        center_x_px=width / 2, center_y_px=height / 2, side_px=height, roll_rad=0.0
    )
    poses = []
    for folder in (ENGINE, ENGINE.with_name("blazepose-lite")):
        network = BlazePoseLandmarks(open_session(folder / "landmarks.onnx"))
        poses.append(network.estimate(image, region).landmarks)
        network.close()
    full, lite = poses
    assert min(full.presence, lite.presence) > 0.9
    apart_px = np.linalg.norm(lite.image_px[:, :2] - full.image_px[:, :2], axis=1)
    assert np.median(apart_px) < 0.03 * height
    assert np.median(np.linalg.norm(lite.world_m - full.world_m, axis=1)) < 0.1


def test_the_graph_decides_whether_points_are_refined(shared_data: Path) -> None:
    pytest.importorskip("onnxruntime")
    from benchmarks.clips import read_clip

    clip = read_clip(shared_data / "real3d" / "pose2sim_cam3" / "video.mp4", 1)
    height, width = clip.images[0].shape[:2]
    region = RotatedSquare(
        center_x_px=width / 2, center_y_px=height / 2, side_px=height, roll_rad=0.0
    )
    poses = []
    for name in ("landmarks", "landmarks_heat"):
        network = BlazePoseLandmarks(open_session(ENGINE / f"{name}.onnx"))
        poses.append(network.estimate(clip.images[0], region).landmarks)
        network.close()
    plain, refined = poses
    assert plain.presence > 0.9
    assert refined.presence == pytest.approx(plain.presence, abs=1e-4)
    np.testing.assert_allclose(refined.world_m, plain.world_m, atol=1e-3)
    np.testing.assert_allclose(refined.image_px[:, 2], plain.image_px[:, 2], atol=0.1)
    moved_px = np.linalg.norm(refined.image_px - plain.image_px, axis=1)
    assert 0.2 < np.median(moved_px) < 0.03 * height
