"""Networks on clips that were tracked before: a replayed clip is as good as a live one."""

import json

import cv2
import numpy as np
import pytest

from benchmarks import real_curve
from benchmarks.accuracy_clips import find_clips
from benchmarks.accuracy_evaluate import evaluate
from benchmarks.replayed_clips import ReplayedTracker
from benchmarks.tracked_clips import TrackedFrames
from realtime_vibe.app.settings import LiveConfig
from realtime_vibe.backends.graph_folder import engine_folder
from realtime_vibe.features.landmark_features import LandmarkFeatures
from realtime_vibe.geometry.camera import CROP_SCALE
from realtime_vibe.packets import Frame

ENGINE = engine_folder("blazepose-gru")
FRAMES = 12


@pytest.fixture
def kept():
    """A made-up track; nobody in frame 4, somebody new in frame 5."""
    rng = np.random.default_rng(0)
    view = np.tile(np.array([320, 240, 300, 320, 240, 800, 1 / 30], np.float32), (FRAMES, 1))
    view[[0, 5], 6] = 0
    view[4] = np.nan
    return TrackedFrames(
        image_px=rng.uniform(200, 400, (FRAMES, 33, 2)).astype(np.float32),
        world_m=rng.normal(0, 0.4, (FRAMES, 33, 3)).astype(np.float32),
        visibility=np.ones((FRAMES, 33), np.float32),
        view=view,
    )


def test_replayed_people_have_the_features_that_were_tracked(kept):
    tracker, features = ReplayedTracker(kept), LandmarkFeatures(CROP_SCALE)
    ids = []
    for index in range(FRAMES):
        frame = Frame(
            image_bgr=np.zeros((480, 640, 3), np.uint8),
            index=index,
            captured_at_s=index / 30,
            grabbed_at_s=0.0,
        )
        people = tracker.update(frame)
        assert len(people) == (index != 4)
        if people:
            ids.append(people[0].track_id)
            got = features.extract(frame, people, 800.0)[0]
            np.testing.assert_allclose(got, kept.features[index], atol=1e-5)
    assert ids == [1] * 4 + [2] * 7


def test_networks_are_scored_and_drawn_over_their_hours(
    kept, write_clip, saved_networks, tmp_path, capsys
):
    images = [np.zeros((480, 640, 3), np.uint8)] * FRAMES
    folder = write_clip(tmp_path / "clips" / "made", images)
    cache = tmp_path / "cache"
    cache.mkdir()
    np.savez(
        cache / "made.npz",
        **{key: getattr(kept, key) for key in ("image_px", "world_m", "visibility", "view")},
    )
    outputs = ["--json", str(tmp_path / "curve.json"), "--plot", str(tmp_path / "curve.png")]
    pytest.importorskip("matplotlib")
    networks = ["--networks", str(ENGINE), *map(str, saved_networks)]
    assert real_curve.main([str(folder), "--cache", str(cache), *networks, *outputs]) == 0
    assert "means" in capsys.readouterr().out
    content = json.loads((tmp_path / "curve.json").read_text())
    assert [each["hours"] for each in content] == [None, 0.5, 1.5]
    for each in content:
        assert each["clips"]["made"]["pa_mpjpe_mm"] == each["mean"]["pa_mpjpe_mm"] > 0
        assert each["mean"]["overlay"] > 0
    picture = cv2.imread(str(tmp_path / "curve.png"))
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 10


def test_what_is_no_network_is_one_line(kept, write_clip, tmp_path, capsys):
    folder = write_clip(tmp_path / "made", [np.zeros((64, 64, 3), np.uint8)] * FRAMES)
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "made.npz").write_bytes(b"half")
    words = [str(folder), "--cache", str(cache), "--networks", "absent.pt"]
    assert real_curve.main(words) == 2
    assert "remove it" in capsys.readouterr().err
    (cache / "made.npz").unlink()
    np.savez(
        cache / "made.npz",
        **{key: getattr(kept, key) for key in ("image_px", "world_m", "visibility", "view")},
    )
    assert real_curve.main(words) == 2
    assert "absent.pt" in capsys.readouterr().err


def test_a_replayed_clip_scores_as_a_live_one(person_clip, tmp_path):
    words = [str(person_clip), "--cache", str(tmp_path), "--networks", str(ENGINE)]
    assert real_curve.main([*words, "--json", str(tmp_path / "curve.json")]) == 0
    (network,) = json.loads((tmp_path / "curve.json").read_text())
    live = evaluate(find_clips(person_clip), LiveConfig(view="none", smooth=0.0)).clips[0]
    assert network["mean"]["mpjpe_mm"] == pytest.approx(live.ours.scores.mpjpe_mm, abs=0.01)
    assert network["mean"]["overlay"] == pytest.approx(live.overlay.median, abs=0.01)


@pytest.fixture
def saved_networks(tmp_path):
    torch = pytest.importorskip("torch")
    from realtime_vibe.body.model_file import load_body
    from realtime_vibe.models.landmark_skeleton import skeleton_arrays
    from realtime_vibe.models.regressor import MeanParams
    from realtime_vibe.training.network import (
        FeatureStatistics,
        NetworkSize,
        build_network,
        save_network,
    )

    size = NetworkSize(embedded=8, hidden=8, layers=1, regressor=8)
    pose = torch.tensor([1.0, 0, 0, 1, 0, 0]).repeat(24)
    start = MeanParams(pose, torch.zeros(10), torch.tensor([0.9, 0, 0]))
    paths = []
    torch.manual_seed(0)  # a network from other numbers may put everybody behind the camera
    for hours in (0.5, 1.5):
        statistics = FeatureStatistics(torch.zeros(202), torch.ones(202))
        body = skeleton_arrays(load_body(ENGINE / "body.npz"))
        network = build_network(size, statistics, start, body)
        path = tmp_path / f"after_{hours}.pt"
        save_network(path, network, size, {"hours": f"{hours:.2f}", "steps": "100"})
        paths.append(path)
    return paths
