"""Where the bundled demo clip lies."""

from pathlib import Path


def demo_clip_path() -> Path:
    """`assets/demo.mp4`: one person balancing, 512x640 px, 30 fps, 94 frames that loop seamlessly."""
    return Path(__file__).resolve().parent.parent / "assets" / "demo.mp4"
