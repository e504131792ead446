"""Covers the overlay: where the mesh lands, mirroring, sizes, what is drawn and what is left alone."""

from dataclasses import replace

import numpy as np

from realtime_vibe.outputs.view.overlay import OverlayRenderer, resized_to_height


def changed(before, after):
    return (before.astype(int) != after).any(axis=2)


def test_left_hand_of_a_person_facing_the_camera_is_on_the_images_right(figure, result_of):
    result = result_of(figure, (0, 0, 3))
    touched = changed(result.frame.image_bgr, OverlayRenderer(figure.faces).draw(result))
    columns = np.nonzero(touched)[1]
    assert columns.max() - 320 > 320 - columns.min() + 40


def test_mirror_flips_the_finished_picture(figure, result_of):
    result, renderer = result_of(figure, (0.3, 0, 3)), OverlayRenderer(figure.faces)
    np.testing.assert_array_equal(
        renderer.draw(result, mirror=True), renderer.draw(result)[:, ::-1]
    )


def test_nobody_in_view_leaves_the_frame_as_it_is(figure, result_of):
    result = result_of(figure)
    picture = OverlayRenderer(figure.faces).draw(result)
    np.testing.assert_array_equal(picture, result.frame.image_bgr)
    assert picture is not result.frame.image_bgr


def test_the_frame_itself_is_never_changed(figure, result_of):
    result = result_of(figure, (0, 0, 3))
    before = result.frame.image_bgr.copy()
    OverlayRenderer(figure.faces, skeleton=True).draw(result)
    np.testing.assert_array_equal(result.frame.image_bgr, before)


def test_a_resized_overlay_covers_the_same_part_of_the_picture(figure, result_of):
    result, renderer = result_of(figure, (0.2, 0.1, 3)), OverlayRenderer(figure.faces)
    full, half = renderer.draw(result), renderer.draw(result, height=240)
    assert half.shape == (240, 320, 3)
    touched = changed(result.frame.image_bgr, full)[::2, ::2]
    small = changed(resized_to_height(result.frame.image_bgr, 240), half)
    assert (touched & small).sum() / (touched | small).sum() > 0.9


def test_the_skeleton_is_drawn_over_the_mesh(figure, result_of):
    result = result_of(figure, (0, 0, 3))
    mesh, both = (
        OverlayRenderer(figure.faces, skeleton=skeleton).draw(result) for skeleton in (False, True)
    )
    assert changed(mesh, both).sum() > 200


def test_the_nearer_person_is_drawn_last(figure, result_of):
    renderer = OverlayRenderer(figure.faces)
    result = result_of(figure, (0, 0, 2.5), (0.05, 0, 4))
    other_order = replace(result, people=result.people[::-1])
    picture = renderer.draw(result)
    np.testing.assert_array_equal(picture, renderer.draw(other_order))
    near, far = (replace(result, people=(person,)) for person in result.people)
    far_first = renderer.draw(
        replace(near, frame=replace(near.frame, image_bgr=renderer.draw(far)))
    )
    np.testing.assert_array_equal(picture, far_first)


def test_any_size_of_frame(figure, result_of, subtests):
    for size in [(64, 48), (1, 1), (333, 641), (3840, 2160)]:
        with subtests.test(size=size):
            result = result_of(figure, (0, 0, 3), size=size)
            picture = OverlayRenderer(figure.faces, skeleton=True).draw(result)
            assert picture.shape == (size[1], size[0], 3)
