"""6D rotations in torch agree with the NumPy ones."""

import numpy as np
import torch

from realtime_vibe.geometry import rotation
from realtime_vibe.models import rotation6d


def test_torch_agrees_with_numpy():
    rot6d = np.random.default_rng(0).standard_normal((50, 24, 6))
    torch_matrix = rotation6d.rotmat_from_rot6d(torch.from_numpy(rot6d)).numpy()
    np.testing.assert_allclose(torch_matrix, rotation.rotmat_from_rot6d(rot6d), atol=1e-9)


def test_round_trip():
    rot6d = torch.randn(30, 6, dtype=torch.float64)
    matrix = rotation6d.rotmat_from_rot6d(rot6d)
    again = rotation6d.rotmat_from_rot6d(rotation6d.rot6d_from_rotmat(matrix))
    torch.testing.assert_close(again, matrix)
