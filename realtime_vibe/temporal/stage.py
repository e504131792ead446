"""Features of tracked people to SMPL parameters, with each person's memory.

Legend: P people, F features.
"""

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from realtime_vibe.backends.base import AnyArray
from realtime_vibe.errors import ConfigError
from realtime_vibe.packets import FloatArray, SmplParams, TrackedPerson
from realtime_vibe.temporal.confidence import feet_are_seen, joint_confidence
from realtime_vibe.temporal.modes import MODES
from realtime_vibe.temporal.motion_model import MotionModel, StepOutput
from realtime_vibe.temporal.state import Filters, RunningShape, TemporalState

WINDOW_FRAMES = 16
"""Sequence length of the paper (Kocabas et al. 2020, sec. 4.1)."""
DEMO_FRAMES = 450
"""So many frames of a person the released demo runs at once, each time from an empty memory."""
MAX_GAP_S = 1.0
"""A track not seen for longer starts with an empty memory."""

_FORGET_S = 10.0
"""And after so long the shape is forgotten as well."""


class TemporalStage:
    """Runs the motion model in one of `MODES`.

    `stream` carries the recurrent state for ever: one model step a frame. `window` starts from zeros
    and re-runs a ring buffer of 16 features each frame, as the paper evaluates: 16 steps a frame. `demo` is
    `stream` with the state back at zero every 450 frames of a person, as the released demo has it.

    Args:
        mode: one of `MODES`.
        smooth: strength in [0, 1]; 0 is off. Joints whose landmarks are hidden are smoothed harder.

    Raises:
        ConfigError: the mode is unknown.
    """

    def __init__(self, model: MotionModel, *, mode: str = "stream", smooth: float = 0.0) -> None:
        if mode not in MODES:
            raise ConfigError(f"unknown temporal mode '{mode}': expected one of {', '.join(MODES)}")
        self._model = model
        self._mode = mode
        self._smooth = smooth
        self._states: dict[int, TemporalState] = {}

    def steadied(
        self, people: tuple[TrackedPerson, ...], now_s: float
    ) -> tuple[TrackedPerson, ...]:
        """People whose landmarks are smoothed, for features and fit; before `step`.

        Args:
            now_s: the frame's capture time [s].
        """
        return tuple(self._steadied(person, now_s) for person in people)

    def step(
        self, people: tuple[TrackedPerson, ...], features: AnyArray, now_s: float
    ) -> tuple[SmplParams | None, ...]:
        """Parameters of the people in one frame; None for whom the network gave numbers that are not finite or no body's.

        Such a person starts over with an empty memory in the next frame; nobody else is touched.

        Args:
            people: P tracked people.
            features: (P, F), or whatever the model reads, one row a person.
            now_s: the frame's capture time [s].
        """
        states = [self._state(person, now_s) for person in people]
        self._forget_lost(now_s)
        if not states:
            return ()
        if self._mode == "demo":
            self._forget_at_chunks(states)
        out = (self._window if self._mode == "window" else self._stream)(states, features)
        is_sound = out.is_sound
        params: list[SmplParams | None] = []
        for index, state in enumerate(states):
            if not is_sound[index]:
                self.start_over(people[index].track_id)
                params.append(None)
                continue
            dt_s = now_s - state.last_seen_s
            rotmat = out.rotmat[index]
            marks = people[index].landmarks
            state.feet_are_seen = marks is not None and feet_are_seen(marks.visibility)
            if state.filters is not None:
                confidence = None if marks is None else joint_confidence(marks.visibility)
                rotmat = state.filters.rotations.update(rotmat, dt_s, confidence)
            params.append(
                SmplParams(
                    global_orient=rotmat[0],
                    body_pose=rotmat[1:],
                    betas=state.shape.update(out.betas[index]),
                    weak_camera=out.weak_camera[index],
                )
            )
        return tuple(params)

    def place(self, track_id: int, transl: FloatArray, now_s: float) -> FloatArray:
        """Smooths where a person of the last `step` stands, (3,) camera frame [m], and closes the person's frame."""
        state = self._states[track_id]
        dt_s = now_s - state.last_seen_s
        state.last_seen_s, state.dt_s = now_s, dt_s
        return transl if state.filters is None else state.filters.position.update(transl, dt_s)

    def tilts(self, track_id: int, level: int, tilts: FloatArray) -> FloatArray:
        """Smooths (L,) [rad] by which limbs of one level are tilted towards the landmarks; after `place`."""
        state = self._states[track_id]
        if state.filters is None:
            return tilts
        return state.filters.tilts.update(level, tilts, state.dt_s)

    def depth(self, track_id: int, joints: FloatArray) -> float:
        """Depth of the pelvis [m] of measured joints (24, 3), filtered by what a body can do; after `place`."""
        state = self._states[track_id]
        if state.filters is None:
            return float(joints[0, 2])
        return state.filters.depth.update(joints, state.dt_s, feet_are_seen=state.feet_are_seen)

    def start_over(self, track_id: int) -> None:
        """Empties the memory of one person, but for the shape."""
        self._states[track_id].last_seen_s = -np.inf

    def reset(self) -> None:
        """Forgets everybody."""
        self._states.clear()

    def reset_shape(self) -> None:
        """Starts everybody's body shape over."""
        for state in self._states.values():
            state.shape.reset()

    def close(self) -> None:
        """Frees the network."""
        self._model.close()

    def _steadied(self, person: TrackedPerson, now_s: float) -> TrackedPerson:
        state = self._state(person, now_s)
        if person.landmarks is None or state.filters is None:
            return person
        smoothed = state.filters.landmarks.update(person.landmarks, now_s - state.last_seen_s)
        return replace(person, landmarks=smoothed)

    def _forget_at_chunks(self, states: list[TemporalState]) -> None:
        for state in states:
            if state.frames % DEMO_FRAMES == 0:
                state.hidden = self._model.initial_hidden(1)
            state.frames += 1

    def _stream(self, states: list[TemporalState], features: AnyArray) -> StepOutput:
        hidden = np.concatenate([state.hidden for state in states], axis=1)
        out = self._model.step(features, hidden)
        for index, state in enumerate(states):
            state.hidden = out.hidden[:, index : index + 1]
        return out

    def _window(self, states: list[TemporalState], features: AnyArray) -> StepOutput:
        outputs = []
        for state, row in zip(states, features, strict=True):
            state.window.append(np.array(row[None], np.float32))
            outputs.append(self._rerun(state.window))
        return StepOutput(
            np.concatenate([out.rotmat for out in outputs]),
            np.concatenate([out.betas for out in outputs]),
            np.concatenate([out.weak_camera for out in outputs]),
            np.concatenate([out.hidden for out in outputs], axis=1),
        )

    def _rerun(self, window: Iterable[FloatArray]) -> StepOutput:
        first, *later = window
        out = self._model.step(first, self._model.initial_hidden(1))
        for features in later:
            out = self._model.step(features, out.hidden)
        return out

    def _state(self, person: TrackedPerson, now_s: float) -> TemporalState:
        state = self._states.get(person.track_id)
        gap_s = math.inf if state is None else now_s - state.last_seen_s
        # Somebody found again elsewhere, as after a cut, begins a track without time before it.
        if state is None or gap_s > MAX_GAP_S or (person.dt_s == 0.0 < gap_s):
            state = TemporalState(
                hidden=self._model.initial_hidden(1),
                window=deque(maxlen=WINDOW_FRAMES),
                shape=RunningShape() if state is None else state.shape,
                filters=Filters(self._smooth) if self._smooth > 0 else None,
                last_seen_s=now_s,
            )
            self._states[person.track_id] = state
        return state

    def _forget_lost(self, now_s: float) -> None:
        lost = [key for key, state in self._states.items() if now_s - state.last_seen_s > _FORGET_S]
        for key in lost:
            del self._states[key]
