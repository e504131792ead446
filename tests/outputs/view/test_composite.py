"""Covers the side-by-side picture, the mesh's own view and the steady floor under it."""

import cv2
import numpy as np
import pytest

from realtime_vibe.errors import OutputError
from realtime_vibe.outputs.ground import GroundLevel, SteadyPoint
from realtime_vibe.outputs.view.composite import CompositeRenderer, save_image
from realtime_vibe.outputs.view.scene import SceneRenderer

IMAGE = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)


def test_size_is_even(figure, result_of, subtests):
    for size in [(640, 480), (641, 479), (64, 48), (1, 1), (1080, 1920), (3840, 2160), (333, 97)]:
        with subtests.test(size=size):
            composite = CompositeRenderer(figure.faces, max_height=720)
            height, width, _ = composite.draw(result_of(figure, (0, 0, 3), size=size)).shape
            assert (width % 2, height % 2) == (0, 0)
            assert height <= 720


def test_left_half_is_the_overlay_and_right_half_the_body(figure, result_of):
    composite = CompositeRenderer(figure.faces)
    somebody = composite.draw(result_of(figure, (0, 0, 3)))
    nobody = CompositeRenderer(figure.faces).draw(result_of(figure))
    differs = (somebody.astype(int) != nobody).any(axis=2)
    assert differs[:, :640].sum() > 5000
    assert differs[:, 640:].sum() > 5000
    np.testing.assert_array_equal(nobody[:, :630], result_of(figure).frame.image_bgr[:, :630])


def test_mirror_flips_both_halves(figure, result_of):
    result = result_of(figure, (0, 0, 3))
    plain = CompositeRenderer(figure.faces).draw(result)
    flipped = CompositeRenderer(figure.faces, mirror=True).draw(result)
    np.testing.assert_array_equal(flipped[:, 2:630], plain[:, :640][:, ::-1][:, 2:630])
    np.testing.assert_array_equal(flipped[:, 642:-2], plain[:, 640:][:, ::-1][:, 2:-2])


def test_the_body_stays_in_the_scene_wherever_it_walks(figure, result_of):
    scene = SceneRenderer(figure.faces)
    for step in range(60):
        at = (0.05 * step, 0.0, 3.0 + 0.05 * step)
        image = scene.draw(result_of(figure, at, at_s=step / 30), width=480, height=480)
    blue = image[..., 0].astype(int) - image[..., 2] > 40
    rows, columns = np.nonzero(blue)
    assert blue.sum() > 4000
    assert rows.min() > 5
    assert rows.max() < 475
    assert columns.min() > 5
    assert columns.max() < 475


def test_feet_do_not_sink_and_jumps_show():
    ground = GroundLevel()
    assert not ground.is_known
    assert ground.update(1.0, 0.0) == 1.0
    for frame in range(1, 100):  # a young floor follows its person
        ground.update(1.0, frame / 30)
    for frame in range(100, 115):  # 0.3 m high
        time_s = (frame - 99) / 30
        ground.update(1.0 - max(2.45 * time_s - 0.5 * 9.81 * time_s**2, 0.0), frame / 30)
    assert ground.level_m > 0.9
    for frame in range(115, 130):
        ground.update(1.2, frame / 30)
    assert ground.level_m == pytest.approx(1.2, abs=0.01)


def test_floor_starts_afresh_after_a_gap_or_when_time_runs_back():
    ground = GroundLevel()
    ground.update(1.0, 10.0)
    assert ground.update(0.2, 12.0) == pytest.approx(0.2)
    assert ground.update(0.7, 3.0) == pytest.approx(0.7)
    assert ground.update(float("nan"), 3.1) == pytest.approx(0.7)


def test_steady_point_follows_and_settles():
    point = SteadyPoint()
    point.update(np.zeros(2), 0.0)
    values = [point.update(np.ones(2), k / 30) for k in range(1, 120)]
    assert np.all(np.diff([value[0] for value in values]) >= 0)
    np.testing.assert_allclose(values[-1], 1.0, atol=0.01)


def test_the_view_keeps_up_with_a_walk():
    aim = SteadyPoint()
    seen = [aim.update(np.array([1.5 * k / 30, 5.0]), k / 30) for k in range(60)]
    assert 1.5 * 59 / 30 - seen[-1][0] < 0.35


def test_the_view_cuts_to_a_target_that_leaps():
    aim = SteadyPoint()
    aim.update(np.array([0.0, 5.0, 0.0]), 0.0)
    near = aim.update(np.array([0.5, 5.0, 0.0]), 0.03)
    assert 0 < near[0] < 0.1
    np.testing.assert_allclose(aim.update(np.array([0.0, 25.0, 0.0]), 0.06), [0.0, 25.0, 0.0])


def test_round_trip_and_replacement(tmp_path):
    path = tmp_path / "Ünïcode picture.PNG"
    save_image(path, np.zeros_like(IMAGE))
    save_image(path, IMAGE, overwrite=True)
    np.testing.assert_array_equal(
        cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR), IMAGE
    )
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_picture_that_cannot_be_written_is_one_clear_line(tmp_path):
    with pytest.raises(OutputError, match="cannot write"):
        save_image(tmp_path / "missing" / "picture.png", IMAGE)
