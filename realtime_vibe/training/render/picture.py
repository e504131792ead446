"""Pictures of one stream: a dressed body in a room, as a webcam sees it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.body.model_file import BodyModel
from realtime_vibe.geometry.camera import PinholeView
from realtime_vibe.packets import Frame, TrackedPerson
from realtime_vibe.tracking.base import PersonTracker
from realtime_vibe.training.render.backdrop import add_obstacle, make_backdrop, make_camera_look
from realtime_vibe.training.render.figure import Figure, make_figure
from realtime_vibe.training.render.raycast import draw, make_light, make_paint
from realtime_vibe.training.samples.sequences import SequenceTruth

ImageArray = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureSettings:
    """What pictures are like."""

    tallest_px: float = 230.0
    """Height of a figure; the landmark network sees 256 pixels anyhow."""
    tallest_image_px: float = 480.0
    obstacle_chance: float = 0.12
    """Of each stream: something stands before the person."""
    photos: tuple[ImageArray, ...] = ()
    """Backgrounds (H, W, 3) BGR used now and then."""


class StreamRenderer:
    """Pictures of one stream, that in a row of the truth."""

    def __init__(
        self,
        truth: SequenceTruth,
        row: int,
        body: BodyModel,
        settings: PictureSettings,
        rng: np.random.Generator,
    ) -> None:
        self._rng = rng
        self._rotmat = truth.rotmat[:, row].numpy()
        self._transl = truth.transl[:, row].numpy()
        self._half = half = truth.principal[row].numpy()
        focal = float(truth.true_focal[row])
        scale = _picture_scale(self._transl, focal, half, settings)
        # Even sizes: the principal point stays in the middle.
        width, height = (int(value) for value in 2 * np.round(half * scale))
        self.camera = PinholeView(
            focal_px=focal * height / (2 * float(half[1])), width=width, height=height
        )
        self.figure: Figure = make_figure(body, truth.betas[row].numpy(), rng)
        self._paint, self._light = make_paint(rng), make_light(rng)
        horizon = height * rng.uniform(0.2, 0.8)
        self._backdrop = make_backdrop(width, height, horizon, settings.photos, rng)
        self._front: NDArray[np.bool_] | None = None
        if rng.random() < settings.obstacle_chance:
            self._front = add_obstacle(self._backdrop, rng)
        self._look = make_camera_look(rng)

    @property
    def px_of_truth(self) -> NDArray[np.float32]:
        """(2,) picture pixels in a pixel of the truth."""
        size = np.array([self.camera.width, self.camera.height], np.float32)
        factor: NDArray[np.float32] = size / (2 * self._half)
        return factor

    def frame(self, index: int) -> ImageArray:
        """Picture (H, W, 3) BGR of one moment."""
        vertices = self.figure.posed(self._rotmat[index], self._transl[index])
        drawn = draw(self.figure, vertices, self._paint, self._light, self.camera)
        image = self._backdrop.copy()
        if drawn is not None:
            rows, columns, color = drawn.rows, drawn.columns, drawn.color
            if self._front is not None:
                free = ~self._front[rows, columns]
                rows, columns, color = rows[free], columns[free], color[free]
            image[rows, columns] = color
        return self._look.apply(image, self._rng)


def _picture_scale(
    transl: NDArray[np.float32],
    focal_px: float,
    half: NDArray[np.float32],
    settings: PictureSettings,
) -> float:
    """Factor on the image size that keeps the figure small enough to be cheap."""
    nearest = float(np.quantile(transl[:, 2], 0.1))
    tallest = 1.75 * focal_px / max(nearest, 0.3)
    fitting = settings.tallest_image_px / (2 * float(half[1]))
    return min(1.0, settings.tallest_px / tallest, fitting)


def track(
    renderer: StreamRenderer, tracker: PersonTracker, dt_s: NDArray[np.float32]
) -> Iterator[TrackedPerson | None]:
    """What the tracker says, frame by frame, of frames (S,) apart [s]; None where it finds nobody.

    It is made to forget what it saw before.
    """
    tracker.reset()
    now_s = 0.0
    for index, step_s in enumerate(dt_s):
        now_s += float(step_s)
        people = tracker.update(
            Frame(
                image_bgr=renderer.frame(index),
                index=index,
                captured_at_s=now_s,
                grabbed_at_s=now_s,
            )
        )
        yield people[0] if people else None
