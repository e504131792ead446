"""6D rotations in torch; the twin of `geometry.rotation`, same column order."""

import torch
from torch import Tensor
from torch.nn import functional


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


def rot6d_from_rotmat(rotmat: Tensor) -> Tensor:
    """The first two columns of (..., 3, 3), row by row, as (..., 6)."""
    return rotmat[..., :2].flatten(-2)


def _cross(a: Tensor, b: Tensor) -> Tensor:
    # Spelled out: torch.linalg.cross exports to a long chain of gathers.
    ax, ay, az = a.unbind(-1)
    bx, by, bz = b.unbind(-1)
    return torch.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], dim=-1)
