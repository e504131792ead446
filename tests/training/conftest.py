"""A small world to train in: the default body and a figure that waves while it walks."""

import numpy as np
import pytest

from realtime_vibe.backends.graph_folder import engine_folder
from realtime_vibe.body.model_file import load_body
from realtime_vibe.models.landmark_skeleton import LandmarkSkeleton, skeleton_arrays
from realtime_vibe.training.samples.motion import MotionClip, MotionPool, MotionShares


@pytest.fixture(scope="session")
def skeleton_parts(body_model):
    return skeleton_arrays(body_model)


@pytest.fixture(scope="session")
def skeleton(skeleton_parts):
    return LandmarkSkeleton(skeleton_parts)


@pytest.fixture(scope="session")
def waving_pool():
    frames = np.arange(300, dtype=np.float32)
    quats = np.zeros((300, 24, 4), np.float32)
    quats[..., 0] = 1.0
    half = 0.5 * np.sin(frames / 20)
    quats[:, 16, 0], quats[:, 16, 3] = np.cos(half), np.sin(half)
    # AMASS roots stand the rest pose (y up) on the ground (z up): a quarter turn about x.
    quats[:, 0] = [np.sqrt(0.5), np.sqrt(0.5), 0, 0]
    trans = np.stack([frames / 60, 0 * frames, 0.95 + 0 * frames], -1)
    clip = MotionClip(name="wave", quats=quats, trans=trans)
    as_recorded = MotionShares(gestures=0.0, looking=0.0, crouching=0.0, lying=0.0)
    return MotionPool([clip], 4, 600, np.random.default_rng(0), shares=as_recorded)


@pytest.fixture(scope="session")
def body_model():
    return load_body(engine_folder("blazepose-gru") / "body.npz")


@pytest.fixture
def motion_folder(tmp_path):
    """Clips of a figure that waves, of both parts, in AMASS' layout."""
    folder = tmp_path / "motion"
    folder.mkdir()
    frames = np.arange(200)
    poses = np.zeros((200, 156))
    poses[:, 0] = np.pi / 2
    poses[:, 3 * 16 + 2] = poses[:, 3 * 17 + 1] = 0.8 * np.sin(frames / 15)
    trans = np.stack([frames / 200, 0 * frames, 0.95 + 0 * frames], -1)
    for name in ("cmu_02_01", "cmu_02_02", "cmu_14_04", "m2m_base_Idle_Loop"):
        np.savez(
            folder / f"{name}.npz", poses=poses, trans=trans, betas=np.zeros(16),
            gender="neutral", mocap_framerate=60.0,
        )  # fmt: skip
    return folder
