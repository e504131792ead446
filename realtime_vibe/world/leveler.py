"""Which way is up, without calibration: from people who stand or walk, with a level camera as prior.

Whoever stands has the centre of mass over the feet, however the camera is tilted; whoever walks has it there on
average. Each tenth of a second with feet in view, hips and knees nearly straight, gives the direction from the
middle of the feet to the centre of mass. What it deviates from the camera's vertical is the tilt, a forward lean
that poses of one image have in common, and noise: robust linear least squares with priors on all of them.
Facing the camera alone, tilt and lean can be distinguished by their priors alone; turning round separates them.

A tilt that may as well be the poses' error is not believed, so that a level camera stays level. A large one is
believed after some tenths of a second, a small one after seconds. Whoever moves the camera by hand is noticed by the
people, too: where the newest samples agree with each other and not with what the older ones tell, these are forgotten.

Angles are (roll, pitch) [rad]: how far up leans to the right and away from the camera, camera frame.
"""

import math
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.geometry.axes import T_WORLD_CAMERA
from realtime_vibe.packets import FloatArray, PersonResult, PoseLandmarks
from realtime_vibe.temporal.confidence import feet_are_seen
from realtime_vibe.world.calibration import level_rotation
from realtime_vibe.world.foot_contact import FootContact
from realtime_vibe.world.standing import is_upright

_BENT_DEG = 40.0
"""Hips and knees of who walks; a bow, a squat and a chair give more."""
_SAMPLE_S, _LONGEST_SAMPLE_S = 0.1, 0.25
_MOST_SAMPLES = 300
_MOVED_S, _MOVED_RAD = 1.2, (math.radians(12.0), math.radians(15.0))
"""Of the newest samples, and by how much who stands and who walks disagrees if the camera was moved. Of 46 clips of motion
capture two show a pose for a second that a still camera does not explain as well; estimated poses of a video that looks
down from far above differ by 11 degrees from person to person."""
_SAME_S = 1.5
"""Errors of poses last so long: what comes within counts once [s], but for the first look, which counts at once."""
_STILL_M_S, _SPEED_S = 0.25, 0.15
"""A centre of mass that moves slower across the line of sight is at rest, by a low-pass of this time [s]."""
_FARTHEST_RAD = math.radians(50.0)
_TILT_RAD = (math.radians(6.5), math.radians(18.0))
"""Priors of roll and pitch: standard deviations."""
_NOISE_RAD = (math.radians(4.0), math.radians(8.0))
_LEAN_RAD = (math.radians(2.5), math.radians(6.0))
"""Noise and prior of the forward lean of those who stand and of those who walk."""
_ENOUGH_S = 0.3
"""So long must somebody have stood or walked before anything is concluded [s]."""
_SURE_S = 6.0
_BELIEVED_FROM_RAD, _DOUBT = math.radians(2.0), 1.25
"""A tilt of so many standard deviations, of at least the first, is not believed; one more and it is in full."""
_SOLVE_S = 0.25
_FOLLOW_S = 0.4
_FASTEST_RAD_S = math.radians(45.0), math.radians(8.0)
"""While people are new to the camera, so that they do not lean for long, and once it is known for `_SURE_S`."""
_ARRIVED_RAD, _RESTS_RAD = math.radians(0.5), math.radians(0.01)
_GAP_S = 0.3

LEVELLING, LEVEL = "levelling", "level"


def _mass() -> FloatArray:
    """(24,) shares of the body's mass, by segments (Winter 2009, table 4.1) laid onto joints."""
    shares = np.zeros(24, np.float32)
    for joints, mass in (
        ((0, 3, 6, 9, 12), 0.44),
        ((15,), 0.08),
        ((16, 17, 18, 19, 20, 21), 0.12),
        ((1, 2, 4, 5), 0.26),
        ((7, 8), 0.10),
    ):
        shares[list(joints)] += mass / len(joints)
    return shares


_MASS = _mass()
_BODY = [11, 12, *range(23, 33)]
"""Landmarks from the shoulders down, without arms."""


class _Sample(NamedTuple):
    angles: tuple[float, float]
    forward: tuple[float, float]
    """Where the body faces: to the right and away from the camera, of length 1."""
    kind: int
    """0: stands; 1: walks."""
    seconds: float


@dataclass(slots=True)
class _Person:
    contact: FootContact = field(default_factory=FootContact)
    last_s: float = -math.inf
    sampled_s: float = -math.inf
    direction: FloatArray | None = None
    speed: float = math.inf


class Leveler:
    """The camera's pitch and roll, estimated from everybody in view."""

    def __init__(self) -> None:
        self._people: dict[int, _Person] = {}
        self._samples: deque[_Sample] = deque()
        self._seconds = 0.0
        self._found: FloatArray = np.zeros(4, np.float32)
        self._target: FloatArray = np.zeros(2, np.float32)
        self._tilt: FloatArray = np.zeros(2, np.float32)
        self._last_s = self._solved_s = -math.inf
        self.T_world_camera: FloatArray = T_WORLD_CAMERA
        """(4, 4) from the camera's frame to the Z-up world, with the camera at the origin."""

    @property
    def state(self) -> str:
        """Empty before anybody stood or walked for long enough; then `levelling`, in the end `level`."""
        if not self._is_enough():
            return ""
        left_rad = float(np.abs(self._target - self._tilt).max())
        return LEVEL if left_rad < _ARRIVED_RAD and self._seconds >= _SURE_S else LEVELLING

    def update(
        self, people: tuple[PersonResult, ...], now_s: float, size: tuple[int, int] | None = None
    ) -> None:
        """Takes one frame of people in view at `now_s` [s], of a picture (width, height) [px] beyond which bodies are guessed."""
        dt_s = min(max(now_s - self._last_s, 0.0), _GAP_S)
        self._last_s = now_s
        for track_id in [key for key, one in self._people.items() if now_s - one.last_s > _SAME_S]:
            del self._people[track_id]
        for person in people:
            self._look_at(person, now_s, size)
        if abs(now_s - self._solved_s) >= _SOLVE_S and self._is_enough():
            self._solved_s = now_s
            self._forget_where_moved()
            self._found, covariance = _solved(self._samples)
            self._target = _believed(self._found[:2], covariance)
        self._turn(dt_s)

    def _turn(self, dt_s: float) -> None:
        """Towards the target, not faster than anybody minds."""
        left = self._target - self._tilt
        left_rad = float(np.linalg.norm(left))
        if left_rad < _RESTS_RAD:
            return
        most_rad = _FASTEST_RAD_S[self._seconds >= _SURE_S] * dt_s
        step_rad = min(left_rad * (1.0 - math.exp(-dt_s / _FOLLOW_S)), most_rad)
        self._tilt = self._tilt + left * (step_rad / left_rad)
        roll, pitch = np.tan(self._tilt)
        self.T_world_camera = np.eye(4, dtype=np.float32)
        self.T_world_camera[:3, :3] = level_rotation(np.array([roll, -1.0, pitch]))

    def _forget_where_moved(self) -> None:
        """Leaves out what was seen before somebody moved the camera."""
        newest: deque[_Sample] = deque()
        seconds = 0.0
        for sample in reversed(self._samples):
            if seconds >= _MOVED_S:
                break
            newest.appendleft(sample)
            seconds += sample.seconds
        else:
            return
        angles, design = _equations(newest)
        error = angles - design @ self._found
        mean = error.mean(axis=0)
        scatter = float(np.linalg.norm((error - mean).std(axis=0)))
        least = float(np.mean([_MOVED_RAD[sample.kind] for sample in newest]))
        if float(np.linalg.norm(mean)) > max(least, 2.0 * scatter):
            self._samples, self._seconds = newest, seconds

    def _is_enough(self) -> bool:
        return self._seconds >= _ENOUGH_S

    def _look_at(self, result: PersonResult, now_s: float, size: tuple[int, int] | None) -> None:
        marks = result.person.landmarks
        if marks is not None and not (feet_are_seen(marks.visibility) and _is_inside(marks, size)):
            self._people.pop(result.person.track_id, None)
            return
        person = self._people.setdefault(result.person.track_id, _Person())
        joints = result.mesh.joints
        dt_s = now_s - person.last_s
        person.last_s = now_s
        dt_s = dt_s if 0.0 < dt_s < _GAP_S else 0.0
        feet = joints[[7, 10, 8, 11]].reshape(2, 2, 3)
        stands = person.contact.update(feet, dt_s, self.T_world_camera[2, :3])
        center = _MASS @ joints
        self._measure_speed(person, center, dt_s)
        seconds = min(now_s - person.sampled_s, _LONGEST_SAMPLE_S)
        if not any(stands) or seconds < _SAMPLE_S or not is_upright(joints, _BENT_DEG):
            return
        person.sampled_s = now_s
        axis = center - feet.mean(axis=(0, 1))
        angles = math.atan2(axis[0], -axis[1]), math.atan2(axis[2], -axis[1])
        if max(abs(angle) for angle in angles) > _FARTHEST_RAD:
            return  # lies, or hangs upside down
        ahead = result.params.global_orient[[0, 2], 2].tolist()
        length = max(math.hypot(*ahead), 1e-6)
        kind = 0 if all(stands) and person.speed < _STILL_M_S else 1
        forward = ahead[0] / length, ahead[1] / length
        self._samples.append(_Sample(angles, forward, kind, seconds))
        self._seconds += seconds
        if len(self._samples) > _MOST_SAMPLES:
            self._seconds -= self._samples.popleft().seconds

    @staticmethod
    def _measure_speed(person: _Person, center: FloatArray, dt_s: float) -> None:
        direction = center[:2] / max(float(center[2]), 0.1)
        if person.direction is None or dt_s == 0.0:
            person.speed = 2.0 * _STILL_M_S
        else:
            moved_m = float(np.linalg.norm(direction - person.direction)) * float(center[2])
            person.speed += dt_s / (dt_s + _SPEED_S) * (moved_m / dt_s - person.speed)
        person.direction = direction


def _is_inside(marks: PoseLandmarks, size: tuple[int, int] | None) -> bool:
    """Whether shoulders, hips, knees and feet are all in the picture."""
    points = marks.image_px[_BODY, :2]
    return size is None or bool(((points > 0) & (points < np.array(size))).all())


def _solved(samples: deque[_Sample]) -> tuple[FloatArray, FloatArray]:
    """Most likely (4,) roll, pitch, forward leans of those who stand and who walk, and the covariance (2, 2) of the first."""
    angles, design = _equations(samples)
    kind = np.array([sample.kind for sample in samples])
    seconds = np.array([sample.seconds for sample in samples])
    looks = seconds * (1.0 / _SAME_S + 1.0 / seconds.sum())
    noise = np.array(_NOISE_RAD)[kind]
    prior = np.diag(1.0 / np.square([*_TILT_RAD, *_LEAN_RAD]))
    found, information = np.zeros(4), prior
    weight = np.ones(len(samples))
    for _ in range(5):  # Huber's weights, from the median's neighbourhood on
        scaled = weight * looks / np.square(noise)
        information = prior + np.einsum("n,nij,nik->jk", scaled, design, design)
        found = np.linalg.solve(information, np.einsum("n,nij,ni->j", scaled, design, angles))
        error = np.linalg.norm(angles - design @ found, axis=1) / noise
        weight = 1.0 / np.maximum(error, 1.0)
    covariance = np.linalg.inv(information)[:2, :2]
    return found.astype(np.float32), covariance.astype(np.float32)


def _equations(samples: deque[_Sample]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Angles (N, 2) of samples, and what (N, 2, 4) they are made of."""
    kind = np.array([sample.kind for sample in samples])
    design = np.zeros((len(samples), 2, 4))
    design[:, 0, 0] = design[:, 1, 1] = 1.0
    design[np.arange(len(samples)), :, 2 + kind] = [sample.forward for sample in samples]
    return np.array([sample.angles for sample in samples]), design


def _believed(tilt: FloatArray, covariance: FloatArray) -> FloatArray:
    """(2,) the tilt, or nothing where it may as well be an error; in between a part of it."""
    size = float(np.linalg.norm(tilt))
    if size == 0.0:
        return tilt
    unsure = math.sqrt(float(tilt @ covariance @ tilt)) / size
    least = max(unsure, _BELIEVED_FROM_RAD)
    share = min(max(size / least - _DOUBT, 0.0), 1.0)
    return np.asarray(tilt * (share * share * (3.0 - 2.0 * share)))
