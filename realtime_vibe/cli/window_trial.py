"""Whether a window really opens here: tried in a process of its own, which a window library may abort.

Nothing but the standard library is imported at the top, as in `doctor`.
"""

import subprocess
import sys

from realtime_vibe.errors import OutputError

_LIMIT_S = 60.0


def open_windows(view: str) -> None:
    """Opens the windows of a view and closes them; the child's part.

    Raises:
        OutputError: as `Display.open`.
    """
    import numpy as np

    from realtime_vibe.outputs.view.display import Display
    from realtime_vibe.outputs.view.hud import HudState

    with Display(np.array([[0, 1, 2]]), view=view) as display:  # type: ignore[arg-type]
        display.show(None, HudState())
        display.poll()


def try_windows(view: str) -> None:
    """Opens the windows of a view in a process of its own.

    Raises:
        OutputError: they do not open; the message ends with what the process said.
    """
    code = f"from realtime_vibe.cli.window_trial import open_windows; open_windows({view!r})"
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise OutputError(f"it did not open within {_LIMIT_S:.0f} s") from error
    if done.returncode != 0:
        raise OutputError(_reason(done.returncode, done.stderr))


def _reason(code: int, stderr: str) -> str:
    """Our own error as it is; what ended the process otherwise."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()] or ["it said nothing"]
    kind, _, message = lines[-1].partition(": ")
    if kind.endswith(OutputError.__name__) and message:
        return message
    return f"the process ended with code {code}: {lines[0] if code < 0 else lines[-1]}"
