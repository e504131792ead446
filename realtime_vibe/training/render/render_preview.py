"""A sheet of rendered samples: red is where landmarks are, green where the tracker sees them."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_vibe.errors import OutputError
from realtime_vibe.training.render.picture import ImageArray, StreamRenderer, track
from realtime_vibe.training.render.shard_writer import ShardSettings, ShardWriter
from realtime_vibe.training.samples.sequences import SequenceTruth, posed_points, projected

_CELL_PX = 480
_COLUMNS = 4
_SETTLING_FRAMES = 4
"""The tracker is shown so many before the one that is drawn."""
_TRUE_BGR, _TRACKED_BGR = (40, 40, 255), (60, 255, 60)


def write_contact_sheet(settings: ShardSettings, path: Path) -> None:
    """Draws one moment of each stream of a shard, which the seed decides, as a picture of the path's suffix.

    Raises:
        OutputError: it cannot be written.
        RealtimeVibeError: something is missing, damaged or not installed.
    """
    if not cv2.haveImageWriter(str(path)):
        raise OutputError(f"cannot write {path}: no picture format has this suffix")
    if not cv2.imwrite(str(path), contact_sheet(settings)):
        raise OutputError(f"cannot write {path}; is its folder there?")


def contact_sheet(settings: ShardSettings) -> ImageArray:
    """The sheet (H, W, 3) BGR."""
    writer = settings.open()
    rng = np.random.default_rng([settings.seed, 0])
    truth = writer.draw(rng)
    cells = [_cell(writer, truth, row, rng) for row in range(settings.streams)]
    cells += [np.zeros_like(cells[0])] * (-len(cells) % _COLUMNS)
    rows = [
        np.concatenate(cells[start : start + _COLUMNS], axis=1)
        for start in range(0, len(cells), _COLUMNS)
    ]
    return np.concatenate(rows, axis=0)


def _cell(
    writer: ShardWriter, truth: SequenceTruth, row: int, rng: np.random.Generator
) -> ImageArray:
    renderer = writer.renderer(truth, row, rng)
    last = min(_SETTLING_FRAMES, len(truth.dt_s) - 1)
    people = list(track(renderer, writer.tracker, truth.dt_s[: last + 1, row].numpy()))
    _, landmarks = posed_points(truth, writer.layer)
    middle = np.array([renderer.camera.width, renderer.camera.height]) / 2
    true_px = projected(landmarks, truth)[last, row].numpy() * renderer.px_of_truth + middle
    marks: list[tuple[NDArray[np.floating], tuple[int, int, int]]] = [(true_px, _TRUE_BGR)]
    person = people[-1]
    if person is not None and person.landmarks is not None:
        marks.append((person.landmarks.image_px[:, :2], _TRACKED_BGR))
    return _annotated(renderer, last, marks)


def _annotated(
    renderer: StreamRenderer,
    index: int,
    marks: list[tuple[NDArray[np.floating], tuple[int, int, int]]],
) -> ImageArray:
    """(C, C, 3) the picture, enlarged around the true landmarks, with points on it."""
    image = renderer.frame(index)
    low, high = marks[0][0].min(axis=0), marks[0][0].max(axis=0)
    side = 1.3 * max(float((high - low).max()), 16.0)
    zoom = _CELL_PX / side
    corner = 0.5 * (low + high) - 0.5 * side
    shift = np.array([[zoom, 0, -zoom * corner[0]], [0, zoom, -zoom * corner[1]]])
    cell = np.asarray(cv2.warpAffine(image, shift, (_CELL_PX, _CELL_PX)), np.uint8)
    for points, color in marks:
        for x, y in np.round((points - corner) * zoom).astype(int):
            cv2.circle(cell, (int(x), int(y)), 2, color, -1, cv2.LINE_AA)
    return cell
