"""The frames of reference and the changes between them.

camera: x right, y down, z forward (OpenCV).
world: AMASS's, z up; of a level camera x to its right and y away from it.
y-up: SMPL's rest pose, BVH, glTF: x to the camera's right, y up, z towards it.
Unity: left-handed, y up, z towards the camera: the y-up frame mirrored across x.
"""

import numpy as np

R_WORLD_CAMERA = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], np.float32)
"""(3, 3) from the frame of a level camera to the world."""

T_WORLD_CAMERA = np.eye(4, dtype=np.float32)
"""(4, 4) the same with the camera at the origin: what is assumed without calibration."""
T_WORLD_CAMERA[:3, :3] = R_WORLD_CAMERA

R_YUP_WORLD = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], np.float32)
"""(3, 3) from the world to the y-up frame; the same numbers, another meaning."""

MIRROR_X = np.array([-1, 1, 1], np.float32)
"""Between left- and right-handed axes."""

R_UNITY_WORLD = np.array([[-1, 0, 0], [0, 0, 1], [0, -1, 0]], np.float32)
"""(3, 3) from the world to Unity."""

for _shared in (R_WORLD_CAMERA, T_WORLD_CAMERA, R_YUP_WORLD, MIRROR_X, R_UNITY_WORLD):
    _shared.setflags(write=False)
