"""Rooms, obstacles and cameras: values in range, sizes kept, photos used, looks as chosen."""

import numpy as np
import pytest

from realtime_vibe.training.render.backdrop import (
    CameraLook,
    add_obstacle,
    make_backdrop,
    make_camera_look,
    random_color,
)

PLAIN = CameraLook(gain=np.ones(3, np.float32), gamma=1.0, blur_px=0.3, noise=0.0, jpeg_quality=0)


@pytest.mark.parametrize("size", [(64, 48), (48, 64), (16, 16)])
def test_backdrops_are_pictures_of_the_size_asked_for(size):
    width, height = size
    rng = np.random.default_rng(0)
    pictures = [make_backdrop(width, height, 0.5 * height, (), rng) for _ in range(20)]
    for picture in pictures:
        assert picture.shape == (height, width, 3)
        assert picture.dtype == np.float32
        assert 0 <= picture.min() <= picture.max() <= 1
    means = np.array([picture.mean() for picture in pictures])
    assert means.std() > 0.05


def test_photos_are_used_now_and_then_and_never_stretched_out_of_shape():
    # Green rises to the right, red downwards: both must, at one rate, mirrored or not.
    photo = np.zeros((100, 200, 3), np.uint8)
    photo[..., 1] = np.arange(200)[None]
    photo[..., 2] = 2 * np.arange(100)[:, None]
    photo[..., 0] = 255
    rng = np.random.default_rng(1)
    pictures = [make_backdrop(60, 40, 20, (photo,), rng) for _ in range(30)]
    taken = [each for each in pictures if (each[..., 0] > 0.99).all()]
    assert 5 < len(taken) < 25
    for picture in taken:
        green, red = (np.gradient(picture[..., c], axis=a) for c, a in ((1, 1), (2, 0)))
        assert 2 * np.abs(np.median(green)) == pytest.approx(np.median(red), rel=0.25)


def test_obstacles_cover_the_lower_part_and_are_painted():
    rng = np.random.default_rng(2)
    for _ in range(30):
        image = np.full((60, 80, 3), 2.0, np.float32)
        mask = add_obstacle(image, rng)
        assert mask.shape == (60, 80)
        assert not mask.all()
        np.testing.assert_array_equal((image < 1.5).all(axis=2), mask)
        # It stands on the ground: below covered comes nothing free.
        assert (np.diff(mask.astype(int), axis=0) >= 0).all()


def test_a_plain_camera_delivers_what_it_sees():
    rng = np.random.default_rng(3)
    image = make_backdrop(64, 48, 20, (), rng)
    assert np.abs(PLAIN.apply(image, rng) / 255 - image).mean() < 0.02


def test_looks_change_pictures_as_they_say():
    rng = np.random.default_rng(4)
    image = np.full((40, 40, 3), 0.25, np.float32)
    replaced = {name: getattr(PLAIN, name) for name in CameraLook.__slots__}

    def seen(**changes):
        return CameraLook(**{**replaced, **changes}).apply(image, rng) / 255

    assert seen(gain=np.full(3, 2.0, np.float32)).mean() == pytest.approx(0.5, abs=0.01)
    assert seen(gamma=0.5).mean() == pytest.approx(0.5, abs=0.01)
    assert seen(noise=0.05).std() == pytest.approx(0.05, rel=0.15)
    assert seen(jpeg_quality=60).mean() == pytest.approx(0.25, abs=0.02)


def test_drawn_looks_and_colors_are_usable_and_differ():
    rng = np.random.default_rng(5)
    looks = [make_camera_look(rng) for _ in range(50)]
    assert all(look.gamma > 0 and look.blur_px > 0 and look.noise >= 0 for look in looks)
    assert all(look.jpeg_quality == 0 or 35 <= look.jpeg_quality <= 95 for look in looks)
    assert len({look.jpeg_quality for look in looks}) > 10
    colors = np.array([random_color(rng) for _ in range(300)])
    assert colors.min() >= 0
    assert colors.max() <= 1
    vivid = np.array([random_color(rng, vivid=4.0) for _ in range(300)])
    assert np.ptp(vivid, axis=1).mean() > 1.5 * np.ptp(colors, axis=1).mean()
