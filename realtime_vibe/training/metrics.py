"""Pose errors, in NumPy; all take and give metres unless a name says otherwise.

Legend: N frames, K joints.
"""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating]


def mpjpe(
    predicted: FloatArray, truth: FloatArray, root: FloatArray | None = None
) -> NDArray[np.float64]:
    """Mean per-joint position error (N,) of (N, K, 3) after both roots were moved to the origin.

    Args:
        predicted: (N, K, 3).
        truth: (N, K, 3).
        root: (K,) weights of the joints whose mean is the root; None uses all joints equally.
    """
    weights = np.ones(predicted.shape[1]) if root is None else np.asarray(root, np.float64)
    weights = weights / weights.sum()
    centered_predicted = predicted - np.einsum("k,nkc->nc", weights, predicted)[:, None]
    centered_truth = truth - np.einsum("k,nkc->nc", weights, truth)[:, None]
    error: NDArray[np.float64] = np.linalg.norm(centered_predicted - centered_truth, axis=-1).mean(
        axis=-1
    )
    return error


def similarity_aligned(predicted: FloatArray, truth: FloatArray) -> NDArray[np.float64]:
    """Moves, turns and scales each (K, 3) of `predicted` onto `truth` (Umeyama 1991)."""
    mean_p = predicted.mean(axis=1, keepdims=True)
    mean_t = truth.mean(axis=1, keepdims=True)
    centered_p, centered_t = predicted - mean_p, truth - mean_t
    covariance = np.swapaxes(centered_t, 1, 2) @ centered_p
    left, singular, right = np.linalg.svd(covariance)
    sign = np.sign(np.linalg.det(left @ right))
    flip = np.ones_like(singular)
    flip[:, 2] = sign  # a reflection is not a rotation
    rotation = (left * flip[:, None]) @ right
    scale = (singular * flip).sum(axis=1) / np.maximum((centered_p**2).sum(axis=(1, 2)), 1e-12)
    aligned: NDArray[np.float64] = (
        scale[:, None, None] * centered_p @ np.swapaxes(rotation, 1, 2) + mean_t
    )
    return aligned


def pa_mpjpe(predicted: FloatArray, truth: FloatArray) -> NDArray[np.float64]:
    """MPJPE (N,) after the best similarity transform of each frame."""
    aligned = similarity_aligned(predicted, truth)
    error: NDArray[np.float64] = np.linalg.norm(aligned - truth, axis=-1).mean(axis=-1)
    return error


def accel_error(predicted: FloatArray, truth: FloatArray) -> NDArray[np.float64]:
    """Norm of the difference of second differences, mean over joints (N - 2,) [m/frame^2].

    Kanazawa et al. 2019 (HMMR): x(t-1) - 2 x(t) + x(t+1). It depends on the frame rate: compare at
    one rate only.
    """
    second_p = predicted[:-2] - 2 * predicted[1:-1] + predicted[2:]
    second_t = truth[:-2] - 2 * truth[1:-1] + truth[2:]
    error: NDArray[np.float64] = np.linalg.norm(second_p - second_t, axis=-1).mean(axis=-1)
    return error
