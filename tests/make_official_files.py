"""Writes stand-ins for the licensed files: the official names, formats and sizes, random numbers.

    python -m tests.make_official_files out/official

The real files cannot be shipped: VIBE's and SPIN's weights and SMPL are for registered, non-commercial users.
Whatever holds for these (every import, every engine, every comparison) holds for the real ones, but the
people that come out are made up: a body-like mesh near the mean pose, and a detector that sees next to
nobody.
"""

import argparse
import sys
from pathlib import Path

from tests.official_smpl import write_extra_regressor, write_smpl_npz, write_smpl_pickle
from tests.official_vibe import write_vibe
from tests.official_yolo import write_yolo_weights


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.make_official_files",
        description="Write files in the official formats, with random numbers; 630 MB.",
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    folder, seed = arguments.folder, arguments.seed
    write_vibe(folder, seed)
    write_smpl_pickle(folder / "SMPL_NEUTRAL.pkl", seed)
    write_smpl_npz(folder / "SMPL_NEUTRAL.npz", seed)
    write_extra_regressor(folder / "J_regressor_extra.npy")
    write_yolo_weights(folder / "yolov3.weights", tiny=False, seed=seed)
    write_yolo_weights(folder / "yolov3-tiny.weights", tiny=True, seed=seed)
    for path in sorted(folder.iterdir()):
        sys.stdout.write(f"{path.stat().st_size / 1e6:8.1f} MB  {path}\n")


if __name__ == "__main__":
    main()
