"""Writes files in the formats of the released VIBE and SPIN checkpoints: full size, random weights.

The weights are scaled so that numbers keep a sane size through all layers and a person comes out near the
mean pose, upright: pictures of such an engine can be judged.
"""

import copy
import functools
from collections import OrderedDict
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch import nn

from realtime_vibe.models import resnet
from realtime_vibe.models.motion_discriminator import MotionDiscriminator
from realtime_vibe.models.motion_network import MotionNetwork
from realtime_vibe.models.regressor import MeanParams, Regressor
from realtime_vibe.models.resnet import CROP_SIZE, ResNet50
from realtime_vibe.models.temporal_encoder import TemporalEncoder
from realtime_vibe.models.vibe import VIBE

NUM_VERTICES = 6890


@contextmanager
def short_backbone():
    """A backbone of five blocks instead of sixteen, among them every kind, for what is exported and run live."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resnet, "_BLOCKS", (2, 1, 1, 1))
        yield


def mean_params():
    """Upright and facing the camera (half a turn about x), arms at an angle, average shape."""
    pose = np.tile(np.array([1, 0, 0, 1, 0, 0], np.float32), (24, 1))
    pose[0] = [1, 0, 0, -1, 0, 0]
    for joint, angle in ((16, -0.9), (17, 0.9)):  # shoulders, about z
        cos, sin = np.cos(angle), np.sin(angle)
        pose[joint] = [cos, -sin, sin, cos, 0, 0]
    shape = np.zeros(10, np.float32)
    shape[:3] = [0.2, 0.3, -0.35]
    return {"pose": pose.reshape(-1), "shape": shape, "cam": np.array([0.9, 0, 0], np.float32)}


def _varied_backbone():
    """A random ResNet whose features differ between pictures: batch statistics are those of pictures."""
    backbone = ResNet50().train()
    for module in backbone.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.bias, std=0.1)
            module.momentum = 1.0
    blobs = torch.randn(12, 3, 9, 9)
    backbone(nn.functional.interpolate(blobs, (CROP_SIZE, CROP_SIZE), mode="bilinear"))
    return backbone.eval()


def random_vibe(seed=0):
    """The network whose weights the files hold, eval mode."""
    return copy.deepcopy(_random_vibe(seed, resnet._BLOCKS))


def random_motion(seed=0):
    """Its video half alone."""
    with short_backbone():
        return random_vibe(seed).motion


@functools.cache
def _random_vibe(seed, _blocks):
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        backbone = _varied_backbone()
        arrays = mean_params()
        start = MeanParams(*(torch.from_numpy(arrays[key]) for key in ("pose", "shape", "cam")))
        motion = MotionNetwork(TemporalEncoder(), Regressor(start))
        for head in (motion.regressor.decpose, motion.regressor.decshape, motion.regressor.deccam):
            nn.init.xavier_uniform_(head.weight, gain=0.01)
        return VIBE(backbone, motion).eval()


def vibe_checkpoint(network, seed=0):
    """What `vibe_model_w_3dpw.pth.tar` holds."""
    generator = OrderedDict(network.motion.state_dict())
    for name, shape in (("v_template", (NUM_VERTICES, 3)), ("faces_tensor", (13776, 3))):
        generator[f"regressor.smpl.{name}"] = torch.zeros(shape)
    with torch.random.fork_rng():
        torch.manual_seed(seed + 1)
        discriminator = MotionDiscriminator().state_dict()
    return {
        "epoch": 24,
        "gen_state_dict": generator,
        "performance": np.float64(56.56075477600098),
        "gen_optimizer": {"state": {}, "param_groups": [{"lr": 5e-5, "params": [0, 1]}]},
        "disc_motion_state_dict": OrderedDict(discriminator),
        "disc_motion_optimizer": {"state": {}, "param_groups": [{"lr": 1e-4, "params": [0]}]},
    }


def spin_checkpoint(network, seed=0):
    """What `spin_model_checkpoint.pth.tar` holds: the backbone and SPIN's own regressor."""
    with torch.random.fork_rng():
        torch.manual_seed(seed + 2)
        own = Regressor(MeanParams(*(torch.zeros(size) for size in (144, 10, 3)))).state_dict()
    return {"model": OrderedDict({**network.backbone.state_dict(), **own})}


def write_vibe(folder, seed=0):
    """Writes both checkpoints and `smpl_mean_params.npz`; returns the network they hold."""
    folder.mkdir(parents=True, exist_ok=True)
    network = random_vibe(seed)
    # Released by torch 1.4, whose files are no zip archives.
    for name, content in (
        ("vibe_model_w_3dpw.pth.tar", vibe_checkpoint(network, seed)),
        ("spin_model_checkpoint.pth.tar", spin_checkpoint(network, seed)),
    ):
        torch.save(content, folder / name, _use_new_zipfile_serialization=False)
    np.savez(folder / "smpl_mean_params.npz", **mean_params())
    return network
