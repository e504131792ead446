"""What is a cut: another scene; not light, noise, a step aside or somebody who runs past."""

import cv2
import numpy as np

from realtime_vibe.tracking.scene_cut import SceneCuts


def _scene(seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (320, 240), interpolation=cv2.INTER_CUBIC), np.uint8)


def _cuts(*images: np.ndarray) -> list[bool]:
    cuts = SceneCuts()
    return [cuts.is_cut(image) for image in images]


def test_another_scene_is_a_cut_once() -> None:
    assert _cuts(_scene(0), _scene(0), _scene(1), _scene(1)) == [False, False, True, False]


def test_light_noise_and_small_steps_are_none() -> None:
    scene = _scene(0)
    noise = np.random.default_rng(2).integers(0, 40, scene.shape)
    noisy = np.clip(scene.astype(int) + noise, 0, 255).astype(np.uint8)
    shifted = np.roll(scene, 12, axis=1)
    assert not any(_cuts(scene, (scene * 0.4).astype(np.uint8), noisy, shifted))


def test_who_runs_past_a_plain_wall_is_none() -> None:
    pictures = [np.full((240, 320, 3), 90, np.uint8) for _ in range(3)]
    for picture, left in zip(pictures, (20, 140, 260), strict=True):
        picture[40:230, left : left + 40] = 200
    assert not any(_cuts(*pictures))


def test_a_covered_lens_tells_nothing() -> None:
    black = np.zeros((240, 320, 3), np.uint8)
    assert _cuts(_scene(0), black, _scene(0), black, _scene(1)) == [False] * 4 + [True]
