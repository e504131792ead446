"""How the tracker's landmarks err on clips with known joints, and how the training's simulation does.

    python -m benchmarks.tracker_errors ../shared/data/real3d --simulated --motion ../shared/data/motion

Bones: the angle out of the image plane (elevation, positive: the far end is farther from the camera)
of the tracker's world landmarks over the true one, `seen = intercept + slope * true`, by where the
person faces. The simulation's samples are weighted to the clips' own distribution of facing and true
elevation, bone by bone, so that both columns answer the same question.
"""

import argparse
import sys
from pathlib import Path

from benchmarks.accuracy_clips import find_clips
from benchmarks.figure_files import write_json, writing
from benchmarks.landmark_tracks import real_track, simulated_tracks
from benchmarks.tracked_clips import tracked_clips
from benchmarks.tracker_errors_measured import measure
from benchmarks.tracker_errors_report import as_json, as_table
from realtime_vibe.body.model_file import load_body
from realtime_vibe.errors import RealtimeVibeError
from realtime_vibe.tracking.choices import FULL, TRACKER_MODELS


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns 0, or 2 after an error that the user can fix."""
    options = _parser().parse_args(arguments)
    try:
        clips = tracked_clips(
            [clip for folder in options.folders for clip in find_clips(folder)],
            options.cache,
            options.tracker_model,
        )
        body = load_body(options.body)
        tracks = [real_track(clip, body) for clip in clips]
        real, simulated = measure(tracks), None
        if options.simulated:
            streams = simulated_tracks(
                options.motion, options.body, num_streams=options.streams, seed=options.seed
            )
            simulated = measure(streams, like=tracks)
        print(as_table(real, simulated))
        if options.json is not None:
            with writing():
                write_json(options.json, as_json(real, simulated))
    except RealtimeVibeError as error:
        print(f"benchmarks.tracker_errors: error: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.tracker_errors",
        description="How the tracker errs on clips with known joints, and how its simulation does.",
    )
    parser.add_argument("folders", type=Path, nargs="+", help="folders of clips, or clip folders")
    parser.add_argument("--simulated", action="store_true", help="also measure the simulation")
    parser.add_argument("--motion", type=Path, default=Path("../shared/data/motion"))
    parser.add_argument("--body", type=Path, default=Path("engines/blazepose-gru/body.npz"))
    parser.add_argument("--streams", type=int, default=512, help="how many to simulate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tracker-model", choices=TRACKER_MODELS, default=FULL)
    parser.add_argument("--cache", type=Path, help="folder that keeps what was tracked")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
