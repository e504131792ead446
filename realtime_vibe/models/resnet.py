"""ResNet-50 without its classifier: f(I_t), one vector of 2048 numbers for a person's crop.

He et al. 2016, with the stride in the 3x3 convolutions, as the weights that VIBE builds on have it. Names
of the layers are those of these weights.
"""

from torch import Tensor, nn

CROP_SIZE = 224
FEATURE_SIZE = 2048
IMAGENET_MEAN_RGB = (0.485, 0.456, 0.406)
IMAGENET_STD_RGB = (0.229, 0.224, 0.225)

_BLOCKS = (3, 4, 6, 3)
_EXPANSION = 4
"""A bottleneck gives four times as many channels as its 3x3 convolution has."""


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions beside a shortcut; width and stride are those of the 3x3."""

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        out_channels = _EXPANSION * width
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module | None = None
        if stride != 1 or in_channels != out_channels:
            shortcut = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, 4 width, H / stride, W / stride)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        summed: Tensor = self.relu(self.bn3(self.conv3(out)) + shortcut)
        return summed


class ResNet50(nn.Module):
    """Crops to feature vectors. The weights' type is the type computed in; features are float32."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        channels = 64
        for number, num_blocks in enumerate(_BLOCKS, start=1):
            width = 32 << number
            blocks: list[nn.Module] = []
            for block in range(num_blocks):
                stride = 2 if block == 0 and number > 1 else 1
                blocks.append(Bottleneck(channels, width, stride))
                channels = _EXPANSION * width
            setattr(self, f"layer{number}", nn.Sequential(*blocks))

    def forward(self, images: Tensor) -> Tensor:
        """Looks at (N, 3, 224, 224) crops, RGB, normalised by `normalised`; gives (N, 2048)."""
        x = images.to(self.conv1.weight.dtype)
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for number in range(1, len(_BLOCKS) + 1):
            x = getattr(self, f"layer{number}")(x)
        features: Tensor = x.mean(dim=(2, 3)).float()
        return features


def normalised(crops_bgr: Tensor) -> Tensor:
    """What `ResNet50` wants: (N, H, W, 3) uint8 BGR to (N, 3, H, W) RGB less ImageNet's mean, over its spread."""
    rgb = crops_bgr.flip(-1).movedim(-1, 1).float() / 255.0
    mean = rgb.new_tensor(IMAGENET_MEAN_RGB)[:, None, None]
    std = rgb.new_tensor(IMAGENET_STD_RGB)[:, None, None]
    return (rgb - mean) / std
