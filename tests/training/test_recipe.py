"""The recipe from motion to a running engine, at its smallest; and how it goes on after a failure."""

import itertools
import logging
from pathlib import Path

import numpy as np
import pytest

from realtime_vibe.app.run import build_pipeline
from realtime_vibe.app.settings import LiveConfig
from realtime_vibe.errors import TrainingError
from realtime_vibe.packets import Frame
from realtime_vibe.training.recipe import FULL, QUICK, Stage, blazepose_gru, run
from tests.quick_recipe import BODY, run_recipe


@pytest.mark.timeout(600)
def test_quick_recipe_makes_an_engine_that_runs(
    quick_recipe: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine = quick_recipe / "out" / "engine" / "blazepose-gru"
    config = LiveConfig(engine=str(engine), view="none", backend="onnxruntime")
    pipeline = build_pipeline(config).pipeline
    image = np.full((120, 160, 3), 90, np.uint8)
    result = pipeline.step(Frame(image_bgr=image, index=0, captured_at_s=0.0, grabbed_at_s=0.0))
    pipeline.close()
    assert result.people == ()
    with caplog.at_level(logging.INFO):
        assert run_recipe(quick_recipe) == 0
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
