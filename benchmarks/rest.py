"""Does a network's memory come to rest, or does it drift for as long as somebody is seen?"""

from collections.abc import Iterator
from contextlib import closing

import numpy as np
from tqdm import tqdm

from benchmarks.latency import decoded_frames
from benchmarks.stages import EngineStages, frame_of, open_stages
from realtime_vibe.backends.base import AnyArray
from realtime_vibe.errors import DatasetError
from realtime_vibe.features.factory import needs_landmarks
from realtime_vibe.geometry.camera import nominal_focal_px
from realtime_vibe.packets import FloatArray
from realtime_vibe.sources.video_file import demo_clip_path
from realtime_vibe.tracking.choices import TrackerChoice
from realtime_vibe.tracking.factory import make_tracker

LAST_FRAMES = 300
"""Ten seconds: all that the memory may still know."""
_COMPARED = 30
_CLIP_FRAMES = 90
_SIZE = (640, 480)


def restlessness_mm(engine: str, backend: str, num_frames: int) -> float:
    """How far the worst joint of a long memory lies from that of a fresh one [mm].

    A clip is looped for `num_frames`, unsmoothed and about the root; the fresh memory has seen the last
    `LAST_FRAMES` of them alone. The last second is compared.

    Args:
        engine: name or folder.
        backend: see `realtime_vibe.backends.factory.open_session`.
        num_frames: length of the long run.

    Raises:
        DatasetError: nobody was found in the clip.
    """
    with closing(open_stages(engine, backend)) as stages:
        rows = _clip_features(stages)
        long = list(_joints(stages, rows, 0, num_frames))
        fresh = list(_joints(stages, rows, max(0, num_frames - LAST_FRAMES), num_frames))
    return float(np.linalg.norm(np.subtract(long, fresh), axis=-1).max() * 1e3)


def _clip_features(stages: EngineStages) -> list[AnyArray]:
    """(1, F) of each frame of the demo clip in which somebody is seen."""
    needs = needs_landmarks(stages.engine)
    rows = []
    with make_tracker(TrackerChoice(), needs_landmarks=needs) as tracker:
        for index, image in enumerate(decoded_frames(demo_clip_path(), _SIZE, limit=_CLIP_FRAMES)):
            frame = frame_of(image, index)
            people = tracker.update(frame)[:1]
            if people:
                rows.append(stages.features.extract(frame, people, nominal_focal_px(*_SIZE, None)))
    if not rows:
        raise DatasetError("nobody was found in the demo clip")
    return rows


def _joints(
    stages: EngineStages, rows: list[AnyArray], start: int, stop: int
) -> Iterator[FloatArray]:
    """(24, 3) of the last frames of a run over the looped rows."""
    hidden = stages.model.initial_hidden(1)
    for index in tqdm(range(start, stop), unit="step", leave=False, disable=None):
        out = stages.model.step(rows[index % len(rows)], hidden)
        hidden = out.hidden
        if index >= stop - _COMPARED:
            rotmat = out.rotmat[0]
            origin = np.zeros(3, np.float32)
            yield stages.body.joints(rotmat[0], rotmat[1:], out.betas[0], origin)
