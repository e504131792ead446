"""Rotations: every representation round-trips, also at the singular angles 0 and pi."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from realtime_vibe.geometry import rotation

vectors = arrays(np.float64, (3,), elements=st.floats(-3.0, 3.0))


def _is_rotation(matrix: np.ndarray) -> bool:
    orthonormal = np.allclose(matrix @ np.swapaxes(matrix, -1, -2), np.eye(3), atol=1e-6)
    return orthonormal and np.allclose(np.linalg.det(matrix), 1.0, atol=1e-6)


@given(vectors)
def test_axis_angle_gives_rotations_that_turn_about_the_axis(axis_angle):
    matrix = rotation.rotmat_from_axis_angle(axis_angle)
    assert _is_rotation(matrix)
    np.testing.assert_allclose(matrix @ axis_angle, axis_angle, atol=1e-9)


@given(vectors)
def test_matrix_survives_axis_angle_and_6d(axis_angle):
    matrix = rotation.rotmat_from_axis_angle(axis_angle)
    again = rotation.rotmat_from_axis_angle(rotation.axis_angle_from_rotmat(matrix))
    np.testing.assert_allclose(again, matrix, atol=1e-7)
    from_6d = rotation.rotmat_from_rot6d(rotation.rot6d_from_rotmat(matrix))
    np.testing.assert_allclose(from_6d, matrix, atol=1e-7)


def test_singular_angles():
    axes = np.array([(1, 0, 0), (0, 1, 0), (0, 0, 1), (0.6, -0.8, 0), (0.48, 0.6, 0.64)])
    for angle in [0.0, 1e-9, 1e-4, np.pi - 1e-4, np.pi - 1e-9, np.pi]:
        matrices = rotation.rotmat_from_axis_angle(axes * angle)
        recovered = rotation.axis_angle_from_rotmat(matrices)
        np.testing.assert_allclose(np.linalg.norm(recovered, axis=1), angle, atol=1e-7)
        again = rotation.rotmat_from_axis_angle(recovered)
        np.testing.assert_allclose(again, matrices, atol=1e-7, err_msg=str(angle))


@given(arrays(np.float32, (5, 6), elements=st.floats(-2, 2, width=32)))
def test_any_generic_6d_becomes_a_rotation(rot6d):
    columns = rot6d.reshape(5, 3, 2)
    first, second = columns[..., 0], columns[..., 1]
    lengths = np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1)
    # Nearly parallel columns leave float32 too few digits for the direction between them.
    generic = np.linalg.norm(np.cross(first, second), axis=-1) > 0.1 * np.maximum(lengths, 0.1)
    for matrix in rotation.rotmat_from_rot6d(rot6d)[generic]:
        assert _is_rotation(matrix)


def test_what_a_network_in_bfloat16_rounds_is_roughly_a_rotation():
    matrices = rotation.rotmat_from_axis_angle(np.random.default_rng(2).normal(0, 2, (500, 3)))
    bits = matrices.astype(np.float32).view(np.uint32) & np.uint32(0xFFFF0000)
    rounded = bits.view(np.float32)
    assert not rotation.are_rotations(rounded).all()
    assert rotation.are_rotations(rounded, rotation.ROUGHLY).all()
    assert not rotation.are_rotations(
        np.stack([np.zeros((3, 3)), np.diag([1.0, 1, -1])]), rotation.ROUGHLY
    ).any()


def test_6d_holds_the_first_two_columns_row_by_row():
    matrix = rotation.rotmat_from_axis_angle(np.array([0.3, -0.2, 0.9]))
    expected = [matrix[0, 0], matrix[0, 1], matrix[1, 0], matrix[1, 1], matrix[2, 0], matrix[2, 1]]
    np.testing.assert_array_equal(rotation.rot6d_from_rotmat(matrix), expected)


def test_quaternion_of_a_quarter_turn():
    quarter = rotation.rotmat_from_axis_angle(np.array([0.0, 0.0, np.pi / 2]))
    half = np.sqrt(0.5)
    np.testing.assert_allclose(
        rotation.quat_wxyz_from_rotmat(quarter), [half, 0, 0, half], atol=1e-12
    )
