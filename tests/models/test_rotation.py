"""Rotations in torch agree with the NumPy ones, also at no rotation and at half a turn."""

import numpy as np
import torch

from realtime_vibe.geometry import rotation as numpy_rotation
from realtime_vibe.models import rotation


def _turns(*angles):
    """Rotations by each angle about 200 random axes, float64 (A * 200, 3, 3)."""
    axes = np.random.default_rng(2).standard_normal((200, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    vectors = np.concatenate([angle * axes for angle in angles])
    return torch.from_numpy(numpy_rotation.rotmat_from_axis_angle(vectors))


def test_6d_agrees_with_numpy():
    rot6d = np.random.default_rng(0).standard_normal((50, 24, 6))
    torch_matrix = rotation.rotmat_from_rot6d(torch.from_numpy(rot6d)).numpy()
    np.testing.assert_allclose(torch_matrix, numpy_rotation.rotmat_from_rot6d(rot6d), atol=1e-9)


def test_6d_round_trip():
    rot6d = torch.randn(30, 6, dtype=torch.float64)
    matrix = rotation.rotmat_from_rot6d(rot6d)
    again = rotation.rotmat_from_rot6d(rotation.rot6d_from_rotmat(matrix))
    torch.testing.assert_close(again, matrix)


def test_axis_angle_agrees_with_numpy():
    matrix = _turns(1e-3, 0.5, 1.5, 2.5, 3.1)
    expected = numpy_rotation.axis_angle_from_rotmat(matrix.numpy())
    np.testing.assert_allclose(rotation.axis_angle_from_rotmat(matrix), expected, atol=1e-7)


def test_axis_angle_round_trip_at_the_singular_angles(subtests):
    for angle in [0.0, 1e-9, 1e-4, np.pi - 1e-4, np.pi - 1e-9, np.pi]:
        with subtests.test(angle=angle):
            matrix = _turns(angle)
            vectors = rotation.axis_angle_from_rotmat(matrix)
            torch.testing.assert_close(
                vectors.norm(dim=-1), torch.full((200,), angle).double(), atol=1e-7, rtol=0
            )
            again = torch.from_numpy(numpy_rotation.rotmat_from_axis_angle(vectors.numpy()))
            torch.testing.assert_close(again, matrix, atol=1e-7, rtol=0)


def test_axis_angle_in_single_precision(subtests):
    for angle in [0.0, 3e-7, 1e-3, 3.0, np.pi]:
        with subtests.test(angle=angle):
            matrix = _turns(angle).float()
            vectors = rotation.axis_angle_from_rotmat(matrix).numpy()
            again = numpy_rotation.rotmat_from_axis_angle(vectors)
            np.testing.assert_allclose(again, matrix.numpy(), atol=1e-5)


def test_axis_angle_has_a_finite_gradient_at_no_rotation_and_half_a_turn(subtests):
    for diagonal in [(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)]:
        with subtests.test(diagonal=diagonal):
            rotmat = torch.diag(torch.tensor(diagonal, dtype=torch.float32)).requires_grad_()
            rotation.axis_angle_from_rotmat(rotmat).square().sum().backward()
            assert torch.isfinite(rotmat.grad).all()


def test_the_gradient_of_axis_angle_is_right():
    matrix = _turns(0.4, 2.9)[::40].requires_grad_()
    assert torch.autograd.gradcheck(rotation.axis_angle_from_rotmat, (matrix,))
