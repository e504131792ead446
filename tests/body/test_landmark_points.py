"""Landmarks without a mesh, in NumPy: where the torch twin puts them."""

import numpy as np
import torch

from realtime_vibe.backends.graph_folder import engine_folder
from realtime_vibe.body.landmark_points import landmark_points
from realtime_vibe.body.model_file import load_body
from realtime_vibe.body.smpl import SmplBody
from realtime_vibe.geometry.rotation import rotmat_from_axis_angle
from realtime_vibe.models.landmark_skeleton import LandmarkSkeleton, skeleton_arrays


def test_numpy_equals_torch():
    model = load_body(engine_folder("blazepose-gru") / "body.npz")
    rng = np.random.default_rng(0)
    rotmat = rotmat_from_axis_angle(rng.normal(0, 0.5, (24, 3))).astype(np.float32)
    betas = rng.normal(size=10).astype(np.float32)
    pose = SmplBody(model).kinematics(rotmat[0], rotmat[1:], betas)
    ours = landmark_points(model).posed(pose.rotations, pose.joints, betas)
    skeleton = LandmarkSkeleton(skeleton_arrays(model)).eval()
    theirs = skeleton(torch.from_numpy(rotmat), torch.from_numpy(betas))
    np.testing.assert_allclose(ours, theirs.landmarks.numpy(), atol=1e-5)
