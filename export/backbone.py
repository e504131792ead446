"""The backbone as a graph: bytes of a crop in, features out.

Legend: P people, L layers, H hidden size.
"""

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from export.collapsed import CollapsedMotionNetwork
from realtime_vibe.models.resnet import IMAGENET_MEAN_RGB, IMAGENET_STD_RGB, ResNet50
from realtime_vibe.models.smpl_layer import SmplLayer

CROP_INPUT = "crop"
FEATURES_OUTPUT = "features"
MESH_OUTPUTS = ("joints", "vertices")


class CropFeatures(nn.Module):
    """Normalisation and order of channels inside the graph, so that a crop goes in as OpenCV cuts it.

    Args:
        backbone: with folded batch norms, see `folded`; its first weights are turned to BGR in place.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, backbone: ResNet50) -> None:
        super().__init__()
        with torch.no_grad():
            backbone.conv1.weight.copy_(backbone.conv1.weight.flip(1))
        self.backbone = backbone
        self.register_buffer("mean", 255.0 * torch.tensor(IMAGENET_MEAN_RGB).flip(0))
        self.register_buffer("scale", 1.0 / (255.0 * torch.tensor(IMAGENET_STD_RGB).flip(0)))

    def forward(self, crop: Tensor) -> Tensor:
        """(P, 224, 224, 3) uint8 BGR to (P, 2048)."""
        # In single precision also where the convolutions are not: bytes less a mean lose digits in half.
        image = (crop.float() - self.mean) * self.scale
        features: Tensor = self.backbone(image.permute(0, 3, 1, 2))
        return features


class FusedStep(nn.Module):
    """Backbone, encoder and regressor in one graph: one run a frame."""

    def __init__(self, features: CropFeatures, network: CollapsedMotionNetwork) -> None:
        super().__init__()
        self.features = features
        self.network = network

    def forward(self, crop: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(P, 224, 224, 3) uint8 and (L, P, H) to rotmat, betas, weak camera and the next state."""
        params, next_hidden = self.network.step(self.features(crop), hidden)
        return params.rotmat, params.betas, params.weak_camera, next_hidden


class WholeFrame(nn.Module):
    """From crop to mesh in one graph: one upload, one launch and one download a frame.

    For programs that drive the engine by themselves. The live app does not use it: it averages each person's
    shape and smooths rotations between network and body.
    """

    def __init__(self, step: FusedStep, body: SmplLayer) -> None:
        super().__init__()
        self.step = step
        self.body = body

    def forward(self, crop: Tensor, hidden: Tensor) -> tuple[Tensor, ...]:
        """What `FusedStep` gives, then joints (P, 24, 3) and vertices (P, V, 3) [m], before translation."""
        params = self.step(crop, hidden)
        vertices, joints = self.body(*params[:2])
        return (*params, joints, vertices)


def folded(backbone: ResNet50) -> ResNet50:
    """Merges every batch norm into the convolution before it, in place: the same function, half the layers."""
    for module in list(backbone.modules()):
        for number in ("1", "2", "3"):
            if isinstance(getattr(module, f"bn{number}", None), nn.BatchNorm2d):
                _fold(module, f"conv{number}", f"bn{number}")
        shortcut = getattr(module, "downsample", None)
        if isinstance(shortcut, nn.Sequential):
            _fold(shortcut, "0", "1")
    return backbone


def _fold(owner: nn.Module, convolution: str, norm: str) -> None:
    merged = fuse_conv_bn_eval(getattr(owner, convolution), getattr(owner, norm))
    setattr(owner, convolution, merged)
    setattr(owner, norm, nn.Identity())
