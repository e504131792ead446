"""Rotations as 6D, matrices and axis-angle; pure NumPy, any leading batch shape.

A 6D rotation is the first two columns of its matrix, stored row by row: `x.reshape(3, 2)` (Zhou et
al. 2019; the order VIBE's checkpoints use, different from libraries that store rows).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatingArray = NDArray[Any]
"""float32 or float64; results have the dtype of the input."""

_EPS = 1e-8
_LOCKED = 1e-5
"""Below this cosine of the middle one, single precision does not tell the other Euler angles."""
_OFF = 1e-3
"""How far a matrix that was rounded may be from a rotation."""
ROUGHLY = 0.05
"""The same of one that a network computed in bfloat16: eight bits of each number."""


def are_rotations(matrices: FloatingArray, off: float = _OFF) -> NDArray[np.bool_]:
    """(...,) whether each of (..., 3, 3) neither scales, nor bends, nor mirrors, by more than `off`; NaN does."""
    with np.errstate(all="ignore"):
        return np.asarray(are_orthonormal(matrices, off) & (np.linalg.det(matrices) > 0))


def are_orthonormal(vectors: FloatingArray, off: float = _OFF) -> NDArray[np.bool_]:
    """(...,) whether each set of vectors (..., K, 3) has unit lengths and right angles; NaN has not."""
    with np.errstate(all="ignore"):
        products = vectors @ np.swapaxes(vectors, -1, -2)
        errors = np.abs(products - np.eye(vectors.shape[-2], dtype=products.dtype))
    return np.asarray((errors < off).all(axis=(-2, -1)))


def rotmat_from_rot6d(rot6d: FloatingArray) -> FloatingArray:
    """Orthonormalises 6D rotations (..., 6) to (..., 3, 3) (Gram-Schmidt).

    Where the two columns are parallel or zero the result is finite but not a rotation; a trained network does not
    produce such a pair.
    """
    columns = rot6d.reshape(*rot6d.shape[:-1], 3, 2)
    first = unit_vector(columns[..., 0])
    second = columns[..., 1]
    second = unit_vector(second - np.sum(first * second, axis=-1, keepdims=True) * first)
    rotmat: FloatingArray = np.empty((*rot6d.shape[:-1], 3, 3), rot6d.dtype)
    rotmat[..., 0], rotmat[..., 1] = first, second
    # Spelled out: np.cross costs more than all the rest together.
    rotmat[..., 0, 2] = first[..., 1] * second[..., 2] - first[..., 2] * second[..., 1]
    rotmat[..., 1, 2] = first[..., 2] * second[..., 0] - first[..., 0] * second[..., 2]
    rotmat[..., 2, 2] = first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]
    return rotmat


def rot6d_from_rotmat(rotmat: FloatingArray) -> FloatingArray:
    """The first two columns of (..., 3, 3), row by row, as (..., 6)."""
    return rotmat[..., :2].reshape(*rotmat.shape[:-2], 6)


def rotmat_from_axis_angle(axis_angle: FloatingArray) -> FloatingArray:
    """Rodrigues' formula for (..., 3) axis-angle [rad]; the zero vector gives the identity."""
    angle = np.linalg.norm(axis_angle, axis=-1)[..., None, None]
    cross = _cross_matrix(axis_angle)
    # sin(a)/a and (1-cos(a))/a^2 through sinc stay exact at zero.
    sine = np.sinc(angle / np.pi)
    cosine = 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    identity = np.eye(3, dtype=axis_angle.dtype)
    rotmat: FloatingArray = identity + sine * cross + cosine * (cross @ cross)
    return rotmat.astype(axis_angle.dtype)


def axis_angle_from_rotmat(rotmat: FloatingArray) -> FloatingArray:
    """Axis-angle [rad] of (..., 3, 3), angle in [0, pi]; exact near 0 and near pi.

    Goes through the quaternion of largest component (Shepperd 1978), which divides by nothing small.
    """
    quat_wxyz = quat_wxyz_from_rotmat(rotmat)
    vector = quat_wxyz[..., 1:]
    sine = np.linalg.norm(vector, axis=-1, keepdims=True)
    angle = 2.0 * np.arctan2(sine, quat_wxyz[..., :1])
    scale = np.where(sine > _EPS, angle / np.maximum(sine, _EPS), 2.0)
    axis_angle: FloatingArray = vector * scale
    return axis_angle.astype(rotmat.dtype)


def quat_wxyz_from_rotmat(rotmat: FloatingArray) -> FloatingArray:
    """Unit quaternions (..., 4), w >= 0, of (..., 3, 3)."""
    matrix = rotmat.astype(np.float64)
    diagonal = np.diagonal(matrix, axis1=-2, axis2=-1)
    trace = diagonal.sum(axis=-1)
    # Four times the square of each component; the largest is at least 1.
    squares = np.stack([1 + trace, *(1 + 2 * diagonal[..., k] - trace for k in range(3))], axis=-1)
    lower = np.stack(
        [
            matrix[..., 2, 1] - matrix[..., 1, 2],
            matrix[..., 0, 2] - matrix[..., 2, 0],
            matrix[..., 1, 0] - matrix[..., 0, 1],
        ],
        axis=-1,
    )
    symmetric = matrix + np.swapaxes(matrix, -1, -2)
    rows = [np.concatenate([squares[..., :1], lower], axis=-1)]
    for k in range(3):
        row = np.concatenate([lower[..., k : k + 1], symmetric[..., k, :]], axis=-1)
        row[..., k + 1] = squares[..., k + 1]
        rows.append(row)
    candidates = np.stack(rows, axis=-2)
    best = np.argmax(squares, axis=-1)[..., None, None]
    quat = np.take_along_axis(candidates, best, axis=-2)[..., 0, :]
    quat = quat / np.linalg.norm(quat, axis=-1, keepdims=True)
    positive: FloatingArray = np.where(quat[..., :1] < 0, -quat, quat)
    return positive.astype(rotmat.dtype)


def rotmat_from_quat_wxyz(quat: FloatingArray) -> FloatingArray:
    """Rotation matrices (..., 3, 3) of unit quaternions (..., 4)."""
    w, x, y, z = np.moveaxis(quat, -1, 0)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return np.stack(rows, axis=-1).reshape(*quat.shape[:-1], 3, 3)


def euler_from_rotmat(rotmat: FloatingArray, order: str) -> NDArray[np.float64]:
    """Angles (..., 3) [rad], in the order of the axes (three of XYZ), of (..., 3, 3) = R_first R_second R_third.

    Where the second is +-90 degrees, and only the sum or difference of the others is known, the third is 0.
    """
    a, b, c = ("XYZ".index(axis) for axis in order)
    sign = 1.0 if (b - a) % 3 == 1 else -1.0
    matrix = rotmat.astype(np.float64)
    locked = np.hypot(matrix[..., b, c], matrix[..., c, c]) < _LOCKED
    first = np.where(
        locked,
        np.arctan2(sign * matrix[..., c, b], matrix[..., b, b]),
        np.arctan2(-sign * matrix[..., b, c], matrix[..., c, c]),
    )
    second = np.arcsin(np.clip(sign * matrix[..., a, c], -1.0, 1.0))
    third = np.where(locked, 0.0, np.arctan2(-sign * matrix[..., a, b], matrix[..., a, a]))
    return np.stack([first, second, third], axis=-1)


def quat_product_wxyz(first: FloatingArray, second: FloatingArray) -> FloatingArray:
    """(..., 4) the rotation `second` followed by `first`, unit quaternions (..., 4), as `R_first @ R_second`."""
    aw, ax, ay, az = np.moveaxis(first, -1, 0)
    bw, bx, by, bz = np.moveaxis(second, -1, 0)
    return np.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        axis=-1,
    )


def slerp_wxyz(first: FloatingArray, second: FloatingArray, share: FloatingArray) -> FloatingArray:
    """Between two moving rotations, frame by frame (Shoemake 1985): `share` (N,) from 0, `first`, to 1, `second`.

    Which of the two ways round is chosen once, the shorter one in the first frame: it would jump if it
    changed while both ends move. Both are (N, ..., 4) unit quaternions, neighbouring frames in one hemisphere.
    """
    is_far = np.sum(first[:1] * second[:1], axis=-1, keepdims=True) < 0
    second = np.where(is_far, -second, second)
    cosine = np.sum(first * second, axis=-1, keepdims=True)
    angle = np.arccos(np.clip(cosine, -1.0 + 1e-6, 1.0 - 1e-6))
    part = share.reshape(-1, *[1] * (first.ndim - 1))
    mixed = np.sin((1 - part) * angle) * first + np.sin(part * angle) * second
    unit: FloatingArray = mixed / np.linalg.norm(mixed, axis=-1, keepdims=True)
    return unit


def unit_vector(vector: FloatingArray) -> FloatingArray:
    """(..., 3) vectors brought to length one; near zero, shorter."""
    unit: FloatingArray = vector / np.maximum(np.linalg.norm(vector, axis=-1, keepdims=True), _EPS)
    return unit


def _cross_matrix(vector: FloatingArray) -> FloatingArray:
    x, y, z = vector[..., 0], vector[..., 1], vector[..., 2]
    zero = np.zeros_like(x)
    flat = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1)
    return flat.reshape(*vector.shape[:-1], 3, 3)


def smallest_rotation(from_vector: FloatingArray, to_vector: FloatingArray) -> NDArray[np.float64]:
    """(3, 3) rotation of least angle that turns one direction (3,) into another; neither is zero.

    For opposite directions, where any half turn across them is smallest, one of those.
    """
    first = from_vector / np.linalg.norm(from_vector)
    second = to_vector / np.linalg.norm(to_vector)
    axis = np.cross(first, second)
    sine, cosine = float(np.linalg.norm(axis)), float(first @ second)
    if sine < 1e-9 and cosine > 0:
        return np.eye(3)
    if sine < 1e-9:
        axis = np.cross(first, np.eye(3)[int(np.argmin(np.abs(first)))])
    angle = np.arctan2(sine, cosine)
    return rotmat_from_axis_angle(axis / np.linalg.norm(axis) * angle)
