"""Quaternions of a few rotations in plain Python.

Two dozen matrices between two network runs find cold caches: some thirty NumPy calls of a vectorised
version take 0.3 ms there, a loop over floats 0.04 ms.
"""

from math import sqrt

from realtime_vibe.packets import FloatArray

Quat = tuple[float, float, float, float]
"""x, y, z, w."""


def steady_quats_xyzw(rotmats: FloatArray, last: list[Quat] | None) -> list[Quat]:
    """Unit quaternions of (N, 3, 3), each with the sign that is nearer to the one before.

    Args:
        last: the result for the frame before, for receivers that blend; None takes w >= 0.
    """
    quats = [_quat(*row) for row in rotmats.reshape(-1, 9).tolist()]
    if last is None:
        return [quat if quat[3] >= 0 else _negative(quat) for quat in quats]
    return [
        quat
        if quat[0] * old[0] + quat[1] * old[1] + quat[2] * old[2] + quat[3] * old[3] >= 0
        else _negative(quat)
        for quat, old in zip(quats, last, strict=True)
    ]


def _negative(quat: Quat) -> Quat:
    return (-quat[0], -quat[1], -quat[2], -quat[3])


def _quat(  # noqa: PLR0913, PLR0917 - the nine numbers of a matrix, row by row
    a: float, b: float, c: float, d: float, e: float, f: float, g: float, h: float, i: float
) -> Quat:
    """Through the largest component, which divides by nothing small (Shepperd 1978)."""
    trace = a + e + i
    if trace >= a and trace >= e and trace >= i:
        quat = (h - f, c - g, d - b, 1.0 + trace)
    elif a >= e and a >= i:
        quat = (1.0 + a - e - i, b + d, c + g, h - f)
    elif e >= i:
        quat = (b + d, 1.0 - a + e - i, f + h, c - g)
    else:
        quat = (c + g, f + h, 1.0 - a - e + i, d - b)
    x, y, z, w = quat
    scale = 1.0 / sqrt(x * x + y * y + z * z + w * w)
    return (x * scale, y * scale, z * scale, w * scale)
