"""Rotations in torch: the differentiable twin of `geometry.rotation`, same order of columns."""

import torch
from torch import Tensor
from torch.nn import functional

_EPS = 1e-6


def rotmat_from_rot6d(rot6d: Tensor) -> Tensor:
    """Orthonormalises (..., 6) into (..., 3, 3) (Zhou et al. 2019, Gram-Schmidt).

    The six numbers are the first two columns, row by row: `rot6d.view(3, 2)`.
    """
    columns = rot6d.unflatten(-1, (3, 2))
    first = functional.normalize(columns[..., 0], dim=-1, eps=1e-6)
    second = columns[..., 1]
    along = (first * second).sum(-1, keepdim=True)
    second = functional.normalize(second - along * first, dim=-1, eps=1e-6)
    return torch.stack([first, second, _cross(first, second)], dim=-1)


def wide_rotmat_from_rot6d(rot6d: Tensor) -> Tensor:
    """As `rotmat_from_rot6d` of (N, 6 J), computed with the batch as the contiguous axis: for wide batches.

    Gives (N, J, 3, 3), a view of memory laid out (3, 3, J, N).
    """
    columns = rot6d.T.reshape(-1, 3, 2, len(rot6d)).permute(1, 2, 0, 3).contiguous()
    first, second = columns[:, 0], columns[:, 1]
    first = first * _inverse_length(first)
    second = second - (first * second).sum(0) * first
    second = second * _inverse_length(second)
    third = torch.stack(
        [
            first[1] * second[2] - first[2] * second[1],
            first[2] * second[0] - first[0] * second[2],
            first[0] * second[1] - first[1] * second[0],
        ]
    )
    return torch.stack([first, second, third], 1).permute(3, 2, 0, 1)


def _inverse_length(columns: Tensor) -> Tensor:
    """(J, N) of (3, J, N)."""
    return columns.square().sum(0).clamp_min(_EPS**2).rsqrt()


def rot6d_from_rotmat(rotmat: Tensor) -> Tensor:
    """The first two columns of (..., 3, 3), row by row, as (..., 6)."""
    return rotmat[..., :2].flatten(-2)


def axis_angle_from_rotmat(rotmat: Tensor) -> Tensor:
    """Rotation vectors (..., 3) [rad] of (..., 3, 3), angle in [0, pi], with finite gradients everywhere.

    Goes through the quaternion's largest component (Shepperd 1978), which divides by nothing small. At
    half a turn both axes are right and either may come out.
    """
    quat_wxyz = _quat_wxyz_from_rotmat(rotmat)
    vector = quat_wxyz[..., 1:]
    sine = vector.square().sum(-1, keepdim=True).clamp_min(_EPS**2).sqrt()
    return vector * (2.0 * torch.atan2(sine, quat_wxyz[..., :1]) / sine)


def _quat_wxyz_from_rotmat(rotmat: Tensor) -> Tensor:
    """Unit quaternions (..., 4), w >= 0."""
    diagonal = rotmat.diagonal(dim1=-2, dim2=-1)
    trace = diagonal.sum(-1, keepdim=True)
    # Four times the square of each component; the largest is at least 1.
    squares = torch.cat([1 + trace, 1 + 2 * diagonal - trace], dim=-1)
    lower = rotmat - rotmat.mT
    wx, wy, wz = lower[..., 2, 1], lower[..., 0, 2], lower[..., 1, 0]
    symmetric = rotmat + rotmat.mT
    xy, xz, yz = symmetric[..., 0, 1], symmetric[..., 0, 2], symmetric[..., 1, 2]
    ww, xx, yy, zz = squares.unbind(-1)
    products = [ww, wx, wy, wz, wx, xx, xy, xz, wy, xy, yy, yz, wz, xz, yz, zz]
    # Row k is 4 q_k q: any row of a component that is not small gives q.
    rows = torch.stack(products, dim=-1).unflatten(-1, (4, 4))
    best = squares.argmax(-1)[..., None, None].expand(*squares.shape[:-1], 1, 4)
    quat = functional.normalize(rows.gather(-2, best).squeeze(-2), dim=-1)
    return torch.where(quat[..., :1] < 0, -quat, quat)


def _cross(a: Tensor, b: Tensor) -> Tensor:
    # Spelled out: torch.linalg.cross exports to a long chain of gathers.
    ax, ay, az = a.unbind(-1)
    bx, by, bz = b.unbind(-1)
    return torch.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], dim=-1)
