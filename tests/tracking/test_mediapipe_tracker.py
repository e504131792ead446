"""The opt-in MediaPipe tracker: its refusals, and how well ours agrees with it on a real clip."""

import importlib.util
import logging
from pathlib import Path

import numpy as np
import pytest

from realtime_vibe.errors import BackendUnavailableError, TrackerError
from realtime_vibe.packets import Frame
from realtime_vibe.tracking.blazepose_models import make_command
from realtime_vibe.tracking.choices import TrackerChoice
from realtime_vibe.tracking.factory import make_blazepose_tracker
from realtime_vibe.tracking.mediapipe_tracker import MediaPipeTracker, default_task_path

HAS_MEDIAPIPE = importlib.util.find_spec("mediapipe") is not None
needs_mediapipe = pytest.mark.skipif(not HAS_MEDIAPIPE, reason="MediaPipe is not installed")
# MediaPipe's own start-up warns about its dependencies.
pytestmark = pytest.mark.filterwarnings("ignore")
ENGINE = Path(__file__).resolve().parents[2] / "engines" / "blazepose"


def built_task(model: str = "full") -> Path:
    path = default_task_path(model)
    if not path.is_file():
        pytest.skip(f"no {path}: {make_command(model)} --task")
    return path


@pytest.fixture
def task() -> Path:
    return built_task()


def test_the_bundle_lives_in_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert default_task_path() == Path("/somewhere/realtime-vibe/pose_landmarker.task")
    assert default_task_path("lite") == Path("/somewhere/realtime-vibe/pose_landmarker_lite.task")


@pytest.mark.skipif(HAS_MEDIAPIPE, reason="MediaPipe is installed")
def test_without_mediapipe_the_extra_is_named(tmp_path: Path) -> None:
    with pytest.raises(BackendUnavailableError, match=r"\[mediapipe\]"):
        MediaPipeTracker(tmp_path / "x.task")


@needs_mediapipe
def test_a_missing_bundle_says_how_to_build_it(tmp_path: Path) -> None:
    with pytest.raises(TrackerError, match=r"python -m export\.blazepose --task .*x\.task"):
        MediaPipeTracker(tmp_path / "x.task")
    with pytest.raises(TrackerError, match=r"export\.blazepose --model lite --task .*x\.task"):
        MediaPipeTracker(tmp_path / "x.task", model="lite")


@needs_mediapipe
def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.task").write_bytes(b"not a bundle")
    (tmp_path / "folder.task").mkdir()
    for name in ("x.task", "folder.task"):
        with pytest.raises(TrackerError, match=rf"{name}: MediaPipe cannot load it .*build it"):
            MediaPipeTracker(tmp_path / name)


@needs_mediapipe
@pytest.mark.parametrize("model", ["full", "lite"])
def test_our_landmarks_agree_with_mediapipes(
    model: str, shared_data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # Heat maps on: MediaPipe refines too.
    from benchmarks.agreement import measure_agreement
    from benchmarks.clips import read_clip

    task = built_task(model)
    clip = read_clip(shared_data / "real3d" / "pose2sim_cam3" / "video.mp4", 20)
    with caplog.at_level(logging.WARNING):
        result = measure_agreement(
            clip,
            lambda: make_blazepose_tracker(ENGINE, TrackerChoice(refine=True, tracker_model=model)),
            lambda: MediaPipeTracker(task),
        )
    assert "Google" in caplog.text
    assert result.both == 20
    assert result.median_percent < 2.0


@needs_mediapipe
def test_stamps_may_repeat_and_identities_follow_the_gaps(task: Path, shared_data: Path) -> None:
    from benchmarks.clips import read_clip

    image = read_clip(shared_data / "real3d" / "pose2sim_cam3" / "video.mp4", 1).images[0]
    with MediaPipeTracker(task) as tracker:
        people = [
            tracker.update(Frame(image_bgr=image, index=0, captured_at_s=t, grabbed_at_s=t))[0]
            for t in (5.0, 5.0, 5.1, 7.0, 1.0)
        ]
    assert [person.track_id for person in people] == [0, 0, 0, 1, 2]
    assert [person.dt_s for person in people] == pytest.approx([0, 0, 0.1, 0, 0])
    landmarks = people[0].landmarks
    assert landmarks is not None
    assert np.all((landmarks.image_px[23:25, :2] > 0) & (landmarks.image_px[23:25, :2] < 480))
    hips = landmarks.world_m[23:25].mean(axis=0)
    np.testing.assert_allclose(hips, 0, atol=0.02)
