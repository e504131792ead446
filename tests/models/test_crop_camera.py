"""The crop's camera in torch: what placing the body and projecting it in NumPy gives."""

import numpy as np
import torch

from realtime_vibe.geometry.camera import SquareBox, project, transl_from_weak_camera
from realtime_vibe.models.crop_camera import crop_points

SIZE, FOCAL_PX = (640, 480), 800.0


def test_a_point_lands_where_the_placed_body_is_projected():
    rng = np.random.default_rng(0)
    points = rng.normal(0, 0.5, (33, 3)).astype(np.float32)
    weak_camera = np.array([0.8, 0.1, -0.2], np.float32)
    square = SquareBox(350.0, 200.0, 300.0)
    transl = transl_from_weak_camera(weak_camera, square, SIZE, FOCAL_PX)
    place = np.array([square.center_x, square.center_y])
    expected = (project(points + transl, SIZE, FOCAL_PX) - place) / (0.5 * square.side)
    center = torch.from_numpy((place - 0.5 * np.array(SIZE)) / FOCAL_PX).float()
    half_side = torch.tensor([0.5 * square.side / FOCAL_PX])
    found = crop_points(
        torch.from_numpy(points), torch.from_numpy(weak_camera), center[None], half_side
    )
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-4)
