"""Where the bundled demo clip lies."""

from pathlib import Path


def demo_clip_path() -> Path:
    """`assets/demo.mp4`: one person stands, squats and stands, 94 frames that loop seamlessly.

    512x640 px at 30 fps, a level camera, the person at an angle to it.
    """
    return Path(__file__).resolve().parent.parent / "assets" / "demo.mp4"
