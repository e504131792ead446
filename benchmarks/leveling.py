r"""How far the estimated vertical is off when captured people stand, walk or move before a camera.

    python -m benchmarks.leveling ../shared/data/motion

Poses are the captured ones, so what is measured is what people's ways of standing do to the estimate, not the error of
estimated poses. Standing are the files `syn_stand*`, walking those with `walk` in their name or, where the folder has an
`index.json`, in their label; of each kind and of all others an evenly spread part. The camera is level,
or pitched by 20 and rolled by 10 degrees (22.3 together), or so only after `LEVEL_S` of a level one (`moved`: time counts from
there, and motions repeat). Each column: mean and worst error [degrees] after so many seconds.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.command_line import guarded
from realtime_vibe.app.settings import LiveConfig
from realtime_vibe.backends.graph_folder import Engine
from realtime_vibe.body.model_file import load_body
from realtime_vibe.body.smpl import SmplBody
from realtime_vibe.errors import DatasetError
from realtime_vibe.geometry.axes import T_WORLD_CAMERA
from realtime_vibe.geometry.rotation import rotmat_from_axis_angle, rotmat_from_quat_wxyz
from realtime_vibe.packets import FloatArray, PersonResult, SmplParams, TrackedPerson
from realtime_vibe.training.datasets.clip import POOL_RATE_HZ, MotionClip
from realtime_vibe.training.datasets.motion_folder import load_motion_file
from realtime_vibe.world.leveler import Leveler

TILT_DEG = 20.0, 10.0
"""Pitch and roll."""
LEVEL_S, SECONDS = 20.0, (1.0, 2.0, 4.0, 8.0, 15.0)
MOST = 20
_STEP = 6
"""Of the frames, at 60 Hz."""
_DISTANCE_M = 4.0


def kinds(folder: Path) -> dict[str, list[Path]]:
    """At most `MOST` files of each kind.

    Raises:
        DatasetError: there is none of a kind.
    """
    index = folder / "index.json"
    rows = json.loads(index.read_text()) if index.is_file() else []
    labels = {row["file"]: row["label"].lower() for row in rows}
    found: dict[str, list[Path]] = {"standing": [], "walking": [], "other": []}
    for path in sorted(folder.glob("*.npz")):
        is_walk = "walk" in labels.get(path.name, path.stem)
        kind = "standing" if path.stem.startswith("syn_stand") else "other"
        found["walking" if is_walk else kind].append(path)
    for kind, paths in found.items():
        if not paths:
            raise DatasetError(f"{folder}: no {kind} motion, expected AMASS .npz files")
        spread = np.linspace(0, len(paths) - 1, min(MOST, len(paths))).astype(int)
        found[kind] = [paths[at] for at in spread]
    return found


def errors_deg(clip: MotionClip, body: SmplBody, tilts: Sequence[FloatArray]) -> dict[float, float]:
    """Error of the vertical so many seconds after the last of two cameras' rotations (3, 3) took over."""
    leveler, errors = Leveler(), {}
    before_s = LEVEL_S if len(tilts) > 1 else 0.0
    for now_s, turns, trans in _repeated(clip, before_s + SECONDS[-1]):
        camera = tilts[now_s >= before_s and len(tilts) > 1]
        leveler.update((_seen(body, camera, turns, trans),), now_s)
        up = camera @ T_WORLD_CAMERA[2, :3]
        cosine = float(leveler.T_world_camera[2, :3] @ up)
        for after_s in SECONDS:
            if now_s <= before_s + after_s:
                errors[after_s] = float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
    return errors


def _repeated(clip: MotionClip, seconds: float) -> Iterator[tuple[float, FloatArray, FloatArray]]:
    """Times [s], rotations (24, 3, 3) and pelvis (3,) in a world, z up, of a motion from its start again and again."""
    rotmats = rotmat_from_quat_wxyz(clip.quats[::_STEP]).astype(np.float32)
    trans = (clip.trans - clip.trans[0] * (1.0, 1.0, 0.0))[::_STEP].astype(np.float32)
    for row in range(round(seconds * POOL_RATE_HZ / _STEP)):
        at = row % len(rotmats)
        yield row * _STEP / POOL_RATE_HZ, rotmats[at], trans[at]


def _seen(body: SmplBody, camera: FloatArray, turns: FloatArray, trans: FloatArray) -> PersonResult:
    """The body as a camera that is turned by (3, 3) sees it."""
    to_camera = (camera @ T_WORLD_CAMERA[:3, :3].T).astype(np.float32)
    pelvis = to_camera @ (trans + np.array([0.0, _DISTANCE_M, -1.0], np.float32))
    params = SmplParams(
        global_orient=to_camera @ turns[0],
        body_pose=turns[1:],
        betas=np.zeros(10, np.float32),
        weak_camera=np.ones(3, np.float32),
    )
    zero = np.zeros(3, np.float32)
    rest = body.joints(params.global_orient, params.body_pose, params.betas, zero)[0]
    mesh = body.forward(
        params.global_orient, params.body_pose, params.betas, (pelvis - rest).astype(np.float32)
    )
    person = TrackedPerson(track_id=0, bbox_xyxy=np.zeros(4, np.float32), score=1.0, dt_s=0.0)
    return PersonResult(
        person=person, params=params, mesh=mesh, square_px=np.array([0, 0, 1], np.float32)
    )


def _measure(options: argparse.Namespace) -> int:
    body = SmplBody(load_body(Engine(LiveConfig().engine, "auto").body))
    pitch, roll = rotmat_from_axis_angle(
        np.deg2rad([[TILT_DEG[0], 0, 0], [0, 0, TILT_DEG[1]]]).astype(np.float32)
    )
    level, tilted = np.eye(3, dtype=np.float32), np.asarray(pitch @ roll, np.float32)
    cameras = {"tilted": [tilted], "moved": [level, tilted], "level": [level]}
    print(f"{'':20}" + "".join(f"{f'{seconds:g} s':>13}" for seconds in SECONDS))
    for kind, paths in kinds(options.folder).items():
        clips = [load_motion_file(path) for path in paths]
        for name, tilts in cameras.items():
            rows = [list(errors_deg(clip, body, tilts).values()) for clip in clips]
            cells = zip(np.mean(rows, axis=0), np.max(rows, axis=0), strict=True)
            line = "".join(f"{mean:6.1f} {worst:6.1f}" for mean, worst in cells)
            print(f"{kind:10}{name:10}{line}", flush=True)
    return 0


def main(words: Sequence[str] | None = None) -> int:
    """Runs the command line; 2 on an error the user can fix."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.leveling",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, help="AMASS .npz files")
    return guarded("leveling", lambda: _measure(parser.parse_args(words)))


if __name__ == "__main__":
    sys.exit(main())
