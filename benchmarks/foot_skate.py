r"""How fast planted feet slide over the floor, with and without --foot-lock.

    python -m realtime_vibe.training.render.render_clips --motion ../shared/data/motion --out out/walks --clips 6 \
        --frames 90 --kind walking
    python -m benchmarks.foot_skate out/walks --plot out/skate.png
    python -m benchmarks.foot_skate ../shared/data/real3d    # without what needs a true pose

Of each foot's heel and ball the slower one counts: a foot rolls. Speeds are horizontal for a level camera.
`lower`: of the lower foot, all the time. `held`: while the lock says that the foot is planted. `true`: while the captured foot is slower than
0.45 m/s; motion capture slides as well (`capture`), and where the tracker takes left for right or loses a
small figure's legs, contacts are found late or not at all. `joints` is the change of the mean joint error,
about the pelvis.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy_clips import ClipTruth, EvaluationClip, find_clips
from benchmarks.command_line import guarded
from realtime_vibe.app.run import BuiltPipeline, build_pipeline
from realtime_vibe.app.settings import LiveConfig
from realtime_vibe.body.skeleton import SmplSkeleton
from realtime_vibe.errors import DatasetError
from realtime_vibe.geometry.rotation import rotmat_from_axis_angle
from realtime_vibe.packets import NUM_SMPL_JOINTS, SmplParams
from realtime_vibe.world.foot_lock import FootLock
from realtime_vibe.world.soles import ANKLES, Soles, posed_soles

GOAL_MM_S = 30.0
TRUE_CONTACT_M_S = 0.45

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """A body over F frames."""

    soles: FloatArray
    """(F, 2, 2, 3) heel and ball of each foot [m], camera frame."""
    joints: FloatArray
    """(F, 24, 3) [m], camera frame."""

    def speeds(self, rate_hz: float) -> FloatArray:
        """(F - 1, 2, 2) horizontal [mm/s]."""
        steps = np.diff(self.soles[..., [0, 2]], axis=0)
        return np.asarray(np.linalg.norm(steps, axis=-1) * rate_hz * 1e3, np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipTracks:
    """One clip as it was, as it is seen, and as it is held."""

    name: str
    rate_hz: float
    capture: Track | None
    """None where the clip has no true pose."""
    seen: Track
    held: Track
    planted: NDArray[np.bool_]
    """(F, 2)."""
    lock_ms: float
    """What holding the feet costs a frame, median."""


class _Poser:
    def __init__(self, built: BuiltPipeline) -> None:
        self.body, self.soles = SmplSkeleton(built.body_model), Soles(built.body_model)

    def rest_pelvis(self, params: SmplParams) -> FloatArray:
        """(3,) the point about which the body turns [m]."""
        pose = self.body.kinematics(params.global_orient, params.body_pose, params.betas)
        return np.asarray(pose.rest_joints[0])

    def track(self, frames: list[tuple[SmplParams, FloatArray]]) -> Track:
        soles, joints = [], []
        ankles = list(ANKLES)
        for params, transl in frames:
            pose = self.body.kinematics(params.global_orient, params.body_pose, params.betas)
            offsets = self.soles.offsets(pose.rest_joints, params.betas)
            soles.append(posed_soles(offsets, pose.rotations[ankles], pose.joints[ankles] + transl))
            joints.append(pose.joints + transl)
        return Track(soles=np.stack(soles), joints=np.stack(joints))


def run_clip(clip: EvaluationClip, built: BuiltPipeline) -> ClipTracks:
    """Follows a clip and locks its feet.

    Raises:
        DatasetError: nobody was found, or was lost for more than a tenth of the frames afterwards.
    """
    truth, poser = clip.truth, _Poser(built)
    lock = FootLock(poser.body, poser.soles)
    seen, held, planted, rows, spent_ms = [], [], [], [], []
    built.pipeline.reset()
    with closing(clip.open_frames()) as frames:
        for frame in frames:
            row = frame.index - truth.first_frame
            people = built.pipeline.step(frame).people
            if not people or not 0 <= row < truth.num_frames:
                continue
            params, transl = people[0].params, people[0].mesh.transl
            seen.append((params, transl))
            started_s = time.perf_counter()
            held.append(lock.update(params, transl, frame.captured_at_s, None))
            spent_ms.append((time.perf_counter() - started_s) * 1e3)
            planted.append(lock.stands)
            rows.append(row)
    num_since_found = truth.num_frames - rows[0] if rows else 0  # far away they are found late
    if len(rows) < max(0.9 * num_since_found, 2):
        raise DatasetError(f"{clip.name}: found in {len(rows)} of {truth.num_frames} frames")
    return ClipTracks(
        name=clip.name,
        rate_hz=truth.fps,
        capture=_captured(truth, rows, poser),
        seen=poser.track(seen),
        held=poser.track(held),
        planted=np.array(planted),
        lock_ms=float(np.median(spent_ms)),
    )


def _captured(truth: ClipTruth, rows: list[int], poser: _Poser) -> Track | None:
    """The body as it was; None where the clip does not say."""
    if truth.pose is None or "pelvis" not in truth.names:
        return None
    pose = truth.pose
    turns = np.concatenate(
        [pose.global_orient[:, None], pose.body_pose.reshape(-1, NUM_SMPL_JOINTS - 1, 3)], axis=1
    )
    rotmats = rotmat_from_axis_angle(turns[rows]).astype(np.float32)
    true = [_params(rotmat, pose.betas) for rotmat in rotmats]
    pelvises = truth.joints[rows, truth.names.index("pelvis")].astype(np.float32)
    places = [pelvis - poser.rest_pelvis(true[0]) for pelvis in pelvises]
    return poser.track(list(zip(true, places, strict=True)))


def _params(rotmat: FloatArray, betas: NDArray[np.floating]) -> SmplParams:
    return SmplParams(
        global_orient=np.asarray(rotmat[0], np.float32),
        body_pose=np.asarray(rotmat[1:], np.float32),
        betas=np.asarray(betas, np.float32),
        weak_camera=np.ones(3, np.float32),
    )


def figures(tracks: ClipTracks) -> dict[str, float]:
    """The row of the table [mm/s, mm, ms]."""
    seen, held = (track.speeds(tracks.rate_hz) for track in (tracks.seen, tracks.held))
    planted = tracks.planted[1:]

    def lower(track: Track, speeds: FloatArray) -> float:
        foot = np.argmax(track.soles[1:, ..., 1].max(axis=-1), axis=-1)[:, None]
        return float(np.take_along_axis(speeds.min(axis=-1), foot, axis=-1).mean())

    return {
        "lower off": lower(tracks.seen, seen),
        "lower on": lower(tracks.held, held),
        "planted %": 100 * float(planted.mean()),
        "held off": float(seen.min(axis=-1)[planted].mean()),
        "held on": float(held.min(axis=-1)[planted].mean()),
        **_against(tracks.capture, tracks, (seen, held)),
        "lock ms": tracks.lock_ms,
    }


def _against(
    truth: Track | None, tracks: ClipTracks, speeds: tuple[FloatArray, FloatArray]
) -> dict[str, float]:
    if truth is None:
        return dict.fromkeys(("true off", "true on", "capture", "joints"), np.nan)
    capture = truth.speeds(tracks.rate_hz)
    slower = np.argmin(capture, axis=-1)[..., None]
    touches = capture.min(axis=-1) < TRUE_CONTACT_M_S * 1e3

    def at_true(points: FloatArray) -> float:
        return float(np.take_along_axis(points, slower, axis=-1)[..., 0][touches].mean())

    def joint_error_mm(track: Track) -> float:
        about = [points - points[:, :1] for points in (track.joints, truth.joints)]
        return float(np.linalg.norm(about[0] - about[1], axis=-1).mean() * 1e3)

    return {
        "true off": at_true(speeds[0]),
        "true on": at_true(speeds[1]),
        "capture": at_true(capture),
        "joints": joint_error_mm(tracks.held) - joint_error_mm(tracks.seen),
    }


def plot(path: Path, clips: Sequence[ClipTracks]) -> None:
    """Speed and height of the left foot's ball, seen and held."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(len(clips), 2, figsize=(13, 2.4 * len(clips)), squeeze=False)
    for (left, right), tracks in zip(axes, clips, strict=True):
        seconds = np.arange(len(tracks.planted)) / tracks.rate_hz
        for label, track in (("seen", tracks.seen), ("--foot-lock", tracks.held)):
            speeds = track.speeds(tracks.rate_hz)[:, 0].min(axis=-1) * 1e-3
            left.plot(seconds[1:], speeds, label=label)
            right.plot(seconds, -track.soles[:, 0, 1, 1], label=label)
        for axis in (left, right):
            axis.fill_between(
                seconds,
                0,
                1,
                tracks.planted[:, 0],
                transform=axis.get_xaxis_transform(),
                alpha=0.15,
            )
        left.set(ylim=(0, 4), ylabel="left foot [m/s]", title=tracks.name)
        right.set(ylabel="ball's height [m]", xlabel="s")
    axes[0, 0].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    pyplot.close(figure)


def _measure(options: argparse.Namespace) -> int:
    built = build_pipeline(LiveConfig(view="none"))
    clips = []
    try:
        for clip in find_clips(options.folder):
            try:
                clips.append(run_clip(clip, built))
            except DatasetError as error:
                print(f"left out: {error}", file=sys.stderr)
    finally:
        built.pipeline.close()
    if not clips:
        raise DatasetError(f"{options.folder}: no clip is left to measure")
    rows = [figures(tracks) for tracks in clips]
    print(f"{'':34}" + "".join(f"{name:>10}" for name in rows[0]))
    for tracks, row in zip(clips, rows, strict=True):
        print(f"{tracks.name[:33]:34}" + "".join(f"{value:10.2f}" for value in row.values()))
    mean = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    print(f"{'mean':34}" + "".join(f"{value:10.2f}" for value in mean.values()))
    print(f"\nplanted feet slide by {mean['held on']:.1f} mm/s (goal: {GOAL_MM_S:g})")
    if options.plot is not None:
        plot(options.plot, clips)
    return int(mean["held on"] > GOAL_MM_S)


def main(words: Sequence[str] | None = None) -> int:
    """Runs the command line; 1 when the goal is missed, 2 on an error the user can fix."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.foot_skate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "folder", type=Path, help="clip folders made by training.render.render_clips"
    )
    parser.add_argument("--plot", type=Path, help="picture of the left foot's speed and height")
    options = parser.parse_args(words)
    return guarded("foot_skate", lambda: _measure(options))


if __name__ == "__main__":
    sys.exit(main())
