"""Mirrored streams: the posed body is the mirror image, and twice mirrored is unchanged."""

import pytest
import torch

from realtime_vibe.body.joints import BLAZEPOSE_MIRROR, SMPL_MIRROR
from realtime_vibe.body.model_file import BodyModel
from realtime_vibe.models.landmark_skeleton import LandmarkSkeleton, skeleton_arrays
from realtime_vibe.models.rotation import rotmat_from_rot6d
from realtime_vibe.training.samples.mirroring import mirrored
from realtime_vibe.training.samples.sequences import Observation, SequenceTruth, posed_points


@pytest.fixture
def stream() -> tuple[SequenceTruth, Observation]:
    torch.manual_seed(4)
    truth = SequenceTruth(
        rotmat=rotmat_from_rot6d(torch.randn(3, 2, 24, 6)),
        betas=torch.randn(2, 10),
        transl=torch.randn(3, 2, 3),
        dt_s=torch.full((3, 2), 0.03),
        principal=torch.full((2, 2), 200.0),
        true_focal=torch.full((2,), 400.0),
        nominal_focal=torch.full((2,), 400.0),
    )
    seen = Observation(
        image_px=torch.randn(3, 2, 33, 2),
        world_m=torch.randn(3, 2, 33, 3),
        visibility=torch.rand(3, 2, 33),
        dt_s=truth.dt_s,
    )
    return truth, seen


def test_body_and_landmarks_become_their_mirror_image(
    stream: tuple[SequenceTruth, Observation], body_model: BodyModel
) -> None:
    truth, seen = stream
    layer = LandmarkSkeleton(skeleton_arrays(body_model))
    flipped, seen_flipped = mirrored(truth, seen, torch.tensor([True, False]))
    across = torch.tensor([-1.0, 1.0, 1.0])
    before, after = posed_points(truth, layer), posed_points(flipped, layer)
    for old, new, order in zip(before, after, (SMPL_MIRROR, BLAZEPOSE_MIRROR), strict=True):
        torch.testing.assert_close(new[:, 0], old[:, 0, list(order)] * across, atol=1e-4, rtol=0)
        torch.testing.assert_close(new[:, 1], old[:, 1])
    expected = seen.world_m[:, 0, list(BLAZEPOSE_MIRROR)] * across
    torch.testing.assert_close(seen_flipped.world_m[:, 0], expected)


def test_twice_is_nothing(stream: tuple[SequenceTruth, Observation]) -> None:
    truth, seen = stream
    everywhere = torch.tensor([True, True])
    back = mirrored(*mirrored(truth, seen, everywhere), everywhere)
    for old, new in zip((*truth, *seen), (*back[0], *back[1]), strict=True):
        torch.testing.assert_close(new, old)
