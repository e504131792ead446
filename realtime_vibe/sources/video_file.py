"""Frames of a video file, the bundled demo clip among them, with the file's own times."""

from functools import partial
from pathlib import Path

from realtime_vibe.errors import SourceError
from realtime_vibe.sources.film import Film
from realtime_vibe.sources.film_capture import FilmCapture
from realtime_vibe.sources.film_opening import open_file, what_is_no_film
from realtime_vibe.sources.mp4_track import track_in
from realtime_vibe.system.file_boundary import file_boundary, open_regular

SNIFFED_BYTES = 4096


def demo_clip_path() -> Path:
    """`assets/demo.mp4`: one person stands, squats and stands, 94 frames that loop seamlessly.

    512x640 px at 30 fps, a level camera, the person at an angle to it.
    """
    return Path(__file__).resolve().parent.parent / "assets" / "demo.mp4"


class VideoFile(Film):
    """A video file, its pictures turned upright and mirrored as the file's display matrix says.

    Args:
        loop: start over at the end, for ever; times and indexes go on.
        fps: as of a `Film`, and so is `paced`.
    """

    def __init__(
        self,
        path: Path,
        *,
        paced: bool = False,
        loop: bool = False,
        fps: float | None = None,
    ) -> None:
        super().__init__(
            path.name,
            lambda _: open_video(path),
            paced=paced,
            fps=fps,
            loop=loop,
            if_silent="look at the disk it lies on",
        )


def open_video(path: Path) -> FilmCapture:
    """Opens a file; refuses what cannot be a video before OpenCV sees it.

    Raises:
        SourceError: missing, a folder, unreadable, empty, not a video, or cut off so early that its index is missing.
    """
    advice = "give a video, a folder of images, a camera or a URL"
    with file_boundary(path, SourceError, advice), open_regular(path) as file:
        head = file.read(SNIFFED_BYTES)
        if not head:
            raise SourceError("the file is empty (0 bytes), expected a video")
        file.seek(0)
        track = track_in(file)

    opened = partial(open_file, path)
    capture = opened()
    with file_boundary(path, SourceError):
        if not capture.isOpened():
            capture.release()
            raise SourceError(what_is_no_film(head, path.suffix))
        return FilmCapture(capture, is_recorded=True, reopen=opened, packets=opened, track=track)
