"""What the package never needs: the crop camera and the box of a body whose place is known."""

import numpy as np


def weak_camera_from_transl(transl, square, image_size, focal_px):
    """The inverse of `transl_from_weak_camera` for a body in front of the camera."""
    px_per_m = focal_px / float(transl[2])
    scale = 2.0 * px_per_m / square.side
    tx = float(transl[0]) - (square.center_x - 0.5 * image_size[0]) / px_per_m
    ty = float(transl[1]) - (square.center_y - 0.5 * image_size[1]) / px_per_m
    return np.array([scale, tx, ty], np.float32)


def tight_box(points_px):
    """(4,) xyxy around (N, 2+) points."""
    low, high = points_px[:, :2].min(axis=0), points_px[:, :2].max(axis=0)
    return np.concatenate([low, high]).astype(np.float32)
