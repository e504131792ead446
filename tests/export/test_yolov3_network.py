"""YOLOv3's layers, its maps against OpenCV 4's Darknet reader, and the person detection made of them."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from export.darknet_weights import load_yolov3
from export.yolov3_layers import (
    BOX_VALUES,
    NUM_CLASSES,
    PERSON_CLASS,
    YOLOV3,
    YOLOV3_TINY,
    Detection,
)
from export.yolov3_network import BoxDecoder, PersonDetection
from realtime_vibe.errors import ExportError
from tests.official_yolo import architecture_of, cfg_text

OPENCV_4 = "opencv-python-headless==4.12.0.88"  # OpenCV 5 reads no Darknet files
OPENCV_EPSILON = 1e-6
READ_WITH_OPENCV = """
import sys
import cv2
import numpy as np

config, weights, picture, out = sys.argv[1:]
net = cv2.dnn.readNetFromDarknet(config, weights)
net.setInput(np.load(picture))
names, ends = list(net.getLayerNames()), list(net.getUnconnectedOutLayersNames())
maps = [names[names.index(end) - 1] for end in ends]
np.savez(out, *net.forward(maps + ends))
"""


def picture(size=416, seed=1):
    """(1, size, size, 3) uint8 BGR: soft blobs."""
    blobs = torch.rand(1, 3, 13, 13, generator=torch.Generator().manual_seed(seed))
    soft = torch.nn.functional.interpolate(blobs, (size, size), mode="bilinear")
    return (soft * 255).byte().permute(0, 2, 3, 1).contiguous()


def network_input(image_bgr):
    return image_bgr.flip(-1).permute(0, 3, 1, 2).float() / 255


@pytest.fixture(scope="module")
def tiny(tiny_weights):
    return load_yolov3(tiny_weights)


@pytest.fixture(scope="module")
def opencv_4(tmp_path_factory):
    """A folder with OpenCV 4 for PYTHONPATH."""
    folder = tmp_path_factory.mktemp("opencv4")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--retries=0"]
    command += ["--no-compile", "--timeout=10", "--only-binary=:all:"]
    done = subprocess.run(
        [*command, "--target", str(folder), OPENCV_4],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"pip cannot fetch {OPENCV_4}: {done.stderr.strip().splitlines()[-1]}")
    return folder


def run_opencv(folder, tmp_path, config_text, weights, images):
    """Raw maps (1, H, W, 255) and decoded boxes (H W 3, 85) per detection layer, as OpenCV has them."""
    config, given, out = (tmp_path / name for name in ("net.cfg", "picture.npy", "maps.npz"))
    config.write_text(config_text)
    np.save(given, images.numpy())
    subprocess.run(
        [sys.executable, "-c", READ_WITH_OPENCV, config, weights, given, out],
        env=os.environ | {"PYTHONPATH": str(folder)},
        check=True,
    )
    with out.open("rb") as file, np.load(file) as arrays:
        results = [arrays[f"arr_{index}"] for index in range(len(arrays.files))]
    half = len(results) // 2
    return results[:half], results[half:]


def test_the_tables_are_darknets():
    assert (len(YOLOV3.layers), len(YOLOV3.convolutions)) == (107, 75)
    assert (len(YOLOV3_TINY.layers), len(YOLOV3_TINY.convolutions)) == (24, 13)
    assert (YOLOV3.num_floats, YOLOV3_TINY.num_floats) == (62_001_757, 8_858_734)


@pytest.mark.slow
@pytest.mark.parametrize(("is_tiny", "size"), [(True, 416), (False, 224)], ids=["tiny", "full"])
def test_maps_and_boxes_are_those_of_opencv_4(opencv_4, request, tmp_path, is_tiny, size):
    config = cfg_text(architecture_of(tiny=is_tiny), size)
    weights = request.getfixturevalue("tiny_weights" if is_tiny else "full_weights")
    network, image = load_yolov3(weights, epsilon=OPENCV_EPSILON), picture(size)
    expected_maps, expected_boxes = run_opencv(
        opencv_4, tmp_path, config, weights, network_input(image)
    )
    with torch.no_grad():
        maps = network(network_input(image))
        boxes, scores = (values[0].numpy() for values in PersonDetection(network, size)(image))
    for found, expected in zip(maps, expected_maps, strict=True):
        assert expected.std() > 0.5
        np.testing.assert_allclose(found.permute(0, 2, 3, 1), expected, atol=1e-4)
    start = 0
    for raw, expected in zip(expected_maps, expected_boxes, strict=True):
        cells, count = raw.shape[1:3], len(expected)
        here = slice(start, start + count)
        start += count
        # OpenCV counts anchors within cells, we count cells within anchors.
        box = boxes[here].reshape(3, *cells, 4).transpose(1, 2, 0, 3).reshape(-1, 4)
        score = scores[here].reshape(3, *cells).transpose(1, 2, 0).reshape(-1)
        center, half = expected[:, :2], expected[:, 2:4] / 2
        corners = np.hstack([center - half, center + half])
        np.testing.assert_allclose(box, corners, atol=1e-4, rtol=1e-4)
        logits = raw.reshape(count, BOX_VALUES + NUM_CLASSES)[:, BOX_VALUES + PERSON_CLASS]
        np.testing.assert_allclose(score, expected[:, 4] / (1 + np.exp(-logits)), atol=1e-5)
    assert start == len(scores)


def test_the_person_detection_reads_bgr_bytes_and_only_the_person(tiny):
    """Folding and cutting change nothing: the whole network, decoded cell by cell, says the same."""
    image, size = picture(64, seed=3), 64
    with torch.no_grad():
        maps = [raw[0].double().numpy() for raw in tiny(network_input(image))]
        boxes, scores = (values[0].numpy() for values in PersonDetection(tiny, size)(image))
    layers = [layer for layer in YOLOV3_TINY.layers if isinstance(layer, Detection)]
    index = 0
    for raw, layer in zip(maps, layers, strict=True):
        for anchor, (width, height) in enumerate(layer.anchors):
            values = raw[anchor * (BOX_VALUES + NUM_CLASSES) :]
            for row in range(raw.shape[1]):
                for column in range(raw.shape[2]):
                    x, y, w, h, objectness, person = values[:6, row, column]
                    middle = (np.array([column, row]) + sigmoid([x, y])) / raw.shape[1]
                    half = np.exp([w, h]) * [width, height] / size / 2
                    np.testing.assert_allclose(
                        boxes[index], [*(middle - half), *(middle + half)], atol=1e-4, rtol=1e-4
                    )
                    chance = sigmoid(objectness) * sigmoid(person)
                    np.testing.assert_allclose(scores[index], chance, atol=1e-5)
                    index += 1
    assert index == len(scores) == 3 * (2 * 2 + 4 * 4)


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x)))


def test_the_network_itself_is_left_alone(tiny):
    before = {name: value.clone() for name, value in tiny.state_dict().items()}
    PersonDetection(tiny, 64, "fp16")
    for name, value in tiny.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, before[name])


def test_half_precision_gives_single_results(tiny):
    with torch.no_grad():
        whole = PersonDetection(tiny, 64)(picture(64))
        half = PersonDetection(tiny, 64, "fp16")(picture(64))
    for expected, found in zip(whole, half, strict=True):
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, expected, atol=1e-2, rtol=1e-2)
        assert not torch.equal(found, expected)


@pytest.mark.parametrize("size", [32, 320, 416])
def test_every_size_has_its_number_of_anchors(tiny, size):
    cells = sum((size // stride) ** 2 for stride in (32, 16))
    with torch.no_grad():
        boxes, scores = PersonDetection(tiny, size)(picture(size))
    assert boxes.shape == (1, 3 * cells, 4)
    assert scores.shape == (1, 3 * cells)


def test_a_size_that_does_not_fit_is_refused(tiny, subtests):
    for size in [0, 400, -32]:
        with subtests.test(size=size):
            with pytest.raises(ExportError, match="multiple of 32"):
                PersonDetection(tiny, size)


def test_an_empty_map_puts_a_box_of_its_anchors_size_into_the_middle_of_each_cell():
    boxes, scores = BoxDecoder(((208, 104), (416, 416), (1, 1)), 416)(torch.zeros(1, 18, 2, 2))
    assert torch.all(scores == 0.25)
    torch.testing.assert_close(boxes[0, 1], torch.tensor([0.5, 0.125, 1.0, 0.375]))  # upper right
    torch.testing.assert_close(boxes[0, 6], torch.tensor([-0.25, 0.25, 0.75, 1.25]))  # lower left
