"""The backbone: its size and names, what a convolution net must do, and half precision."""

import numpy as np
import torch

from realtime_vibe.models.precision import with_products_in
from realtime_vibe.models.resnet import ResNet50, normalised
from tests.official_vibe import random_vibe, short_backbone


def test_size_and_names_are_resnet_50_s():
    network = ResNet50()
    assert sum(weight.numel() for weight in network.parameters()) == 23_508_032
    state = network.state_dict()
    assert state["conv1.weight"].shape == (64, 3, 7, 7)
    assert state["layer1.0.downsample.0.weight"].shape == (256, 64, 1, 1)
    assert state["layer4.2.conv3.weight"].shape == (2048, 512, 1, 1)
    strides = [
        block[0].conv2.stride[0] for block in (getattr(network, f"layer{n}") for n in range(1, 5))
    ]
    assert strides == [1, 2, 2, 2]
    assert all(block.conv1.stride == (1, 1) for block in network.layer2)


@torch.no_grad()
def test_one_picture_does_not_change_another():
    network = ResNet50().eval()
    images = torch.randn(3, 3, 224, 224)
    together = network(images)
    assert together.shape == (3, 2048)
    torch.testing.assert_close(network(images[1:2])[0], together[1], atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_the_last_map_is_averaged_over_seven_by_seven():
    with short_backbone():
        network = random_vibe().backbone
    maps = []
    network.layer4.register_forward_hook(lambda _module, _input, out: maps.append(out))
    features = network(torch.randn(1, 3, 224, 224))
    assert maps[0].shape == (1, 2048, 7, 7)
    torch.testing.assert_close(maps[0].mean(dim=(2, 3)), features, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_half_weights_give_nearly_the_same_features_in_single_precision():
    with short_backbone():
        network = random_vibe().backbone
    images = torch.randn(1, 3, 224, 224)
    whole = network(images)
    with_products_in(network, "fp32")
    torch.testing.assert_close(network(images), whole, atol=1e-5, rtol=1e-5)
    half = network.half()(images)
    assert half.dtype == torch.float32
    assert (half - whole).abs().max() < 0.01 * whole.abs().max()


def test_normalisation_turns_bytes_into_imagenet_s_units():
    crop = np.zeros((1, 2, 2, 3), np.uint8)
    crop[0, 0, 0] = [0, 128, 255]  # blue, green, red
    image = normalised(torch.from_numpy(crop))
    assert image.shape == (1, 3, 2, 2)
    expected = [(1.0 - 0.485) / 0.229, (128 / 255 - 0.456) / 0.224, (0.0 - 0.406) / 0.225]
    np.testing.assert_allclose(image[0, :, 0, 0], expected, rtol=1e-5)
