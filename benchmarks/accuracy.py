"""Accuracy of the live path on clips with known 3D joints, beside BlazePose's own landmarks.

    python -m benchmarks.accuracy ../shared/data/real3d

A clip is a folder of `video.mp4` and `truth.npz` (keys in `accuracy_clips`). Both methods see the
same frames in the same run, tracked once, unsmoothed unless --smooth is given: ours through the
whole pipeline, BlazePose's world landmarks straight from the tracker. Short tables follow on how
tightly the mesh lies on the person in the image, and on how it stands; the first of them also for
videos without a truth (--overlay FILE...). Joints of both are scored
about the middle of the scored joints; --joints chooses a published set instead. Everything else the
figures depend on is stated under the table.
"""

import argparse
import sys
from pathlib import Path

from benchmarks.accuracy_3dhp import find_3dhp_clips
from benchmarks.accuracy_3dpw import find_3dpw_clips
from benchmarks.accuracy_clips import find_clips
from benchmarks.accuracy_evaluate import Evaluation, evaluate, with_overlays
from benchmarks.accuracy_h36m import find_h36m_clips
from benchmarks.accuracy_joints import AUTO, SET_NAMES
from benchmarks.accuracy_report import as_json, as_table
from benchmarks.command_line import add_refine
from benchmarks.figure_files import check_figure_files, write_json, writing
from benchmarks.turned_clips import turned_clip
from realtime_vibe.app.settings import DEFAULT_ENGINE, LiveConfig
from realtime_vibe.errors import ConfigError, RealtimeVibeError
from realtime_vibe.temporal.modes import MODES
from realtime_vibe.tracking.choices import FULL, TRACKER_MODELS

_OWN = "clips"
_READERS = {
    _OWN: find_clips,
    "3dpw": find_3dpw_clips,
    "mpi-inf-3dhp": find_3dhp_clips,
    "h36m": find_h36m_clips,
}


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns 0, or 2 after an error that the user can fix."""
    options = _parser().parse_args(arguments)
    try:
        config = LiveConfig(
            engine=options.engine,
            backend=options.backend,
            tracker=options.tracker,
            temporal=options.temporal,
            smooth=options.smooth,
            tracker_model=options.tracker_model,
            refine=options.refine,
            fov_deg=options.fov_deg,
            view="none",
        )
        _check_outputs(options.json, options.plot)
        if options.folder is None and not options.overlay:
            raise ConfigError("nothing to measure: expected a folder of clips, or --overlay FILE")
        clips = () if options.folder is None else _READERS[options.dataset](options.folder)
        if options.beside is not None:
            clips = tuple(turned_clip(clip, options.beside) for clip in clips)
        evaluation = evaluate(
            clips,
            config,
            options.joints,
            regressor=options.regressor,
            is_pooled=options.dataset != _OWN,
        )
        evaluation = with_overlays(evaluation, options.overlay)
        print(as_table(evaluation))
        _write(evaluation, options.json, options.plot)
    except RealtimeVibeError as error:
        print(f"benchmarks.accuracy: error: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy", description="Accuracy on clips with known 3D joints."
    )
    parser.add_argument("folder", type=Path, nargs="?", help="folder of clips, or one clip folder")
    parser.add_argument(
        "--overlay",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="also videos without a truth: how tightly the mesh lies on the person",
    )
    parser.add_argument(
        "--dataset",
        choices=tuple(_READERS),
        default=_OWN,
        help="layout of the folder; the owner's test set of 3dpw or h36m (--joints lsp14 is their protocol) or of "
        "mpi-inf-3dhp (--joints mpi17); in their means every frame counts alike",
    )
    parser.add_argument(
        "--regressor",
        type=Path,
        metavar="FILE",
        help="J_regressor_h36m.npy: ours, and the truth where it is a body, are the joints that papers regress "
        "(needs an engine on SMPL's mesh)",
    )
    parser.add_argument("--engine", default=DEFAULT_ENGINE, help="engine name or folder")
    parser.add_argument("--backend", default="auto", help="inference backend")
    parser.add_argument(
        "--tracker",
        choices=("blazepose", "mediapipe"),
        default="blazepose",
        help="whose landmarks ours starts from and is compared with; mediapipe smooths its own",
    )
    parser.add_argument(
        "--tracker-model",
        choices=TRACKER_MODELS,
        default=FULL,
        help="size of BlazePose's landmark network, for both methods",
    )
    add_refine(parser)
    parser.add_argument("--temporal", choices=MODES, default="stream")
    parser.add_argument("--smooth", type=float, default=0.0, help="strength in [0, 1]")
    parser.add_argument(
        "--beside",
        type=float,
        metavar="DEG",
        help="the clips as a wide webcam sees them that is turned so far that the person stands beside "
        "the middle; to the right above 0",
    )
    parser.add_argument(
        "--fov-deg", type=float, help="horizontal field of view; a usual one if left out"
    )
    parser.add_argument("--joints", choices=SET_NAMES, default=AUTO, help="which joints to score")
    parser.add_argument("--json", type=Path, help="also write the scores to this file")
    parser.add_argument("--plot", type=Path, help="also draw each joint's error to this PNG")
    return parser


def _check_outputs(json_path: Path | None, plot_path: Path | None) -> None:
    check_figure_files(json_path, plot_path)
    if plot_path is not None and plot_path.suffix.lower() != ".png":
        raise ConfigError(f"--plot is {plot_path}, expected a .png file")


def _write(evaluation: Evaluation, json_path: Path | None, plot_path: Path | None) -> None:
    with writing():
        if json_path is not None:
            write_json(json_path, as_json(evaluation))
        if plot_path is not None:
            from benchmarks.accuracy_plot import draw_joint_errors

            draw_joint_errors(evaluation, plot_path)


if __name__ == "__main__":
    sys.exit(main())
