"""Does memory stay flat? Runs the live path over many frames and watches the process's size.

    python -m benchmarks.soak                 # 20,000 frames of the demo clip at 640x480

Recording is on, so the recorder is part of the test. Ends with status 1 when the process grew by more
than the limit after the first 1,000 frames.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from tqdm import tqdm

from benchmarks.latency import MemorySource, decoded_frames
from realtime_vibe.app import build_pipeline
from realtime_vibe.config import LiveConfig
from realtime_vibe.errors import RealtimeVibeError
from realtime_vibe.live_run import LiveRun
from realtime_vibe.outputs.npz_recorder import NpzRecorder
from realtime_vibe.outputs.stats import StatsCollector
from realtime_vibe.sources.demo import demo_clip_path
from realtime_vibe.threads import SlotClosed

WARMUP_FRAMES = 1000


def resident_mb() -> float:
    """Resident memory of this process [MB]; Linux only."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def soak(num_frames: int, folder: Path) -> list[tuple[int, float]]:
    """Runs the threads and returns (frame, MB) about every 1,000 frames after the warm-up."""
    images = decoded_frames(demo_clip_path(), (640, 480), limit=90)
    built = build_pipeline(LiveConfig(view="none"))
    samples: list[tuple[int, float]] = []
    with MemorySource(images, num_frames, None) as source:
        live = LiveRun(source, built.pipeline, StatsCollector(), every_frame=True, max_frames=None)
        live.add_writer(NpzRecorder(folder / "soak.npz"))
        live.start()
        with tqdm(total=num_frames, unit="frame", leave=False) as bar:
            try:
                while True:
                    live.take(0.2)
                    done = live.frames_processed
                    bar.update(done - bar.n)
                    if done >= WARMUP_FRAMES * (len(samples) + 1):
                        samples.append((done, resident_mb()))
            except SlotClosed:
                pass
            finally:
                samples.append((live.frames_processed, resident_mb()))
                live.close()
        built.pipeline.close()
    return samples


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.soak", description="Watches memory over many frames."
    )
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--limit-mb", type=float, default=5.0, help="largest growth allowed")
    arguments = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder:
            samples = soak(arguments.frames, Path(folder))
    except RealtimeVibeError as error:
        print(f"benchmarks.soak: error: {error}", file=sys.stderr)
        return 2
    for frame, size_mb in samples:
        print(f"{frame:>8} frames {size_mb:8.1f} MB")
    growth_mb = samples[-1][1] - samples[0][1]
    print(f"growth after the first {samples[0][0]} frames: {growth_mb:+.1f} MB")
    return int(growth_mb > arguments.limit_mb)


if __name__ == "__main__":
    sys.exit(main())
