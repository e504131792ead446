"""Writes a folder aside and puts it in place in one step: it is there whole, or not at all."""

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from realtime_vibe.backends.graph_folder import Engine
from realtime_vibe.errors import ExportError
from realtime_vibe.system.file_boundary import file_boundary, read_regular
from realtime_vibe.tracking.blazepose_models import BlazePoseFolder

_MAX_BYTES = 10_000_000
MANIFESTS = (Engine.manifest, BlazePoseFolder.manifest)


def check_replaceable(out: Path) -> None:
    """Refuses to replace what is not a built engine.

    Raises:
        ExportError: there is something else, or an engine that others were built from.
    """
    if not out.exists():
        return
    manifest = next((out / name for name in MANIFESTS if (out / name).is_file()), None)
    if not out.is_dir() or (manifest is None and any(out.iterdir())):
        raise ExportError(f"{out} is something else than an engine: name another --out")
    if manifest is not None and "built" not in _content(manifest):
        raise ExportError(
            f"{out} holds an engine that was exported, not built: expected another --out, so that it stays"
        )


@contextmanager
def written_aside(out: Path) -> Iterator[Path]:
    """A new folder beside `out` that takes its place if all goes well, and vanishes if not.

    A build that is killed leaves `out` as it was, and beside it a folder whose name begins with a dot.

    Raises:
        ExportError: `out` is not to be replaced, see `check_replaceable`.
    """
    check_replaceable(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        aside.chmod(0o755)  # mkdtemp's folders are for their maker alone
        yield aside
        _swap(aside, out)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def write_manifest(path: Path, content: Mapping[str, Any]) -> None:
    """Writes a manifest in one step."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    part.replace(path)


def folder_bytes(folder: Path) -> int:
    """Size of all files in a folder and below."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _swap(aside: Path, out: Path) -> None:
    """Puts the new folder where the old one was; the old one goes only once the new one is there."""
    if not out.exists():
        aside.rename(out)
        return
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as bin_name:
        old = out.rename(Path(bin_name) / "old")
        try:
            aside.rename(out)
        except OSError:
            old.rename(out)
            raise


def _content(manifest: Path) -> Mapping[str, Any]:
    """Of a manifest; nothing where it is damaged."""
    with suppress(ExportError), file_boundary(manifest, ExportError):
        return dict(json.loads(read_regular(manifest, _MAX_BYTES)))
    return {}
