"""Textured rectangles that move over a textured background, and a detector that knows where they are."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from realtime_vibe.geometry.crop import RotatedSquare
from realtime_vibe.packets import Frame
from realtime_vibe.tracking.base import DetectedPerson
from realtime_vibe.tracking.boxes import iou_matrix

WIDTH, HEIGHT = 640, 480
FPS = 30.0


def texture(seed: int, width: int, height: int) -> np.ndarray:
    """(height, width, 3) blotches that the flow can hold on to."""
    noise = np.random.default_rng(seed).uniform(0, 255, (height // 4 + 1, width // 4 + 1, 3))
    large = cv2.resize(noise.astype(np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
    return cv2.GaussianBlur(large, (0, 0), 1.5)


@dataclass(frozen=True)
class Thing:
    """A rectangle; those later in a scene are in front."""

    seed: int
    box_at: Callable[[int], tuple[float, float, float, float] | None]
    """Middle x, y, width, height in a frame [px]; None: absent."""


class Scene:
    """Draws frames."""

    def __init__(self, *things: Thing, background: int = 99) -> None:
        self.things = things
        self.background = texture(background, WIDTH, HEIGHT)
        self.textures = [texture(thing.seed, 100, 100) for thing in things]

    def boxes(self, index: int) -> list[np.ndarray]:
        """(4,) of what is there."""
        found = []
        for thing in self.things:
            box = thing.box_at(index)
            if box is not None:
                x, y, w, h = box
                found.append(np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2], np.float32))
        return found

    def frame(self, index: int) -> Frame:
        """The picture; times run at 30 frames a second."""
        image = self.background.copy()
        for thing, skin in zip(self.things, self.textures, strict=True):
            box = thing.box_at(index)
            if box is None:
                continue
            x, y, w, h = box
            matrix = np.array([[w / 100, 0, x - w / 2], [0, h / 100, y - h / 2]])
            mask = cv2.warpAffine(np.full((100, 100), 255, np.uint8), matrix, (WIDTH, HEIGHT))
            drawn = cv2.warpAffine(skin, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
            image[mask > 127] = drawn[mask > 127]
        time_s = index / FPS
        return Frame(image_bgr=image, index=index, captured_at_s=time_s, grabbed_at_s=time_s)


class SceneDetector:
    """Sees what the scene holds in the frame that the test sets."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.index = 0
        self.blind_in: set[int] = set()
        self.sees_hidden = True
        """Else, of two who overlap by half, only the one in front."""
        self.calls: list[int] = []
        self.num_closed = 0

    def detect(self, image_bgr: np.ndarray) -> tuple[DetectedPerson, ...]:
        self.calls.append(self.index)
        if self.index in self.blind_in:
            return ()
        boxes = self.scene.boxes(self.index)
        if not self.sees_hidden:
            overlap = np.triu(iou_matrix(boxes, boxes), 1)
            boxes = [box for box, over in zip(boxes, overlap, strict=True) if over.max() < 0.5]
        return tuple(detected(box) for box in boxes)

    def close(self) -> None:
        self.num_closed += 1


def detected(box: np.ndarray, score: float = 0.9) -> DetectedPerson:
    """A detection whose region is the square on the same middle."""
    middle = 0.5 * (box[:2] + box[2:])
    region = RotatedSquare(
        center_x_px=float(middle[0]),
        center_y_px=float(middle[1]),
        side_px=1.25 * float((box[2:] - box[:2]).max()),
        roll_rad=0.0,
    )
    return DetectedPerson(score=score, bbox_xyxy=np.asarray(box, np.float32), region=region)
