"""The recipe from motion to a running engine, at its smallest; and how it goes on after a failure."""

import importlib
import itertools
import logging
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realtime_vibe.app.run import build_pipeline
from realtime_vibe.app.settings import LiveConfig
from realtime_vibe.errors import TrainingError
from realtime_vibe.packets import Frame
from realtime_vibe.training import recipe
from realtime_vibe.training.network import NetworkSize
from realtime_vibe.training.recipe import FULL, QUICK, Stage, blazepose_gru, run

ROOT = Path(__file__).resolve().parents[2]
BODY = ROOT / "engines" / "blazepose-gru" / "body.npz"


def write_motion(folder: Path, count: int) -> None:
    """AMASS files of people who wave and turn."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(3)
    for index in range(count):
        times = np.arange(240) / 60
        poses = np.zeros((240, 156))
        poses[:, 0] = np.pi / 2  # AMASS bodies stand along z
        poses[:, 48:54] = np.sin(times[:, None] * rng.uniform(1, 4, 6)) * 0.7
        poses[:, 3:12] += np.sin(times[:, None] * rng.uniform(1, 3, 9)) * 0.4
        trans = np.stack([0.3 * np.sin(times), 0.2 * times, np.full(240, 0.95)], axis=1)
        np.savez(folder / f"wave_{index}.npz", poses=poses, trans=trans, mocap_framerate=60.0)


def run_here(command: tuple[str, ...], **_: Any) -> subprocess.CompletedProcess[bytes]:
    """A stage in this process, which has imported torch already."""
    _, _, module, *arguments = command
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", [module, *arguments])
        return subprocess.CompletedProcess(command, importlib.import_module(module).main())


@pytest.mark.timeout(600)
def test_quick_recipe_makes_an_engine_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Less to do still than the command's --quick, and all in this process."""
    write_motion(tmp_path / "motion", 2)
    least = ("--streams", "2", "--frames", "34", "--pool-sequences", "2", "--pool-frames", "120")
    monkeypatch.setattr(
        recipe, "QUICK", replace(QUICK, frame_steps=2, sequence_steps=2, train=least)
    )
    # Each operator once: exporting takes as long as there are operators.
    monkeypatch.setitem(NetworkSize.__init__.__kwdefaults__, "iterations", 1)
    words = ["--motion", str(tmp_path / "motion"), "--out", str(tmp_path / "out")]
    argv = ["recipe", "blazepose-gru", "--quick", *words, "--body", str(BODY)]
    monkeypatch.setattr("sys.argv", argv)
    monkeypatch.chdir(ROOT)
    with monkeypatch.context() as patch:
        patch.setattr(recipe.subprocess, "run", run_here)
        assert recipe.main() == 0
    built = build_pipeline(
        LiveConfig(engine=str(tmp_path / "out" / "engine" / "blazepose-gru"), view="none")
    )
    image = np.full((120, 160, 3), 90, np.uint8)
    result = built.pipeline.step(
        Frame(image_bgr=image, index=0, captured_at_s=0.0, grabbed_at_s=0.0)
    )
    built.pipeline.close()
    assert result.people == ()
    with caplog.at_level(logging.INFO):
        assert recipe.main() == 0
    assert caplog.text.count("done before") == 3


def stage(folder: Path, code: str) -> Stage:
    """A stage that only runs one statement."""
    folder.mkdir(exist_ok=True)
    arguments = ("-n", "1", "-r", "1", code)
    return Stage(name="a test", hours=0.0, module="timeit", arguments=arguments, folder=folder)


def test_failed_stage_is_named_and_run_again(tmp_path: Path) -> None:
    good = stage(tmp_path / "good", "pass")
    bad = stage(tmp_path / "bad", "raise SystemExit(3)")
    with pytest.raises(TrainingError, match="stage 2 of 2: a test ended with status 1"):
        run((good, bad))
    assert good.is_done
    assert not bad.is_done


def test_training_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    half = stage(tmp_path / "half", "pass")
    assert "--resume" not in half.command
    (half.folder / "checkpoint.pt").touch()
    assert half.command[-1] == "--resume"


@pytest.mark.parametrize("scale", [FULL, QUICK])
def test_every_stage_starts_from_the_one_before(tmp_path: Path, scale: object) -> None:
    stages = blazepose_gru(tmp_path, BODY, tmp_path / "out", scale)  # type: ignore[arg-type]
    assert [one.module.rsplit(".", 1)[1] for one in stages] == [
        *(["run"] * 2 if scale is FULL else ["train_landmarks"] * 2), "engine",
    ]  # fmt: skip
    for before, after in itertools.pairwise(stages):
        assert str(before.folder / "network.pt") in after.arguments
    assert all(one.hours > 0 for one in stages[:2]) == (scale is FULL)
