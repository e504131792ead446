"""Covers what is behind the bodies: names, one colour to key out, nothing at all."""

import cv2
import numpy as np
import pytest

from realtime_vibe.app.settings import LiveConfig
from realtime_vibe.errors import ConfigError
from realtime_vibe.outputs.view.background import parse_background
from realtime_vibe.outputs.view.composite import CompositeRenderer, save_image


def test_names_and_numbers(subtests):
    for text, color in [
        ("default", None),
        ("transparent", None),
        ("Green", (0, 255, 0)),
        ("black", (0, 0, 0)),
        ("#0a10Ff", (255, 16, 10)),
    ]:
        with subtests.test(color=color, text=text):
            assert parse_background(text).color == color
            assert parse_background(text).is_transparent == (text == "transparent")


def test_anything_else_is_refused(subtests):
    for text in ["", "red", "#fff", "00ff00", "#00ff0g", "#00ff00ff"]:
        with subtests.test(text=text):
            with pytest.raises(ConfigError, match="#rrggbb"):
                parse_background(text)
            with pytest.raises(ConfigError, match=r"background: .*expected default.*#rrggbb"):
                LiveConfig(background=text)


def test_transparent_is_for_snapshots(tmp_path):
    with pytest.raises(ConfigError, match="snapshot"):
        LiveConfig(background="transparent")
    assert LiveConfig(background="transparent", snapshot=tmp_path / "x.png")


def test_one_colour_has_neither_floor_nor_shadow_nor_text(figure, result_of):
    background = parse_background("#20c060")
    for result in (result_of(figure), result_of(figure, (0, 0, 3))):
        mesh_half = CompositeRenderer(figure.faces, background=background).draw(result)[:, 641:]
        is_plain = (mesh_half == (0x60, 0xC0, 0x20)).all(axis=2)
        rows = np.nonzero(~is_plain)[0]
        assert is_plain[[0, -1]].all()
        assert is_plain[:, [0, -1]].all()
        assert is_plain.mean() > 0.8
        assert (len(rows) > 1000) == bool(result.people)


def test_a_cutout_laid_over_a_colour_is_the_picture_drawn_on_it(figure, result_of, tmp_path):
    result = result_of(figure, (-0.4, 0, 3), (0.5, 0, 3.2))
    save_image(tmp_path / "x.png", CompositeRenderer(figure.faces).draw_cutout(result))
    cutout = cv2.imread(str(tmp_path / "x.png"), cv2.IMREAD_UNCHANGED)
    assert cutout.shape == (480, 480, 4)
    opacity = cutout[..., 3:] / 255.0
    assert (opacity[0] == 0).all()
    assert 0.03 < (opacity == 1).mean() < 0.5
    green = np.array((0, 255, 0))
    laid = cutout[..., :3] * opacity + green * (1 - opacity)
    drawn = CompositeRenderer(figure.faces, background=parse_background("green")).draw(result)
    assert np.abs(laid - drawn[:, 640:])[:, 1:].max() < 4


def test_a_mirrored_cutout_is_flipped(figure, result_of):
    result = result_of(figure, (0, 0, 3))
    plain, mirrored = (
        CompositeRenderer(figure.faces, mirror=mirror).draw_cutout(result)
        for mirror in (False, True)
    )
    np.testing.assert_array_equal(mirrored, plain[:, ::-1])
