"""The temporal stage round a small network: what it carries, forgets and leaves alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from realtime_vibe.backends.base import TensorSpec
from realtime_vibe.errors import ConfigError
from realtime_vibe.models.motion_network import MotionNetwork
from realtime_vibe.models.regressor import MeanParams, Regressor
from realtime_vibe.models.temporal_encoder import TemporalEncoder
from realtime_vibe.packets import PoseLandmarks, TrackedPerson
from realtime_vibe.temporal.motion_model import MotionModel
from realtime_vibe.temporal.stage import DEMO_FRAMES, MAX_GAP_S, WINDOW_FRAMES, TemporalStage

FEATURES, HIDDEN, FPS = 20, 12, 30


class NetworkSession:
    """A network of random weights as an engine's `step` graph."""

    inputs = (
        TensorSpec(name="features", shape=("P", FEATURES), dtype="float32"),
        TensorSpec(name="hidden", shape=(2, "P", HIDDEN), dtype="float32"),
    )
    outputs = ()
    backend = "torch"

    def __init__(self):
        torch.manual_seed(0)
        mean = MeanParams(torch.randn(144), torch.randn(10), torch.tensor([0.9, 0.0, 0.0]))
        self.network = MotionNetwork(
            TemporalEncoder(FEATURES, HIDDEN, 2), Regressor(mean, FEATURES, 16)
        ).eval()
        with torch.no_grad():
            for layer in range(2):  # the update gate nearly shut: memories reach beyond the window
                bias = getattr(self.network.encoder.gru, f"bias_ih_l{layer}")
                bias[HIDDEN : 2 * HIDDEN] += 4.0
            self.network.regressor.decpose.weight.mul_(300.0)
        self.is_closed = False

    @torch.no_grad()
    def run(self, feeds):
        out = self.network.step(*(torch.from_numpy(feeds[name]) for name in ("features", "hidden")))
        named = {**out.params._asdict(), "next_hidden": out.hidden}
        return {name: value.numpy() for name, value in named.items()}

    @torch.no_grad()
    def whole(self, rows):
        """The (T, 24, 3, 3) rotations and (T, 10) betas of a sequence that is run at once."""
        features = torch.from_numpy(rows)[:, None]
        params = self.network(features, self.network.initial_hidden(1)).params
        return params.rotmat[:, 0].numpy(), params.betas[:, 0].numpy()

    def close(self):
        self.is_closed = True


@pytest.fixture(scope="module")
def session():
    return NetworkSession()


@pytest.fixture(scope="module")
def rows():
    """(T, F) features of longer than the window."""
    rng = np.random.default_rng(1)
    return rng.standard_normal((WINDOW_FRAMES + 10, FEATURES)).astype(np.float32)


def _stage(session, **options):
    return TemporalStage(MotionModel(session), **options)


def _person(track_id):
    box = np.array([0, 0, 10, 20], np.float32)
    return TrackedPerson(track_id=track_id, bbox_xyxy=box, score=1.0, dt_s=1 / 30)


def _step(stage, rows_of_people, now_s):
    """One frame of people by their ids: {id: SmplParams}."""
    people = tuple(_person(track_id) for track_id in rows_of_people)
    found = stage.step(people, np.stack(list(rows_of_people.values())), now_s)
    for person in people:
        stage.place(person.track_id, np.zeros(3, np.float32), now_s)
    return dict(zip(rows_of_people, found, strict=True))


def _play(stage, rows, start_s=0.0):
    """(T, 24, 3, 3) rotations and the betas of one person's frames."""
    found = [_step(stage, {0: row}, start_s + i / FPS)[0] for i, row in enumerate(rows)]
    rotmat = [np.concatenate([params.global_orient[None], params.body_pose]) for params in found]
    return np.stack(rotmat), np.stack([params.betas for params in found])


def _assert_close(got, expected):
    np.testing.assert_allclose(got, expected, atol=1e-4)


def test_without_smoothing_a_stream_is_what_the_network_gives_for_the_whole_sequence(session, rows):
    rotmat, betas = _play(_stage(session), rows)
    expected, shapes = session.whole(rows)
    _assert_close(rotmat, expected)
    # One shape a person: the running mean, held while it moves by less than SHAPE_STEP.
    means = np.cumsum(shapes, axis=0) / np.arange(1, len(rows) + 1)[:, None]
    np.testing.assert_allclose(betas, means, atol=0.03)


def test_window_mode_runs_the_last_frames_from_an_empty_memory(session, rows):
    rotmat, _ = _play(_stage(session, mode="window"), rows)
    windows = [rows[max(0, end - WINDOW_FRAMES) : end] for end in range(1, len(rows) + 1)]
    _assert_close(rotmat, [session.whole(window)[0][-1] for window in windows])
    assert np.abs(rotmat[-1] - session.whole(rows)[0][-1]).max() > 5e-3, "memory never mattered"


def test_demo_mode_starts_over_at_each_chunk(session, rows, monkeypatch):
    assert DEMO_FRAMES == 450, "the released demo's own"
    monkeypatch.setattr("realtime_vibe.temporal.stage.DEMO_FRAMES", 10)
    rotmat, _ = _play(_stage(session, mode="demo"), rows)
    chunks = [rows[start : start + 10] for start in range(0, len(rows), 10)]
    _assert_close(rotmat, np.concatenate([session.whole(chunk)[0] for chunk in chunks]))


@pytest.mark.parametrize("mode", ["stream", "window"])
def test_a_gap_empties_the_memory_and_keeps_the_shape(session, rows, mode):
    stage = _stage(session, mode=mode)
    first, last = rows[:6], rows[6:]
    _play(stage, first)
    seen_s = (len(first) - 1) / FPS
    rotmat, betas = _play(stage, last, start_s=seen_s + MAX_GAP_S + 0.01)
    _assert_close(rotmat[:WINDOW_FRAMES], session.whole(last)[0][:WINDOW_FRAMES])
    shapes = [*session.whole(first)[1], session.whole(last)[1][0]]
    np.testing.assert_allclose(betas[0], np.mean(shapes, axis=0), atol=0.03)


def test_a_short_absence_carries_the_memory_on(session, rows):
    stage = _stage(session)
    first, _ = _play(stage, rows[:6])
    second, _ = _play(stage, rows[6:], start_s=5 / FPS + 0.9 * MAX_GAP_S)
    _assert_close(np.concatenate([first, second]), session.whole(rows)[0])


def test_reset_forgets_everything_and_reset_shape_the_shape_alone(session, rows):
    stage = _stage(session)
    expected, shapes = session.whole(rows[:8])
    _play(stage, rows[:7])
    stage.reset_shape()
    last = _step(stage, {0: rows[7]}, 7 / FPS)[0]
    _assert_close(last.body_pose, expected[7, 1:])
    _assert_close(last.betas, shapes[7])
    stage.reset()
    rotmat, betas = _play(stage, rows[:3], start_s=8 / FPS)
    _assert_close(rotmat, expected[:3])
    _assert_close(betas[0], shapes[0])


def test_people_have_memories_of_their_own_in_any_order(session, rows):
    others = rows[::-1].copy()
    stage = _stage(session)
    found = {1: [], 2: []}
    for index, (one, two) in enumerate(zip(rows, others, strict=True)):
        people = {1: one, 2: two} if index % 2 else {2: two, 1: one}
        for track_id, params in _step(stage, people, index / FPS).items():
            found[track_id].append(params.body_pose)
    _assert_close(found[1], session.whole(rows)[0][:, 1:])
    _assert_close(found[2], session.whole(others)[0][:, 1:])
    assert stage.step((), np.zeros((0, FEATURES), np.float32), 9.0) == ()


@pytest.mark.fault
@pytest.mark.parametrize("mode", ["stream", "window", "demo"])
def test_one_persons_numbers_that_are_not_finite_are_not_kept(session, rows, mode):
    stage, calm = (_stage(session, mode=mode, smooth=0.5) for _ in range(2))
    for index, row in enumerate(rows[:4]):
        _step(stage, {1: row, 2: row[::-1].copy()}, index / FPS)
        _step(calm, {2: row[::-1].copy()}, index / FPS)
    found = stage.step((_person(1), _person(2)), np.stack([rows[4] * np.nan, rows[4]]), 4 / FPS)
    stage.place(2, np.zeros(3, np.float32), 4 / FPS)
    assert found[0] is None
    _assert_close(found[1].body_pose, _step(calm, {2: rows[4]}, 4 / FPS)[2].body_pose)
    again = _step(stage, {1: rows[5]}, 5 / FPS)[1]
    _assert_close(again.body_pose, session.whole(rows[5:6])[0][0, 1:])
    shapes = np.concatenate([session.whole(rows[:4])[1], session.whole(rows[5:6])[1]])
    np.testing.assert_allclose(again.betas, shapes.mean(axis=0), atol=0.03)


def test_smoothing_lowers_the_step_between_frames_after_the_first(session, rows):
    rough, _ = _play(_stage(session), rows)
    smooth, _ = _play(_stage(session, smooth=0.5), rows)
    _assert_close(smooth[0], rough[0])
    assert np.abs(np.diff(smooth, axis=0)).mean() < 0.8 * np.abs(np.diff(rough, axis=0)).mean()


def test_landmarks_are_smoothed_for_each_person_where_smoothing_is_on(session, rows):
    rng = np.random.default_rng(3)

    def seen(track_id):
        points = (100 * track_id + rng.normal(size=(33, 3)) + np.arange(33)[:, None]).astype("f4")
        marks = PoseLandmarks(
            image_px=points, world_m=points, visibility=np.ones(33, np.float32), presence=1.0
        )
        return replace(_person(track_id), landmarks=marks)

    rough, smooth = _stage(session), _stage(session, smooth=1.0)
    for frame in range(3):
        people = (seen(0), seen(1)) if frame != 1 else (seen(1), seen(0))
        assert rough.steadied(people, frame / FPS) == people
        steadied = smooth.steadied(people, frame / FPS)
        _step(smooth, {person.track_id: rows[frame] for person in people}, frame / FPS)
    for before, after in zip(people, steadied, strict=True):
        off_px = np.abs(after.landmarks.image_px - before.landmarks.image_px)[:, :2]
        assert 0 < off_px.max() < 5


def test_modes_are_checked_and_close_frees_the_network():
    session = NetworkSession()
    with pytest.raises(ConfigError, match="backwards"):
        _stage(session, mode="backwards")
    _stage(session).close()
    assert session.is_closed
