"""The skeleton without a mesh: both ways of posing it give the mesh's joints and landmarks."""

import dataclasses

import numpy as np
import pytest
import torch

from realtime_vibe.backends.graph_folder import engine_folder
from realtime_vibe.body.joints import LANDMARK_JOINTS
from realtime_vibe.body.model_file import load_body
from realtime_vibe.errors import BodyModelError
from realtime_vibe.models.landmark_skeleton import LandmarkSkeleton, SkeletonArrays, skeleton_arrays
from realtime_vibe.models.smpl_layer import SmplLayer


@pytest.fixture(scope="module")
def model():
    return load_body(engine_folder("blazepose-gru") / "body.npz")


@pytest.fixture(scope="module")
def skeleton(model):
    return LandmarkSkeleton(skeleton_arrays(model))


def _poses(*batch):
    generator = torch.Generator().manual_seed(0)
    skewed = torch.randn(*batch, 24, 3, 3, generator=generator) * 0.4
    rotmat = torch.linalg.matrix_exp(skewed - skewed.transpose(-1, -2))
    return rotmat, torch.randn(*batch, 10, generator=generator)


@pytest.mark.parametrize("wide", [True, False])
def test_points_are_the_mesh_s(model, skeleton, wide):
    """Bones with less than 2 % of a landmark are left out, which moves none by half a centimetre."""
    rotmat, betas = _poses(40)
    vertices, joints = SmplLayer(model)(rotmat, betas)
    posed = skeleton.train(wide)(rotmat, betas)
    torch.testing.assert_close(posed.joints, joints, atol=1e-5, rtol=0.0)
    of_mesh = torch.from_numpy(model.blazepose_regressor) @ vertices
    for landmark in range(33):
        joint = LANDMARK_JOINTS.get(landmark)
        if joint is not None and np.array_equal(
            model.blazepose_regressor[landmark], model.J_regressor[joint]
        ):
            # A landmark that is a joint is the joint's centre, not the ring of skin around it.
            torch.testing.assert_close(posed.landmarks[:, landmark], posed.joints[:, joint])
        else:
            off_m = (posed.landmarks[:, landmark] - of_mesh[:, landmark]).norm(dim=-1)
            assert off_m.max() < 5e-3, landmark


def test_both_ways_are_one_and_take_any_batch(skeleton):
    rotmat, betas = _poses(2, 3)
    for wide, few in zip(
        skeleton.train()(rotmat, betas), skeleton.eval()(rotmat, betas), strict=True
    ):
        assert wide.shape[:2] == (2, 3)
        torch.testing.assert_close(wide, few, atol=1e-5, rtol=0.0)


def test_both_ways_have_the_same_gradients(skeleton):
    rotmat, betas = (part.requires_grad_() for part in _poses(2))
    gradients = []
    for wide in (True, False):
        joints, landmarks = skeleton.train(wide)(rotmat, betas)
        total = joints.square().sum() + landmarks.sin().sum()
        gradients.append(torch.autograd.grad(total, (rotmat, betas)))
    for first, second in zip(*gradients, strict=True):
        torch.testing.assert_close(first, second, atol=1e-4, rtol=1e-4)


def test_a_checkpoint_carries_the_skeleton(skeleton):
    state = skeleton.state_dict()
    blank = LandmarkSkeleton(SkeletonArrays(*(torch.zeros_like(each) for each in state.values())))
    blank.load_state_dict(state)
    rotmat, betas = _poses(3)
    ours, theirs = skeleton.eval()(rotmat, betas), blank.eval()(rotmat, betas)
    torch.testing.assert_close(theirs.landmarks, ours.landmarks)


def test_bodies_without_landmarks_or_with_pose_blend_shapes_are_refused(model):
    posedirs = np.zeros((model.num_vertices, 3, 207), np.float32)
    for change in ({"blazepose_regressor": None}, {"posedirs": posedirs}):
        with pytest.raises(BodyModelError, match="expected the default body"):
            skeleton_arrays(dataclasses.replace(model, **change))
