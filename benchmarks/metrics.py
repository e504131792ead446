"""Pose errors, in NumPy; all take and give metres unless a name says otherwise.

Legend: N frames, K joints, V vertices. A frame with a value that is not finite (nobody found, truth
unknown) gives NaN for that frame and leaves the others alone; `pck` and `auc` skip such values. How
many frames were found is the caller's to report.
"""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating]

PCK_THRESHOLD_M = 0.150
"""What MPI-INF-3DHP counts as correct: about half a head (Mehta et al. 2017)."""

AUC_THRESHOLDS_M = np.arange(0, 151, 5) / 1e3
"""(31,) 0, 5, .. 150 mm, as in MPI-INF-3DHP's evaluation script."""


def joint_errors(
    predicted: FloatArray, truth: FloatArray, root: FloatArray | None = None
) -> NDArray[np.float64]:
    """Distance of each joint (N, K) after both roots were moved to the origin.

    Args:
        predicted: (N, K, 3).
        truth: (N, K, 3).
        root: (K,) weights of the joints whose mean is the root; None uses all joints equally.
    """
    weights = np.ones(predicted.shape[1]) if root is None else np.asarray(root, np.float64)
    weights = weights / weights.sum()
    difference = np.asarray(predicted, np.float64) - truth
    difference = difference - np.einsum("k,nkc->nc", weights, difference)[:, None]
    error: NDArray[np.float64] = np.linalg.norm(difference, axis=-1)
    return error


def similarity_aligned(predicted: FloatArray, truth: FloatArray) -> NDArray[np.float64]:
    """Moves, turns and scales each (K, 3) of `predicted` (N, K, 3) onto `truth`, likewise (Umeyama 1991).

    A mirror image is not undone. If all of a frame's joints fall on one point, they end on the
    middle of the truth.
    """
    aligned: NDArray[np.float64] = np.full(predicted.shape, np.nan)
    # The SVD refuses values that are not finite, for all frames at once.
    known = np.isfinite(predicted).all(axis=(1, 2)) & np.isfinite(truth).all(axis=(1, 2))
    source, target = predicted[known].astype(np.float64), truth[known].astype(np.float64)
    mean_s, mean_t = source.mean(axis=1, keepdims=True), target.mean(axis=1, keepdims=True)
    source, target = source - mean_s, target - mean_t
    left, singular, right = np.linalg.svd(np.swapaxes(target, 1, 2) @ source)
    flip = np.ones_like(singular)
    flip[:, 2] = np.sign(np.linalg.det(left @ right))  # a reflection is not a rotation
    rotation = (left * flip[:, None]) @ right
    scale = (singular * flip).sum(axis=1) / np.maximum((source**2).sum(axis=(1, 2)), 1e-12)
    aligned[known] = scale[:, None, None] * source @ np.swapaxes(rotation, 1, 2) + mean_t
    return aligned


def aligned_joint_errors(predicted: FloatArray, truth: FloatArray) -> NDArray[np.float64]:
    """Distance of each joint (N, K) after the best similarity transform of each frame."""
    error: NDArray[np.float64] = np.linalg.norm(
        similarity_aligned(predicted, truth) - truth, axis=-1
    )
    return error


def pve(
    predicted: FloatArray,
    truth: FloatArray,
    predicted_root: FloatArray,
    truth_root: FloatArray,
) -> NDArray[np.float64]:
    """Per-vertex error (N,): mean distance of corresponding (N, V, 3) vertices, both roots (N, 3) at the origin.

    The root is the pelvis joint by custom (3DPW: Kolotouros et al. 2019); both meshes must be of
    one body model, vertex by vertex.
    """
    offset = np.asarray(predicted_root, np.float64) - truth_root
    difference = predicted - truth - offset[:, None]
    error: NDArray[np.float64] = np.linalg.norm(difference, axis=-1).mean(axis=-1)
    return error


def accel_error(predicted: FloatArray, truth: FloatArray) -> NDArray[np.float64]:
    """Norm of the difference of second differences of (N, K, 3), mean over joints (N - 2,) [m/frame^2].

    Kanazawa et al. 2019 (HMMR): x(t-1) - 2 x(t) + x(t+1). It depends on the frame rate: compare at
    one rate only. Three frames make one value; fewer make none.
    """
    difference = np.asarray(predicted, np.float64) - truth
    second = difference[:-2] - 2 * difference[1:-1] + difference[2:]
    error: NDArray[np.float64] = np.linalg.norm(second, axis=-1).mean(axis=-1)
    return error


def pck(errors: FloatArray, threshold_m: float = PCK_THRESHOLD_M) -> float:
    """Share in [0, 1] of errors below a threshold (Mehta et al. 2017); NaN where there are none.

    Args:
        errors: any shape [m], as `joint_errors` gives them.
        threshold_m: an error of just this size is not correct.
    """
    known = np.asarray(errors)[np.isfinite(errors)]
    return float((known < threshold_m).mean()) if known.size else float("nan")


def auc(errors: FloatArray) -> float:
    """Mean of `pck` over `AUC_THRESHOLDS_M` of `joint_errors` [m], as MPI-INF-3DHP's script has it (Mehta et al. 2017).

    No error is below the first threshold, 0, so perfect joints reach 30/31.
    """
    return float(np.mean([pck(errors, threshold) for threshold in AUC_THRESHOLDS_M]))
