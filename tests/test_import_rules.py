"""Covers what import-linter cannot see: what really gets loaded when a module is imported."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def _python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_live_path_imports_without_torch() -> None:
    code = (
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "import realtime_vibe.app.run, realtime_vibe.cli.main, realtime_vibe.cli.doctor\n"
        "print('imported')"
    )
    assert _python(code) == "imported\n"


def test_the_package_root_loads_nothing_heavy() -> None:
    code = (
        "import sys, realtime_vibe\n"
        "heavy = {'cv2', 'torch', 'open3d', 'onnxruntime', 'numpy', 'mediapipe', 'tqdm'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert _python(code) == "[]\n"


def test_the_app_loads_no_viewer_until_one_is_asked_for() -> None:
    code = (
        "import sys, realtime_vibe.app.run\n"
        "print(sorted({'open3d', 'mediapipe', 'torch'} & set(sys.modules)))"
    )
    assert _python(code) == "[]\n"
