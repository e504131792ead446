"""The comparison with MediaPipe: clip playing, the difference measure, refusals of the command."""

import importlib.util
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from benchmarks.agreement import difference_percent
from benchmarks.clips import Clip, read_clip
from benchmarks.peers import Pace, Peer, compare_speed, main
from benchmarks.results import Labels
from realtime_vibe.errors import SourceError
from realtime_vibe.packets import PoseLandmarks


def _clip(count: int) -> Clip:
    images = tuple(np.full((4, 4, 3), value, np.uint8) for value in range(count))
    return Clip(name="x", images=images, fps=10.0)


@pytest.mark.parametrize(
    ("count", "expected"),
    [(1, [0, 0, 0]), (2, [0, 1, 0, 1]), (3, [0, 1, 2, 1, 0, 1, 2])],
)
def test_a_clip_plays_to_and_fro_without_a_jump(count: int, expected: list[int]) -> None:
    frames = [_clip(count).frame(index) for index in range(len(expected))]
    assert [int(frame.image_bgr[0, 0, 0]) for frame in frames] == expected
    assert np.allclose(np.diff([frame.captured_at_s for frame in frames]), 0.1)


def test_a_clip_is_scaled_down_to_fit(shared_data: Path) -> None:
    clip = read_clip(shared_data / "real3d" / "pose2sim_cam3" / "video.mp4", 2)
    height, width = clip.images[0].shape[:2]
    assert len(clip.images) == 2
    assert height == 480
    assert width <= 640


def test_what_is_no_clip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no clip at"):
        read_clip(tmp_path / "absent.mp4", 1)
    (tmp_path / "text.mp4").write_text("not a video")
    with pytest.raises(SourceError, match="not a video"):
        read_clip(tmp_path / "text.mp4", 1)


def test_the_difference_is_a_share_of_the_longer_side() -> None:
    wanted = np.zeros((33, 3), np.float32)
    wanted[0, :2] = [50, 200]
    poses = [
        PoseLandmarks(
            image_px=points,
            world_m=np.zeros((33, 3), np.float32),
            visibility=np.ones(33, np.float32),
            presence=1.0,
        )
        for points in (wanted + np.float32([3, 4, 99]), wanted)
    ]
    np.testing.assert_allclose(difference_percent(*poses), 2.5, rtol=1e-5)


@pytest.mark.skipif(importlib.util.find_spec("mediapipe") is not None, reason="it is installed")
def test_without_mediapipe_the_extra_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--source", "x.mp4"]) == 2
    assert "[mediapipe]" in capsys.readouterr().err


@pytest.mark.skipif(importlib.util.find_spec("mediapipe") is None, reason="needs MediaPipe")
@pytest.mark.parametrize(
    "arguments", [["--source", "absent.mp4"], ["--agreement", "--source", "absent.mp4"]]
)
def test_a_missing_clip_is_one_line_and_status_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("benchmarks peers: error: no clip")
    assert error.count("\n") == 1


def test_everybody_gets_the_same_frames_in_turns_of_changing_order() -> None:
    calls: list[tuple[str, int]] = []

    def peer(name: str, most_frames: int) -> Peer:
        return Peer(
            name=name,
            action=lambda frame: calls.append((name, frame.index)),
            labels=Labels(),
            most_frames=most_frames,
        )

    peers = [peer("a", 1000), peer("b", 1000), peer("c", 10)]
    pace = Pace(name="x", turn_frames=1, pause_s=0.0)
    samples_ms = compare_speed(_clip(3), peers, 40, pace, begin=5)
    assert {name: len(values) for name, values in samples_ms.items()} == {"a": 40, "b": 40, "c": 10}
    for name, last in (("a", 65), ("b", 65), ("c", 35)):
        assert [index for who, index in calls if who == name] == list(range(5, last))
    followers = {after for (who, _), (after, _) in pairwise(calls) if who == "a"}
    assert followers == {"a", "b", "c"}
