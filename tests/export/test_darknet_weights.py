"""Darknet's weight files: every number lands where Darknet puts it, and bad files are refused by name."""

import numpy as np
import pytest
import torch

from export.darknet_weights import BATCH_NORM_EPSILON, load_yolov3
from realtime_vibe.errors import CheckpointError
from tests.official_yolo import architecture_of, cfg_text

HEADER_BYTES = 20


class NumpyDarknet:
    """Runs a `.cfg` on a file's floats in float64, layer by layer, batch norm as the paper writes it."""

    def __init__(self, config, floats):
        self.sections = [section.split("\n") for section in config.strip().split("\n\n")][1:]
        self.floats = floats
        self.place = 0

    def run(self, image):
        """(3, S, S) to the raw maps."""
        results, maps, x = [], [], image
        for name, *lines in self.sections:
            options = dict(line.split("=") for line in lines)
            match name:
                case "[convolutional]":
                    x = self._convolve(x, options)
                case "[maxpool]":
                    x = pooled(x, int(options["stride"]))
                case "[shortcut]":
                    x = x + results[int(options["from"])]
                case "[route]":
                    x = np.concatenate([results[int(s)] for s in options["layers"].split(",")])
                case "[upsample]":
                    x = x.repeat(2, axis=1).repeat(2, axis=2)
                case "[yolo]":
                    maps.append(x)
            results.append(x)
        assert self.place == len(self.floats)
        return maps

    def _take(self, count):
        self.place += count
        return self.floats[self.place - count : self.place].astype(np.float64)

    def _convolve(self, x, options):
        filters, size, stride = (int(options[key]) for key in ("filters", "size", "stride"))
        beta = self._take(filters)
        normed = "batch_normalize" in options
        gamma, mean, variance = (self._take(filters) for _ in range(3)) if normed else (1, 0, 1)
        weights = self._take(filters * len(x) * size * size).reshape(filters, len(x), size, size)
        side, pad = x.shape[1], size // 2
        padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
        y = 0.0
        for row in range(size):
            for column in range(size):
                seen = padded[:, row : row + side : stride, column : column + side : stride]
                y = y + np.tensordot(weights[:, :, row, column], seen, axes=1)
        scale, shift = (np.reshape(value, (-1, 1, 1)) for value in (gamma, mean))
        if normed:
            y = scale * (y - shift) / np.sqrt(variance + BATCH_NORM_EPSILON)[:, None, None]
        y = y + beta[:, None, None]
        return np.where(y > 0, y, 0.1 * y) if options["activation"] == "leaky" else y


def pooled(x, stride):
    below = np.pad(x, ((0, 0), (0, 1), (0, 1)), constant_values=-np.inf)
    corners = [below[:, r : r + x.shape[1], c : c + x.shape[2]] for r in (0, 1) for c in (0, 1)]
    return np.max(corners, axis=0)[:, ::stride, ::stride]


def with_content(folder, content):
    path = folder / "some.weights"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("is_tiny", [True, False], ids=["tiny", "full"])
def test_the_loaded_network_computes_what_the_file_says(request, is_tiny):
    path = request.getfixturevalue("tiny_weights" if is_tiny else "full_weights")
    network = load_yolov3(path)
    assert network.architecture is architecture_of(tiny=is_tiny)
    assert not network.training
    image = np.random.default_rng(0).random((3, 64, 64), np.float32)
    floats = np.fromfile(path, "<f4", offset=HEADER_BYTES)
    expected = NumpyDarknet(cfg_text(network.architecture), floats).run(image)
    with torch.no_grad():
        maps = network(torch.from_numpy(image)[None])
    for found, wanted in zip(maps, expected, strict=True):
        assert wanted.std() > 0.5
        np.testing.assert_allclose(found[0].numpy(), wanted, atol=1e-4)


def test_the_old_header_is_four_bytes_shorter(tiny_weights, tmp_path):
    content = tiny_weights.read_bytes()
    old = np.array([0, 1, 0, 7], "<i4").tobytes() + content[HEADER_BYTES:]
    found = load_yolov3(with_content(tmp_path, old)).state_dict()
    for name, value in load_yolov3(tiny_weights).state_dict().items():
        assert torch.equal(found[name], value)


def test_a_header_that_ends_early_is_named(tiny_weights, tmp_path, subtests):
    for num_bytes in [0, 3, 11, 12, 19]:
        with subtests.test(num_bytes=num_bytes):
            path = with_content(tmp_path, tiny_weights.read_bytes()[:num_bytes])
            with pytest.raises(CheckpointError, match="ends within its header"):
                load_yolov3(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [(-4, "holds 8,858,733 floats after"), (-1, "8,858,733 floats and 3 bytes"), (4, "8,858,735")],
)
def test_another_size_is_named_beside_the_sizes_there_are(tiny_weights, tmp_path, change, message):
    content = tiny_weights.read_bytes()
    path = with_content(tmp_path, content[:change] if change < 0 else content + b"\0" * change)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_yolov3(path)
    assert "yolov3 has 62,001,757" in str(caught.value)
    assert "yolov3-tiny has 8,858,734" in str(caught.value)


def test_numbers_that_are_not_finite_are_refused(tiny_weights, tmp_path, subtests):
    for value in [np.nan, np.inf]:
        for place in [0, 16 * 3, 8_858_733]:
            with subtests.test(value=value, place=place):
                floats = np.fromfile(tiny_weights, "<f4", offset=HEADER_BYTES)
                floats[place] = value
                header = tiny_weights.read_bytes()[:HEADER_BYTES]
                path = with_content(tmp_path, header + floats.tobytes())
                with pytest.raises(CheckpointError, match="not finite"):
                    load_yolov3(path)


def test_a_negative_variance_is_refused(tiny_weights, tmp_path):
    floats = np.fromfile(tiny_weights, "<f4", offset=HEADER_BYTES)
    floats[16 * 3] = -0.5
    path = with_content(tmp_path, tiny_weights.read_bytes()[:HEADER_BYTES] + floats.tobytes())
    with pytest.raises(CheckpointError, match="negative variance"):
        load_yolov3(path)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"missing\.weights: cannot be read \(No such file"):
        load_yolov3(tmp_path / "missing.weights")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_yolov3(tmp_path)
