"""What a run without a display leaves to look at: a short overlay video, and a picture of the last person."""

import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from realtime_vibe.app.takes import TakeSink
from realtime_vibe.errors import OutputError
from realtime_vibe.outputs.base import ResultSink, check_output_path
from realtime_vibe.packets import FrameResult

logger = logging.getLogger(__name__)
VIDEO_S = 20.0
"""Length of the video: a run from a camera may last for days."""


class ViewFiles:
    """A writer of both files; new names in the working folder, nothing is ever replaced.

    Raises:
        OutputError: the working folder cannot be written.
    """

    def __init__(
        self,
        open_video: Callable[[Path], ResultSink],
        save_picture: Callable[[Path, FrameResult], None],
    ) -> None:
        self.video, self.picture = _free_names()
        self._save_picture = save_picture
        self._sink = TakeSink(self.video.name, open_video(self.video))
        self._started_s: float | None = None
        self._is_complete = False
        self._shown: FrameResult | None = None
        logger.info(
            "nothing is shown here: look at %s (the first %.0f s) and %s (the last view of somebody)",
            self.video,
            VIDEO_S,
            self.picture,
        )

    def write(self, result: FrameResult) -> None:
        """Takes one result."""
        if result.people or self._shown is None:
            self._shown = result
        now_s = result.frame.captured_at_s
        if self._started_s is None:
            self._started_s = now_s
        if self._is_complete:
            return
        if now_s - self._started_s <= VIDEO_S:
            self._sink.write(result)
        else:  # what follows goes on while the file is being finished
            self._is_complete = True
            self._sink.close_later()

    def close(self) -> None:
        """Finishes the video and writes the picture; harmless when called again.

        Raises:
            OutputError: one of them cannot be written.
        """
        shown, self._shown = self._shown, None
        if self._is_complete:
            self._sink.wait()
        else:
            self._sink.close()
        if shown is not None:
            self._save_picture(self.picture, shown)
            logger.info("look at %s and %s", self.video, self.picture)


def _free_names() -> tuple[Path, Path]:
    """Names of the video and the picture, dated, in the working folder.

    Raises:
        OutputError: nothing can be written there.
    """
    stem = f"view-{datetime.now():%Y%m%d-%H%M%S}"
    paths = Path(f"{stem}.mkv"), Path(f"{stem}.png")
    try:
        for path in paths:
            check_output_path(path, overwrite=False, suffixes=(path.suffix,))
    except OutputError as error:
        raise OutputError(f"--view files: {error}, or use --view none") from error
    return paths
